"""Training and decoding of understanding by the real command line, on rows of the embedded corpus tagged by rule."""

import importlib
import logging
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from unittest import mock

import torch

import fairseq_samu
from fairseq_samu.concepts import escape
from fairseq_samu.data.concept_vocabulary import ConceptVocabulary
from fairseq_samu.data.manifest import read_manifest, write_manifest
from tests.e2e.training import COLUMNS, PROMPTS, ROOT, Corpus, make_corpus, read_checkpoint, row_fields, train_command

ANNOTATED = [*COLUMNS, "tgt_text"]
SIZES = {"lstm_dim": 16, "num_lstm_layers": 2, "slu_hidden_dim": 16}
WHISPER = {"family": "whisper", "dim": 32, "ffn_dim": 64, "num_layers": 2, "num_heads": 4}


def annotate_words(text: str) -> str:
    """Put the first word of a text into one concept, and the last into another."""
    first, *others = text.split()
    words = [f"<word-first> {escape(first)} >", *map(escape, others)]
    if others:
        words[-1] = f"<word-last> {words[-1]} >"
    return " ".join(words)


def annotate(path: Path) -> list[str]:
    """Add annotations to the rows of a manifest; their texts."""
    rows = [{**row_fields(row), "tgt_text": annotate_words(str(row.src_text))} for row in read_manifest(path)]
    write_manifest(path, rows, ANNOTATED)
    return [str(row["tgt_text"]) for row in rows]


def make_dual_corpus(folder: Path, counts: dict[str, int]) -> Corpus:
    """Annotated manifests with the teacher's table and the file of labels."""
    corpus = make_corpus(folder, counts)
    texts = [text for split in counts for text in annotate(folder / f"{split}.tsv")]
    ConceptVocabulary.from_texts(texts).save(folder / "labels.txt")
    return corpus


def dual_command(corpus: Corpus, save_dir: Path, **changed: object) -> list[str]:
    """Arguments of fairseq-train after the program, as :func:`tests.e2e.training.train_command` takes them."""
    options = {"task": "dual_slu", "arch": "samu_slu", "criterion": "dual_slu", "slu_weight": 5.0, **SIZES}
    return train_command(corpus, save_dir, **{**options, **changed})


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        self.text += f"{record.getMessage()}\n"


def run_here(program: str, command: list[str]) -> str:
    """Run a program of the host by its own command line in this process, which saves its start; what it wrote."""
    fairseq_samu.register()  # --user-dir does not, where another test imported the package before the host
    module = importlib.import_module(f"fairseq_cli.{program}")
    lines, output, threads = Lines(), StringIO(), torch.get_num_threads()
    root = logging.getLogger()
    level = root.level
    root.addHandler(lines)
    root.setLevel(logging.INFO)
    torch.set_num_threads(1)
    try:
        with mock.patch.object(sys, "argv", [f"fairseq-{program}", *command]), redirect_stdout(output):
            module.cli_main()
    finally:
        torch.set_num_threads(threads)
        root.setLevel(level)
        root.removeHandler(lines)
    return output.getvalue() + lines.text


def train_here(corpus: Corpus, save_dir: Path, **changed: object) -> tuple[dict, str]:
    """Train in this process; the last checkpoint and the log."""
    log = run_here("train", dual_command(corpus, save_dir, **changed))
    return read_checkpoint(save_dir / "checkpoint_last.pt"), log


def generate_command(folder: Path, checkpoint: Path, subset: str = "test", **changed: object) -> list[str]:
    """Arguments of fairseq-generate after the program."""
    options: dict[str, object] = {"user_dir": ROOT / "fairseq_samu", "task": "dual_slu", "audio_root": PROMPTS}
    options |= {"path": checkpoint, "gen_subset": subset, "batch_size": 5, "num_workers": 0, "cpu": True, **changed}
    words = [str(folder)]
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return words


def lines_of(output: str, kind: str) -> dict[int, str]:
    """Texts of the T-, H- or D- lines of fairseq-generate by row."""
    rows = [line.split("\t") for line in output.splitlines() if line.startswith(f"{kind}-")]
    found = {int(cells[0][2:]): cells[-1] for cells in rows}
    assert len(found) == len(rows), "a row was written twice"
    return found


def make_talkative(path: Path, tag_bonus: float = 0.0) -> None:
    """Give the tagging head random weights that write something, tags included, in a few frames."""
    checkpoint = read_checkpoint(path)
    weights, labels = checkpoint["model"], labels_of(checkpoint)
    generator = torch.Generator().manual_seed(0)
    for name in weights:
        if name.startswith("slu_head.") and weights[name].dim() > 1:
            weights[name] = torch.randn(weights[name].shape, generator=generator) * 0.8
    weights["slu_head.output.bias"][[labels.blank, *labels.tag_ids, labels.close_id]] += 1.0
    weights["slu_head.output.bias"][[*labels.tag_ids]] += tag_bonus
    torch.save(checkpoint, path)


def labels_of(checkpoint: dict) -> ConceptVocabulary:
    """Labels that a checkpoint holds."""
    labels = ConceptVocabulary()
    labels.load_state_dict(checkpoint["task_state"]["vocabulary"])
    return labels
