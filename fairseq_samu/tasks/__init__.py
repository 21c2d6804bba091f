"""Tasks registered with fairseq; importing this room registers them."""

from fairseq_samu.tasks import multitask_st, samu_distill

__all__ = ["multitask_st", "samu_distill"]
