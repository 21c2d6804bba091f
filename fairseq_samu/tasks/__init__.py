"""Tasks registered with fairseq; importing this room registers them."""

from fairseq_samu.tasks import dual_slu, multitask_st, samu_distill

__all__ = ["dual_slu", "multitask_st", "samu_distill"]
