"""Filling a table survives what can happen to a process: SIGKILL at any time, and what that leaves behind."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from fairseq_samu.errors import TeacherError
from fairseq_samu.teachers.table import EmbeddingTable
from fairseq_samu.teachers.table_building import TableOptions, fill_table

OPTIONS = TableOptions("fake", dtype="float16", center=True, shard_size=8, batch_size=4)
TEXTS = {f"text number {n}": n % 3 > 0 for n in range(200)}

SLOW_WRITER = """
import sys, time
import numpy as np
from pathlib import Path
from fairseq_samu.teachers.table_building import TableOptions, fill_table

class Slow:
    dim, fingerprint, versions = 32, "slow", {}
    def encode(self, texts):
        time.sleep(float(sys.argv[2]))
        return np.array([[(len(t) * 7 + ord(t[-1]) * d) % 101 for d in range(32)] for t in texts], dtype=np.float32)

texts = {f"text number {n}": n % 3 > 0 for n in range(200)}
fill_table(Path(sys.argv[1]), texts, Slow(), TableOptions("slow", center=True, shard_size=8, batch_size=4))
"""


def contents(directory) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.name != ".lock"}


def start_writer(directory, seconds):
    return subprocess.Popen([sys.executable, "-c", SLOW_WRITER, str(directory), str(seconds)])


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_run_and_its_continuation_leave_the_bytes_of_one_run(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert start_writer(whole, 0).wait(timeout=60) == 0
    kills = 0
    for shards in (1, 5, 12, 20):
        process = start_writer(broken, 0.01)
        deadline = time.monotonic() + 30
        while len(list(broken.glob("keys-*.npy"))) < shards and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.003 * shards)  # the kill lands at different places of the loop
        process.send_signal(signal.SIGKILL)
        kills += process.wait(timeout=30) == -signal.SIGKILL
        with pytest.raises(TeacherError, match="unfinished"):
            EmbeddingTable.open(broken)
    assert kills == 4
    assert start_writer(broken, 0).wait(timeout=60) == 0
    assert contents(broken) == contents(whole)
    assert len(EmbeddingTable.open(broken)) == 200


@pytest.mark.parametrize("calls", [0, 7, 26, 49])
def test_an_exception_at_any_batch_leaves_a_table_that_goes_on(tmp_path, make_teacher, calls):
    class Stops(type(make_teacher())):
        def encode(self, texts):
            if len(self.batches) == calls:
                raise KeyboardInterrupt
            return super().encode(texts)

    fill_table(tmp_path / "whole", TEXTS, make_teacher(), OPTIONS)
    with pytest.raises(KeyboardInterrupt):
        fill_table(tmp_path / "broken", TEXTS, Stops(), OPTIONS)
    again = make_teacher()
    fill_table(tmp_path / "broken", TEXTS, again, OPTIONS)
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")
    assert sum(map(len, again.batches)) == 200 - calls // 2 * 8  # whole shards are kept


def test_leftovers_of_a_kill_are_swept(tmp_path, make_teacher):
    fill_table(tmp_path / "whole", TEXTS, make_teacher(), OPTIONS)
    fill_table(tmp_path / "broken", TEXTS, make_teacher(), OPTIONS)
    directory = tmp_path / "broken"
    (directory / ".embeddings-00009.npy.123.tmp").write_bytes(b"half")
    (directory / "keys-00024.npy").unlink()  # vectors without keys: killed between the two
    (directory / "mean.npy").unlink()
    fill_table(directory, TEXTS, make_teacher(), OPTIONS)
    assert contents(directory) == contents(tmp_path / "whole")


def test_a_kill_between_the_record_and_the_mean(tmp_path, make_teacher, monkeypatch):
    from fairseq_samu.teachers import table_building

    fill_table(tmp_path / "whole", TEXTS, make_teacher(), OPTIONS)
    real = table_building.write_array

    def write(path, array):
        if path.name == "mean.npy":
            raise KeyboardInterrupt
        real(path, array)

    monkeypatch.setattr(table_building, "write_array", write)
    with pytest.raises(KeyboardInterrupt):
        fill_table(tmp_path / "broken", TEXTS, make_teacher(), OPTIONS)
    monkeypatch.undo()
    fill_table(tmp_path / "broken", TEXTS, make_teacher(), OPTIONS)
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")


def test_a_full_disk_leaves_what_was_there(tmp_path, make_teacher, monkeypatch):
    directory = tmp_path / "table"
    fill_table(directory, TEXTS, make_teacher(), OPTIONS)
    before = contents(directory)

    def full(stream, array):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="No space left"):
        fill_table(directory, {**TEXTS, "new": False}, make_teacher(), OPTIONS)
    monkeypatch.undo()
    after = contents(directory)
    assert {name: value for name, value in after.items() if name != "meta.json"} == {
        name: value for name, value in before.items() if name != "meta.json"
    }
    fill_table(directory, TEXTS, make_teacher(), OPTIONS)
    assert contents(directory) == before
