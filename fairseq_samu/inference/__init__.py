"""Using what was trained from Python: recordings in, embeddings and frames out."""
