"""Tasks registered with fairseq; importing this room registers them."""

from fairseq_samu.tasks import samu_distill

__all__ = ["samu_distill"]
