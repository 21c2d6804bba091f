"""Models registered with fairseq, and the speech encoders that they stand on; importing this room registers them."""

from fairseq_samu.models import multitask_st, samu_slu, samu_xlsr, samu_xlsr_mbart
from fairseq_samu.models.cpu_bfloat16 import let_cpus_use_bfloat16

__all__ = ["multitask_st", "samu_slu", "samu_xlsr", "samu_xlsr_mbart"]

let_cpus_use_bfloat16(__all__)
