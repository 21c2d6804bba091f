"""A run that is killed and started again ends as one that nobody touched."""

import random
from pathlib import Path

import pytest

from tests.e2e.training import Corpus, assert_same_state, kill_after, logged, read_checkpoint, run, train_command

DRAWS = {
    "mask_time_prob": 0.3,
    "mask_time_length": 5,
    "mask_channel_prob": 0.2,
    "mask_channel_length": 4,
    "encoder_layerdrop": 0.3,
    "head_dropout": 0.1,
    "speed_factors": "0.9,1.0,1.1",
    "noise_prob": 0.5,
    "gain_db": 6,
    "sampling_alpha": 0.3,
    "num_workers": 2,
    "max_update": 16,
}

KILL_INSIDE_COPY = """
import os, shutil
real_copy = shutil.copyfile
def copy_half(source, destination):
    if "checkpoint_last" in str(destination) and "_8.pt" in str(source):
        with open(source, "rb") as whole, open(destination, "wb") as half:
            half.write(whole.read(1000))
            half.flush()
        os.kill(os.getpid(), 9)
    return real_copy(source, destination)
shutil.copyfile = copy_half
"""


@pytest.fixture(scope="module")
def untouched(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("untouched")
    output = run(train_command(corpus, folder, **DRAWS))
    assert logged(output, "valid_recall_at_1")
    return folder


def test_killed_at_random_updates(corpus: Corpus, untouched: Path, tmp_path: Path) -> None:
    rng = random.Random(11)
    command = train_command(corpus, tmp_path, **DRAWS)
    # a run that ends before it is killed would be a finished one, to which the host adds an update when started again
    for first, last in ((3, 7), (9, 13)):
        kill_after(command, rng.randrange(first, last), rng.random() * 0.1)
    run(command)
    assert read_checkpoint(tmp_path / "checkpoint_last.pt")["optimizer_history"][-1]["num_updates"] == 16
    assert_same_state(untouched / "checkpoint_last.pt", tmp_path / "checkpoint_last.pt")


def test_killed_while_a_checkpoint_is_copied(corpus: Corpus, untouched: Path, tmp_path: Path) -> None:
    command = train_command(corpus, tmp_path, **DRAWS)
    run(command, prelude=KILL_INSIDE_COPY, expect=-9)
    # the end of the first epoch, 7 updates, is what was saved last before the 8th
    assert read_checkpoint(tmp_path / "checkpoint_last.pt")["optimizer_history"][-1]["num_updates"] == 7
    run(command)
    assert_same_state(untouched / "checkpoint_last.pt", tmp_path / "checkpoint_last.pt")
