"""Models registered with fairseq, and the speech encoders that they stand on; importing this room registers them."""

from fairseq_samu.models import samu_xlsr, samu_xlsr_mbart

__all__ = ["samu_xlsr", "samu_xlsr_mbart"]
