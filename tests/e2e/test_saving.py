"""What goes wrong while saving leaves the last checkpoint whole; what is unsafe is not loaded."""

import os
import pickle
import resource
from pathlib import Path

import torch

from tests.e2e.training import Corpus, read_checkpoint, run, train_command


def limit_file_size(size: int) -> None:
    """As a full disk: no file of this process can grow beyond the size."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_full_disk_leaves_the_last_checkpoint_whole(corpus: Corpus, tmp_path: Path) -> None:
    run(train_command(corpus, tmp_path, max_update=4))
    before = (tmp_path / "checkpoint_last.pt").read_bytes()
    size = len(before) // 2
    output = run(train_command(corpus, tmp_path, max_update=8), expect=1, preexec_fn=lambda: limit_file_size(size))
    assert "The last checkpoint is whole" in output
    assert (tmp_path / "checkpoint_last.pt").read_bytes() == before
    assert not list(tmp_path.glob("*.partial"))
    run(train_command(corpus, tmp_path, max_update=8))
    assert read_checkpoint(tmp_path / "checkpoint_last.pt")["optimizer_history"][-1]["num_updates"] == 8


REFUSE_WRITES = """
import builtins, errno
real_open = builtins.open
def open_read_only(file, mode="r", *args, **kwargs):
    if "w" in mode and str(file).startswith({folder!r}) and not str(file).endswith("dummy"):
        raise PermissionError(errno.EROFS, "Read-only file system", str(file))
    return real_open(file, mode, *args, **kwargs)
builtins.open = open_read_only
"""


def test_a_folder_turned_read_only_leaves_the_last_checkpoint_whole(corpus: Corpus, tmp_path: Path) -> None:
    run(train_command(corpus, tmp_path, max_update=4))
    before = (tmp_path / "checkpoint_last.pt").read_bytes()
    prelude = REFUSE_WRITES.format(folder=str(tmp_path))
    output = run(train_command(corpus, tmp_path, max_update=8), prelude=prelude, expect=1)
    assert "Read-only file system" in output
    assert "The last checkpoint is whole" in output
    assert (tmp_path / "checkpoint_last.pt").read_bytes() == before


class Payload:
    """Runs a command where it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.target}",)


def test_a_malicious_checkpoint_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    poisoned = tmp_path / "poisoned.pt"
    torch.save({"model": {}, "args": Payload(trace)}, poisoned)
    output = run(train_command(corpus, tmp_path / "save", encoder_path=poisoned, encoder_config=None), expect=1)
    assert "CheckpointError" in output
    run(train_command(corpus, tmp_path / "save", restore_file=poisoned), expect=1)
    (tmp_path / "raw.pt").write_bytes(pickle.dumps(Payload(trace)))
    run(train_command(corpus, tmp_path / "save", encoder_path=tmp_path / "raw.pt", encoder_config=None), expect=1)
    assert not trace.exists()
