"""Learning rates and algorithms by parameter group, and the NewBob schedule, in real training runs."""

from pathlib import Path

import pytest

from tests.e2e.training import Corpus, assert_same_state, kill_after, logged, read_checkpoint, run, train_command
from tests.e2e.translation import make_translation_corpus, translation_command

# An improvement of 9 (900 %) is out of reach: every epoch but the first shrinks all rates.
GROUPED = {
    "optimizer": "grouped",
    "adam_betas": "(0.9, 0.98)",
    "lr_scales": "encoder=0.1,encoder.layer=0.5",
    "group_optimizers": "head=adadelta,encoder.layer=adamw",
    "lr_scheduler": "newbob",
    "newbob_threshold": 9,
    "newbob_factor": 0.5,
    "newbob_group_factors": "encoder=0.9",
    "warmup_updates": 3,
    "clip_norm": 1.0,
    "max_update": 24,
}

KILL_BETWEEN_SAVING_AND_SCHEDULE = """
import os
from fairseq.trainer import Trainer
lr_step = Trainer.lr_step
def kill(self, epoch, val_loss=None):
    if epoch == 2 and val_loss is not None:
        os.kill(os.getpid(), 9)
    return lr_step(self, epoch, val_loss)
Trainer.lr_step = kill
"""


@pytest.fixture(scope="module")
def untouched(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("grouped")
    return folder, run(train_command(corpus, folder, **GROUPED))


def rates(checkpoint: Path) -> dict[str, float]:
    """Learning rates in a checkpoint by the name of their group."""
    return {
        group["group_name"]: group["lr"]
        for group in read_checkpoint(checkpoint)["last_optimizer_state"]["param_groups"]
    }


def assert_same_end(untouched: Path, resumed: Path) -> None:
    """Weights, moments, rates and the state of the schedule are equal to the last bit."""
    last = [folder / "checkpoint_last.pt" for folder in (untouched, resumed)]
    assert_same_state(*last)
    histories = [read_checkpoint(path)["optimizer_history"][-1] for path in last]
    assert histories[0] == histories[1]
    assert histories[0]["num_updates"] == GROUPED["max_update"]
    assert rates(last[0]) == rates(last[1])


def test_groups_go_by_their_rates_and_the_schedule_shrinks_them(untouched: tuple[Path, str]) -> None:
    folder, output = untouched
    # the rate of the next update: a warm-up of 3, then epochs of 7, the first of which has none before it
    expected = [0.002 / 3, *[0.001] * 13, *[0.0005] * 7, *[0.00025] * 3]
    assert logged(output, "lr") == pytest.approx(expected, rel=1e-5)
    assert "encoder.layer.0 to encoder.layer.2" in output
    found = rates(folder / "checkpoint_last.pt")
    assert found["head.pooling"] == pytest.approx(0.00025)
    assert found["encoder.layer.1"] == pytest.approx(0.001 * 0.5 * 0.9**2)
    assert found["encoder.embedding"] == pytest.approx(0.001 * 0.1 * 0.9**2)


def test_killed_between_saving_and_the_schedule(corpus: Corpus, untouched: tuple[Path, str], tmp_path: Path) -> None:
    command = train_command(corpus, tmp_path, **GROUPED)
    run(command, prelude=KILL_BETWEEN_SAVING_AND_SCHEDULE, expect=-9)
    assert read_checkpoint(tmp_path / "checkpoint_last.pt")["optimizer_history"][-1]["num_updates"] == 14
    run(command)
    assert_same_end(untouched[0], tmp_path)


def test_killed_within_an_epoch(corpus: Corpus, untouched: tuple[Path, str], tmp_path: Path) -> None:
    command = train_command(corpus, tmp_path, **GROUPED)
    kill_after(command, 18, 0.05)
    run(command)
    assert_same_end(untouched[0], tmp_path)


@pytest.mark.parametrize(
    "precision",
    [
        {"bf16": True},
        {"fp16": True, "fp16_no_flatten_grads": True, "fp16_init_scale": 4},
        {"fp16": True, "memory_efficient_fp16": True, "fp16_init_scale": 4},
    ],
    ids=lambda precision: " ".join(precision),
)
def test_half_precision_keeps_the_groups(precision: dict[str, object], corpus: Corpus, tmp_path: Path) -> None:
    output = run(train_command(corpus, tmp_path, **{**GROUPED, "max_update": 3, **precision}))
    assert len(logged(output, "lr")) == 3
    found = rates(tmp_path / "checkpoint_last.pt")
    assert found["encoder.layer.1"] == pytest.approx(0.5 * found["head.pooling"])


@pytest.mark.slow
def test_killed_in_half_precision_without_copies_in_float32(corpus: Corpus, tmp_path: Path) -> None:
    half = {**GROUPED, "bf16": True, "memory_efficient_bf16": True}
    whole, killed = (train_command(corpus, tmp_path / name, **half) for name in ("whole", "killed"))
    run(whole)
    run(killed, prelude=KILL_BETWEEN_SAVING_AND_SCHEDULE, expect=-9)
    run(killed)
    assert_same_end(tmp_path / "whole", tmp_path / "killed")


def test_a_group_that_there_is_not_is_named_beside_those_that_there_are(corpus: Corpus, tmp_path: Path) -> None:
    output = run(train_command(corpus, tmp_path, **{**GROUPED, "lr_scales": "encodr=0.1"}), expect=1)
    assert "(encoder.embedding, encoder.layer.N, encoder.final_norm, head.pooling, head.projection)" in output
    assert "'encodr' instead. Set --lr-scales" in output


def test_the_groups_of_translation(tmp_path: Path) -> None:
    corpus = make_translation_corpus(tmp_path, {"train": 13, "valid": 4})
    chosen = {"optimizer": "grouped", "lr_scales": "encoder_adapters=0.1,cross_attention=0.5", "max_update": 2}
    run(translation_command(corpus, tmp_path / "run", **chosen, group_optimizers="layer_norms=sgd", momentum=0.9))
    found = rates(tmp_path / "run" / "checkpoint_last.pt")
    assert found["encoder_adapters"] == 0.001 * 0.1
    assert found["cross_attention"] == 0.001 * 0.5
    assert found["layer_norms"] == 0.001
