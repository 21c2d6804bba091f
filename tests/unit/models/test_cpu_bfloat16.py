"""bfloat16 is no wish for a TPU where a CPU was asked for."""

import pytest
from fairseq import options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

import fairseq_samu


@pytest.mark.parametrize("arch", ["samu_xlsr", "samu_xlsr_mbart"])
@pytest.mark.parametrize(("flags", "tpu"), [(["--bf16", "--cpu"], False), (["--bf16"], True), ([], False)])
def test_only_the_cpu_keeps_off_the_tpu(arch, flags, tpu):
    fairseq_samu.register()
    words = [
        "data",
        "--task",
        "samu_distill",
        "--arch",
        arch,
        "--criterion",
        "cosine_kd",
        "--optimizer",
        "adam",
        *flags,
    ]
    parsed = options.parse_args_and_arch(options.get_training_parser(), input_args=words)
    config = convert_namespace_to_omegaconf(parsed)
    assert config.common.tpu is tpu
    assert config.common.bf16 is ("--bf16" in flags)
