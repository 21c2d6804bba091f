"""Criterions registered with fairseq; importing this room registers them."""

from fairseq_samu.criterions import consistency_multitask, cosine_kd, ctc_ce, dual_slu

__all__ = ["consistency_multitask", "cosine_kd", "ctc_ce", "dual_slu"]
