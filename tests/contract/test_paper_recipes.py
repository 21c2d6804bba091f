"""The flags of paper-size recipes build task, model and criterion, without the memory of the model."""

import json
from pathlib import Path

import pytest
from torch._subclasses.fake_tensor import FakeTensorMode

pytest.importorskip("fairseq", reason="recipes run on the host")

from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import open_dict

from tests.contract.commands import dry_run
from tests.unit.models.test_samu_xlsr import XLSR_300M, count, tuned_groups


def training_of(script: str) -> list[str]:
    """Arguments of the recipe's fairseq-train."""
    return next(command[1:] for command in dry_run(script) if command[0] == "fairseq-train")


def test_samu_xlsr_at_the_papers_size():
    parser = options.get_training_parser()
    cfg = convert_namespace_to_omegaconf(
        options.parse_args_and_arch(parser, training_of("examples/samu_xlsr/paper/run.sh"))
    )
    with open_dict(cfg):
        # the file of weights is not here; its sizes are
        cfg.model.encoder_config = json.dumps(XLSR_300M)
    task = tasks.setup_task(cfg.task, from_checkpoint=True)
    with FakeTensorMode():
        model = task.build_model(cfg.model, from_checkpoint=True)
    criterion = task.build_criterion(cfg.criterion)
    assert count(model.parameters()) == 316_226_945
    assert count(p for p in model.parameters() if p.requires_grad) == 316_226_945 - 4_210_176
    assert "encoder.feature_extractor" not in tuned_groups(model)
    assert criterion.kd_scale == 20
    assert cfg.task.sampling_alpha == 0.05
    assert Path(cfg.task.teacher_table).name == "teacher"
