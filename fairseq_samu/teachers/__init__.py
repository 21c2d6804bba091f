"""Sentence encoders that teach a speech encoder, and the table of their precomputed embeddings."""

from fairseq_samu.teachers.encoder import SentenceEncoder, build_sentence_encoder
from fairseq_samu.teachers.table import EmbeddingTable
from fairseq_samu.teachers.texts import normalise_text

__all__ = ["EmbeddingTable", "SentenceEncoder", "build_sentence_encoder", "normalise_text"]
