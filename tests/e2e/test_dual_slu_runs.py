"""Understanding, killed and resumed, and by two workers: the same numbers as in one go by one."""

import random
from pathlib import Path

import pytest
import torch

from tests.e2e.dual_slu import dual_command, make_dual_corpus, train_here
from tests.e2e.training import (
    Corpus,
    assert_same_state,
    finish_workers,
    free_port,
    kill_after,
    logged,
    read_checkpoint,
    run,
    start,
)

DRAWS = {
    "mask_time_prob": 0.3,
    "mask_time_length": 5,
    "encoder_layerdrop": 0.3,
    "head_dropout": 0.1,
    "slu_dropout": 0.2,
    "speed_factors": "0.9,1.0,1.1",
    "sampling_alpha": 0.3,
    "slu_features": "weighted",
    "max_update": 12,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """26 rows to train on (a batch of 4 leaves a remainder of 2) and 6 to validate."""
    return make_dual_corpus(tmp_path_factory.mktemp("runs"), {"train": 26, "valid": 6})


def test_killed_and_resumed_to_the_same_bits(corpus: Corpus, tmp_path: Path) -> None:
    untouched = run(dual_command(corpus, tmp_path / "untouched", **DRAWS))
    for key in ("valid_ctc_loss", "valid_mean_cosine", "valid_recall_at_1", "ctc_loss", "mean_cosine"):
        assert logged(untouched, key), key
    command = dual_command(corpus, tmp_path / "killed", **DRAWS)
    kill_after(command, random.Random(3).randrange(3, 10), 0.05)
    run(command)
    last = tmp_path / "killed" / "checkpoint_last.pt"
    assert read_checkpoint(last)["optimizer_history"][-1]["num_updates"] == 12
    assert_same_state(tmp_path / "untouched" / "checkpoint_last.pt", last)


def test_two_workers_equal_update_freq_two(corpus: Corpus, tmp_path: Path) -> None:
    # no dropout: it is drawn by the place in the batch, which differs
    options = {"mask_time_prob": 0.3, "mask_time_length": 5, "max_update": 5, "lr": 0.0005, "adam_betas": None}
    options |= {"optimizer": "sgd", "momentum": 0.9, "save_interval_updates": None, "keep_interval_updates": None}
    one, alone = train_here(corpus, tmp_path / "one", update_freq=2, **options)
    options |= {"distributed_world_size": 2, "distributed_init_method": f"tcp://localhost:{free_port()}"}
    options |= {"distributed_no_spawn": True, "distributed_backend": "gloo", "ddp_backend": "legacy_ddp"}
    workers = [start(dual_command(corpus, tmp_path / "two", distributed_rank=rank, **options)) for rank in range(2)]
    outputs = finish_workers(workers)
    two = read_checkpoint(tmp_path / "two" / "checkpoint_last.pt")["model"]
    assert one["model"].keys() == two.keys()
    for name, tensor in one["model"].items():
        torch.testing.assert_close(tensor, two[name], rtol=1e-4, atol=1e-5, msg=lambda text, name=name: name + text)
    for key in ("loss", "ctc_loss", "valid_loss", "valid_ctc_loss", "valid_mean_cosine"):
        pairs = list(zip(logged(alone, key), logged(outputs[0], key), strict=True))
        assert pairs and all(abs(left - right) < 2e-3 for left, right in pairs), key
