"""The length adapter alone tuned on one language, and another one decoded with it, by the real command line.

The sixth recipe of arXiv:2410.13445: the adapter of a pivot language serves a related one whose speech it never heard.
"""

import random
from pathlib import Path

import pytest
import torch

from fairseq_samu.data.manifest import read_manifest, write_manifest
from tests.e2e.training import COLUMNS, assert_same_state, kill_after, logged, read_checkpoint, row_fields, run
from tests.e2e.translation import (
    TranslationCorpus,
    choose_rows,
    generate,
    make_translation_corpus,
    translation_command,
)

pytest.importorskip("transformers", reason="writes the initial files")
pytestmark = pytest.mark.slow

PIVOT = "es"
OPTIONS = {
    "tasks": "asr",
    "adapter_dim": None,
    "num_length_adapter_layers": 1,
    "length_adapter_kind": "conformer",
    "length_adapter_stride": 4,
    "length_adapter_heads": 4,
    "length_adapter_dropout": 0.2,
    "tuned_groups": "length_adapter",
    "languages": PIVOT,
    "lr": 0.01,
    "max_update": 14,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> TranslationCorpus:
    """Transcripts of several languages, with a tiny model's initial files, which have no length adapter."""
    corpus = make_translation_corpus(tmp_path_factory.mktemp("corpus"), {"train": 1, "valid": 1, "test": 1})
    for split, count in {"train": 60, "valid": 20, "test": 20}.items():
        write_manifest(corpus.folder / f"{split}.tsv", [row_fields(row) for row in choose_rows(split, count)], COLUMNS)
    return corpus


def test_one_language_tunes_it_and_all_are_decoded(corpus: TranslationCorpus, tmp_path: Path) -> None:
    """Killed in the middle it ends in the same bits; whatever else there is keeps those of its files."""
    output = run(translation_command(corpus, tmp_path / "untouched", **OPTIONS))
    table = [line.split() for line in output.partition("\ngroup ")[2].partition("\nall ")[0].splitlines()[1:]]
    assert [line[0] for line in table if line[2] == "tuned"] == ["length_adapter"]
    losses = logged(output, "train_loss")
    assert losses[-1] < losses[0]
    command = translation_command(corpus, tmp_path / "killed", **OPTIONS)
    kill_after(command, random.Random(3).randrange(4, 10), 0.05)
    run(command)
    last = tmp_path / "killed" / "checkpoint_last.pt"
    assert_same_state(tmp_path / "untouched" / "checkpoint_last.pt", last)
    state, start = (read_checkpoint(path)["model"] for path in (last, run_start(corpus, tmp_path / "start")))
    changed = {name for name, tensor in state.items() if not torch.equal(tensor, start[name])}
    resting = {"length_adapter.layers.0.self_attn.k_proj.bias"}  # shifts all scores of a query alike
    assert changed | resting == {name for name in state if name.startswith("length_adapter.")}
    languages = [row.src_lang for row in read_manifest(corpus.folder / "test.tsv")]
    assert len({*languages} - {PIVOT}) > 1
    written = generate(corpus.folder, last, tasks="asr", beam=2, batch_size=6, max_len_b=10)
    rows = [int(line.split("\t")[0][2:]) for line in written.splitlines() if line.startswith("D-")]
    assert sorted(rows) == list(range(len(languages)))


def run_start(corpus: TranslationCorpus, folder: Path) -> Path:
    """A checkpoint of the same run before anything has moved."""
    run(translation_command(corpus, folder, **{**OPTIONS, "max_update": 1, "lr": 0.0, "disable_validation": True}))
    return folder / "checkpoint_last.pt"
