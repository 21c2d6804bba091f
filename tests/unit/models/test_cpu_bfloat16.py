"""bfloat16 is no wish for a TPU where a CPU was asked for."""

import pytest
import torch
from fairseq import options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

import fairseq_samu

SYSTEM = ["data", "--task", "samu_distill", "--criterion", "cosine_kd", "--optimizer", "adam"]


@pytest.fixture(autouse=True)
def normal_numbers():
    yield
    torch.set_flush_denormal(False)


def is_flushed() -> bool:
    return bool((torch.full((8,), 2.0**-130) * 0.5 == 0).all())


@pytest.mark.parametrize("arch", ["samu_xlsr", "samu_xlsr_mbart"])
@pytest.mark.parametrize(
    ("flags", "tpu", "flushed"),
    [(["--bf16", "--cpu"], False, True), (["--bf16"], True, False), (["--cpu"], False, False), ([], False, False)],
)
def test_only_the_cpu_keeps_off_the_tpu(arch, flags, tpu, flushed):
    fairseq_samu.register()
    words = [*SYSTEM, "--arch", arch, *flags]
    parsed = options.parse_args_and_arch(options.get_training_parser(), input_args=words)
    config = convert_namespace_to_omegaconf(parsed)
    assert config.common.tpu is tpu
    assert config.common.bf16 is ("--bf16" in flags)
    if torch.set_flush_denormal(False):  # else this CPU has no such mode
        parsed = options.parse_args_and_arch(options.get_training_parser(), input_args=words)
        assert is_flushed() is flushed
