"""bfloat16 on CPUs: the host's command line takes ``--bf16`` for a wish to train on a TPU."""

from argparse import Namespace
from collections.abc import Iterable

from fairseq.models import ARCH_CONFIG_REGISTRY


def let_cpus_use_bfloat16(architectures: Iterable[str]) -> None:
    """Have architectures undo, for ``--cpu``, what the host's parser makes of ``--bf16``.

    The parser sets ``tpu`` whenever ``bf16`` is set, and asks the architecture afterwards.

    Args:
        architectures: registered names whose models have a config of their own, so that nothing else is set there.
    """
    for name in architectures:
        ARCH_CONFIG_REGISTRY[name] = _stay_on_cpu


def _stay_on_cpu(args: Namespace) -> None:
    if getattr(args, "cpu", False):
        args.tpu = False
