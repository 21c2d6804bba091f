"""`fairseq-samu retrieve` on precomputed embeddings of a few rows of the embedded corpus."""

import json
from pathlib import Path

import numpy as np
import pytest

from fairseq_samu.cli.main import main
from fairseq_samu.data.manifest import read_manifest, write_manifest
from fairseq_samu.teachers.table import EmbeddingTable
from fairseq_samu.teachers.table_building import TableOptions, fill_table
from fairseq_samu.teachers.texts import normalise_text

PROMPTS = Path(__file__).parents[3] / "manifests" / "prompts"
COLUMNS = ["id", "audio", "n_frames", "src_text", "src_lang", "parallel_id"]


class CountingTeacher:
    """Gives every text a direction of its own."""

    dim, fingerprint = 64, "counting"

    def __init__(self):
        self.versions = {}
        self.given = 0

    def encode(self, texts):
        vectors = np.eye(self.dim, dtype=np.float32)[self.given : self.given + len(texts)]
        self.given += len(texts)
        return vectors


@pytest.fixture
def folder(tmp_path):
    rows = [row for row in read_manifest(PROMPTS / "test.tsv") if row.src_lang in ("fr", "en")]
    keys = sorted({row.parallel_id for row in rows})[:20]
    rows = [row for row in rows if row.parallel_id in keys]
    write_manifest(tmp_path / "test.tsv", [{name: getattr(row, name) for name in COLUMNS} for row in rows], COLUMNS)
    texts = dict.fromkeys((normalise_text(row.src_text) for row in rows), True)
    fill_table(tmp_path / "teacher", texts, CountingTeacher(), TableOptions(teacher="counting"))
    table = EmbeddingTable.open(tmp_path / "teacher")
    np.save(tmp_path / "speech.npy", table.lookup([row.src_text for row in rows]))
    return tmp_path


def retrieve(folder, *more):
    options = ["--manifest", str(folder / "test.tsv"), "--embeddings", str(folder / "speech.npy")]
    return main(["retrieve", *options, "--teacher-table", str(folder / "teacher"), *more])


def test_json_as_other_programs_rely_on_it(folder, capsys):
    assert retrieve(folder, "--json", "-", "--neighbours", str(folder / "n.json")) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert set(result["pairs"]) == {"en-en", "en-fr", "fr-en", "fr-fr"}
    assert {"r1", "r5", "r10", "mrr", "pool", "chance_r1"} <= set(result["pairs"]["fr-en"])
    assert result["pairs"]["fr-fr"]["r1"] == 100.0
    # across languages all texts are equally far, and ties count against the model
    assert result["pairs"]["fr-en"]["r1"] == 0.0
    assert result["teacher_topline"]["pairs"]["en-en"]["r1"] == 100.0
    assert result["speech_to_speech"]["pairs"]["fr-en"]["queries"] == 20
    assert "mean speech to text" in printed.err
    signature = result["signature"]
    assert signature["teacher"] == EmbeddingTable.open(folder / "teacher").fingerprint
    assert {"fairseq-samu", "torch", "numpy", "model", "manifest", "texts"} <= set(signature)
    recordings = json.loads((folder / "n.json").read_text("utf-8"))["recordings"]
    assert len(recordings) == 40
    assert recordings[0]["found"][recordings[0]["lang"]][0]["right"] is True


def test_languages_and_heat_map(folder):
    target = folder / "out.json"
    chosen = ["--text-languages", "en", "--heat-map", str(folder / "map.svg")]
    assert retrieve(folder, "--json", str(target), *chosen) == 0
    assert set(json.loads(target.read_text())["pairs"]) == {"en-en", "fr-en"}
    assert (folder / "map.svg").read_text().startswith("<svg")


def test_faults_are_one_message(folder, capsys):
    assert retrieve(folder, "--text-languages", "xx") == 1
    assert "`texts` must be at least one" in capsys.readouterr().err
    np.save(folder / "speech.npy", np.ones((3, 64), np.float32))
    assert retrieve(folder) == 1
    assert "`embeddings` must be an array of 40 rows" in capsys.readouterr().err
    np.save(folder / "speech.npy", np.full((40, 64), np.nan, np.float32))
    assert retrieve(folder) == 1
    assert "finite" in capsys.readouterr().err


def test_a_result_is_whole_or_absent(folder, monkeypatch):
    """A kill while it is written must not leave half a file, which a script would take for a finished stage."""
    target = folder / "new" / "out.json"

    def break_off(path, text, *_):
        path.write_bytes(text[: len(text) // 2].encode())
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", break_off)
        assert retrieve(folder, "--json", str(target)) != 0
    assert list(target.parent.iterdir()) == []
    assert retrieve(folder, "--json", str(target)) == 0
    assert json.loads(target.read_text("utf-8"))["mean"]
