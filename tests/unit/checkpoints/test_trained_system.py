"""What a training checkpoint says of a system: its parts, without places, and clear refusals."""

import pytest
import torch

from fairseq_samu.checkpoints.trained_system import PLACES, find_config, read_system
from fairseq_samu.errors import CheckpointError


def checkpoint(**changed):
    places = dict.fromkeys(PLACES, "/of/the/training/machine")
    return {
        "cfg": {
            "common": {"seed": 3, "fp16": True, "log_interval": 5},
            "model": {"_name": "samu_slu", "lstm_dim": 8, **places},
            "task": {"_name": "dual_slu", **places},
            "dataset": {"batch_size": 4},
        },
        "model": {"weight": torch.ones(2)},
        "task_state": {"vocabulary": {"labels": torch.zeros(3, dtype=torch.uint8)}},
        **changed,
    }


@pytest.fixture
def write(tmp_path):
    def write(state):
        torch.save(state, tmp_path / "checkpoint.pt")
        return tmp_path / "checkpoint.pt"

    return write


def test_parts_without_places_of_the_training_machine(write):
    loaded = read_system(write(checkpoint()), "samu_slu")
    assert loaded.config["common"] == {"seed": 3, "fp16": True}
    assert set(loaded.config) == {"common", "model", "task"}
    assert loaded.settings == {"_name": "samu_slu", "lstm_dim": 8, **dict.fromkeys(PLACES, "")}
    assert loaded.state["weight"].tolist() == [1, 1]
    assert loaded.vocabulary["labels"].tolist() == [0, 0, 0]


def test_one_of_several_systems(write):
    path = write(checkpoint())
    assert read_system(path, "multitask_st", "samu_slu").architecture == "samu_slu"
    with pytest.raises(CheckpointError, match="one of multitask_st or samu_xlsr, but is 'another'"):
        read_system(path, "multitask_st", "samu_xlsr")


@pytest.mark.parametrize(
    ("changed", "architecture", "message"),
    [
        ({}, "samu_xlsr_mbart", "one of samu_xlsr_mbart, but is 'another'"),
        ({"cfg": None}, "samu_slu", "one of samu_slu, but is 'another'"),
        ({"model": None}, "samu_slu", "one of samu_slu, but is 'another'"),
        ({"task_state": {}}, "samu_slu", "`vocabulary` must be in the checkpoint, but is 'missing'"),
        ({"task_state": None}, "samu_slu", "`vocabulary` must be in the checkpoint, but is 'missing'"),
    ],
)
def test_what_is_no_such_checkpoint(write, changed, architecture, message):
    path = write(checkpoint(**changed))
    with pytest.raises(CheckpointError, match=message) as caught:
        read_system(path, architecture)
    assert str(caught.value).startswith(str(path))
    assert f"--arch {architecture}" in str(caught.value)


def test_no_file(tmp_path):
    with pytest.raises(CheckpointError, match=r"must be a file, but is .*none\.pt"):
        read_system(tmp_path / "none.pt", "samu_slu")


def test_other_things_have_no_config():
    assert find_config({"weight": torch.ones(1)}, "samu_slu") is None
    assert find_config([1, 2], "samu_slu") is None
