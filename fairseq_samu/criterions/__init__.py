"""Criterions registered with fairseq; importing this room registers them."""

from fairseq_samu.criterions import cosine_kd, ctc_ce, dual_slu

__all__ = ["cosine_kd", "ctc_ce", "dual_slu"]
