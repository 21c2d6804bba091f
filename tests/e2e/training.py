"""A small training run by the real command line, on rows of the embedded corpus, for the tests of this folder."""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from fairseq_samu.data.manifest import Row, read_manifest, write_manifest
from fairseq_samu.teachers.table_building import TableOptions, fill_table
from fairseq_samu.teachers.texts import normalise_text

ROOT = Path(__file__).parents[2]
PROMPTS = ROOT / "manifests" / "prompts"
COLUMNS = ["id", "audio", "n_frames", "src_text", "src_lang", "speaker", "parallel_id"]
ENCODER = {
    "family": "wav2vec2",
    "dim": 32,
    "ffn_dim": 64,
    "num_layers": 3,
    "num_heads": 4,
    "conv_layers": [[32, 10, 5], [32, 3, 2], [32, 3, 2], [32, 3, 2], [32, 3, 2], [32, 2, 2], [32, 2, 2]],
    "extractor_norm": "layer",
    "pre_norm": True,
    "normalize": True,
    "conv_pos": 16,
    "conv_pos_groups": 4,
}


class HashingTeacher:
    """A sentence encoder for tests: each text's vector is drawn from a hash of the text."""

    dim = 16
    fingerprint = "hashing-teacher"

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}

    def encode(self, texts: list[str]) -> np.ndarray:
        """One vector a text, (B, 16) float32."""
        seeds = [int.from_bytes(text.encode()[:8].ljust(8, b"."), "big") for text in texts]
        return np.stack([np.random.default_rng(seed).standard_normal(self.dim) for seed in seeds]).astype(np.float32)


@dataclass
class Corpus:
    """Manifests and a teacher table of a few rows of the embedded corpus.

    Attributes:
        folder: where train.tsv, valid.tsv and the table ``teacher`` lie.
        rows: the chosen rows by split.
    """

    folder: Path
    rows: dict[str, list[Row]] = field(default_factory=dict)


def row_fields(row: Row) -> dict[str, object]:
    """A manifest's columns of a row."""
    return {name: getattr(row, name) for name in COLUMNS}


def make_corpus(folder: Path, counts: dict[str, int]) -> Corpus:
    """Take rows of the embedded corpus, from about a second up, in all its languages by turns."""
    corpus = Corpus(folder)
    texts: dict[str, bool] = {}
    for split, count in counts.items():
        manifest = read_manifest(PROMPTS / f"{split}.tsv")
        lengths = np.asarray(manifest.n_frames)
        order = [index for index in np.argsort(lengths, kind="stable") if lengths[index] >= 14000]
        rows = [manifest[int(index)] for index in order[:count]]
        write_manifest(folder / f"{split}.tsv", [row_fields(row) for row in rows], COLUMNS)
        corpus.rows[split] = rows
        texts |= {normalise_text(row.src_text or ""): split == "train" for row in rows}
    fill_table(folder / "teacher", texts, HashingTeacher(), TableOptions(teacher="hashing"))
    return corpus


def train_command(corpus: Corpus, save_dir: Path, **changed: object) -> list[str]:
    """Arguments of fairseq-train after the program; ``None`` removes an option, True makes it a flag."""
    options: dict[str, object] = {
        "user_dir": ROOT / "fairseq_samu",
        "task": "samu_distill",
        "audio_root": PROMPTS,
        "teacher_table": corpus.folder / "teacher",
        "arch": "samu_xlsr",
        "encoder_config": json.dumps(ENCODER),
        "criterion": "cosine_kd",
        "optimizer": "adam",
        "adam_betas": "(0.9, 0.98)",
        "weight_decay": 0.01,
        "lr": 0.001,
        "lr_scheduler": "fixed",
        "batch_size": 4,
        "max_update": 12,
        "save_interval_updates": 2,
        "keep_interval_updates": 1,
        "no_epoch_checkpoints": True,
        "save_dir": save_dir,
        "log_format": "json",
        "log_interval": 1,
        "num_workers": 0,
        "cpu": True,
        "seed": 7,
    }
    options |= changed
    command = [str(corpus.folder)]
    for name, value in options.items():
        if value is None or value is False:
            continue
        command.append(f"--{name.replace('_', '-')}")
        if value is not True:
            command.append(str(value))
    return command


def environment() -> dict[str, str]:
    """Environment of a run: one thread, so that sums come out the same."""
    kept = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    return {**os.environ, **kept, "PYTHONPATH": str(ROOT)}


def start(command: list[str], prelude: str = "", **popen: object) -> subprocess.Popen:
    """Start fairseq-train in a process of its own; ``prelude`` is Python run before it."""
    code = f"import sys\n{prelude}\nfrom fairseq_cli.train import cli_main\nsys.exit(cli_main())"
    return subprocess.Popen(
        [sys.executable, "-c", code, *command],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **popen,  # type: ignore[call-overload]
    )


def finish_workers(workers: list[subprocess.Popen]) -> list[str]:
    """Wait for the workers of one training and return what each printed.

    All have done their work where the first has ended well, since it needs the others' gradients and writes the
    checkpoint last. Another one may then be aborted by gloo's threads while its interpreter shuts down, which is let
    pass.
    """
    outputs = [worker.communicate(timeout=300)[0] for worker in workers]
    for worker, output in zip(workers, outputs, strict=True):
        torn_down = output.rstrip().endswith("terminate called without an active exception")
        allowed = (0, -signal.SIGABRT) if torn_down and worker is not workers[0] else (0,)
        assert worker.returncode in allowed, "".join(text[-3000:] for text in outputs)
    return outputs


def run(command: list[str], prelude: str = "", expect: int | None = 0, **popen: object) -> str:
    """Run fairseq-train to its end and return what it printed."""
    process = start(command, prelude, **popen)
    output, _ = process.communicate(timeout=300)
    assert expect is None or process.returncode == expect, output[-4000:]
    return output


def kill_after(command: list[str], update: int, delay: float) -> None:
    """Kill a run by signal 9, a moment after it logged an update."""
    process = start(command)
    assert process.stdout is not None
    for line in process.stdout:
        if f'"train_num_updates": "{update}"' in line or f'"num_updates": "{update}"' in line:
            break
    time.sleep(delay)
    process.kill()
    process.communicate()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def logged(output: str, key: str) -> list[float]:
    """All values of a key in the JSON lines of a log; what has no value at the time is left out."""
    values = []
    for line in output.splitlines():
        if "{" in line:
            try:
                entry = json.loads(line[line.index("{") :])
            except ValueError:
                continue
            if isinstance(entry, dict) and entry.get(key) is not None:
                values.append(float(entry[key]))
    return values


def read_checkpoint(path: Path) -> dict:
    """A checkpoint's dictionary, read without running what it may hold."""
    with torch.serialization.safe_globals([argparse.Namespace]):
        return torch.load(path, map_location="cpu", weights_only=True)


def tensors_of(value: object, prefix: str = "") -> dict[str, torch.Tensor]:
    """All tensors of nested dictionaries and lists by their path."""
    if isinstance(value, torch.Tensor):
        return {prefix: value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    return {path: tensor for key, item in items for path, tensor in tensors_of(item, f"{prefix}/{key}").items()}


def assert_same_state(first: Path, second: Path) -> None:
    """Model and optimizer of two checkpoints are equal to the last bit."""
    one, two = read_checkpoint(first), read_checkpoint(second)
    for part in ("model", "last_optimizer_state"):
        left, right = tensors_of(one[part]), tensors_of(two[part])
        assert left.keys() == right.keys()
        assert len(left) > 10
        unequal = [path for path in left if not torch.equal(left[path], right[path])]
        assert not unequal, f"{part}: {unequal[:5]}"
