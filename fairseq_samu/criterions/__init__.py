"""Criterions registered with fairseq; importing this room registers them."""

from fairseq_samu.criterions import cosine_kd

__all__ = ["cosine_kd"]
