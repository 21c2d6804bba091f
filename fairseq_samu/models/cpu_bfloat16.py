"""bfloat16 on CPUs: the host's command line takes ``--bf16`` for a wish to train on a TPU."""

from argparse import Namespace
from collections.abc import Iterable

import torch
from fairseq.models import ARCH_CONFIG_REGISTRY


def let_cpus_use_bfloat16(architectures: Iterable[str]) -> None:
    """Have architectures undo, for ``--cpu``, what the host's parser makes of ``--bf16``.

    The parser sets ``tpu`` whenever ``bf16`` is set, and asks the architecture afterwards. Numbers below the least
    normal one are then taken for zero by this process: CPUs compute with them many times slower, and after a hundred
    updates in bfloat16 gradients and moments are full of them.

    Args:
        architectures: registered names whose models have a config of their own, so that nothing else is set there.
    """
    for name in architectures:
        ARCH_CONFIG_REGISTRY[name] = _stay_on_cpu


def _stay_on_cpu(args: Namespace) -> None:
    if getattr(args, "cpu", False):
        args.tpu = False
        if getattr(args, "bf16", False):
            torch.set_flush_denormal(True)
