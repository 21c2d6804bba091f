"""Files are replaced in one step or not at all."""

import shutil

import pytest
import torch

from fairseq_samu.checkpoints.saving import copy_whole, save_whole
from fairseq_samu.errors import CheckpointError


def test_copy_replaces_the_destination(tmp_path):
    source, destination = tmp_path / "a.pt", tmp_path / "b.pt"
    source.write_bytes(b"new")
    destination.write_bytes(b"old")
    assert copy_whole(str(source), str(destination), overwrite=True) == str(destination)
    assert destination.read_bytes() == b"new"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.pt", "b.pt"]


def test_copy_without_overwrite_leaves_the_destination(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"new")
    (tmp_path / "b.pt").write_bytes(b"old")
    assert not copy_whole(str(tmp_path / "a.pt"), str(tmp_path / "b.pt"))
    assert (tmp_path / "b.pt").read_bytes() == b"old"


def test_a_copy_that_fails_leaves_the_destination(tmp_path, monkeypatch):
    (tmp_path / "a.pt").write_bytes(b"new")
    (tmp_path / "b.pt").write_bytes(b"old")

    def fail(source, destination):
        destination.write_bytes(b"ha")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", fail)
    with pytest.raises(CheckpointError, match="No space left"):
        copy_whole(str(tmp_path / "a.pt"), str(tmp_path / "b.pt"), overwrite=True)
    assert (tmp_path / "b.pt").read_bytes() == b"old"
    assert not list(tmp_path.glob("*.partial"))


def test_saving_round_trip_and_failure(tmp_path, monkeypatch):
    path = tmp_path / "c.pt"
    save_whole({"x": torch.arange(3)}, str(path))
    before = path.read_bytes()
    assert torch.load(path, weights_only=True)["x"].tolist() == [0, 1, 2]

    def fail(state, file):
        file.write(b"half")
        raise RuntimeError("PytorchStreamWriter failed writing file")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(CheckpointError, match="The last checkpoint is whole"):
        save_whole({"x": torch.arange(4)}, str(path))
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.pt"]
