"""Weights in and out: reading the formats of fairseq, Hugging Face and CTranslate2, with an account of every name."""

from fairseq_samu.checkpoints.key_report import KeyReport, fingerprint, load_strict
from fairseq_samu.checkpoints.mbart import LoadedDecoder, read_mbart
from fairseq_samu.checkpoints.speech_encoder import LoadedEncoder, read_speech_encoder, read_trained_model

__all__ = [
    "KeyReport",
    "LoadedDecoder",
    "LoadedEncoder",
    "fingerprint",
    "load_strict",
    "read_mbart",
    "read_speech_encoder",
    "read_trained_model",
]
