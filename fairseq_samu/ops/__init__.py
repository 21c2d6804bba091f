"""Pure functions on tensors: torch and numpy only, no state, no fairseq."""
