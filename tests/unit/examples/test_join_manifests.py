"""Corpora joined into one manifest: every row, with a path that leads to its recording."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from fairseq_samu.data.audio import read_audio
from fairseq_samu.data.manifest import read_manifest, write_manifest
from fairseq_samu.errors import ManifestError
from tests.contract.source_tree import ROOT


@pytest.fixture(scope="module")
def joining():
    sys.path.insert(0, str(ROOT / "examples/samu_slu/paper"))
    try:
        yield importlib.import_module("join_manifests")
    finally:
        sys.path.pop(0)


def make_corpus(folder: Path, language: str, level: float, extra: str = "") -> Path:
    folder.mkdir(parents=True)
    soundfile.write(folder / "a.wav", np.full(1600, level, dtype=np.float32), 16000)
    cells = {"id": "1", "audio": "a.wav", "n_frames": 1600, "src_lang": language, "tgt_text": "<n> x >"}
    cells |= {extra: "more"} if extra else {}
    for split in ("train", "valid", "test"):
        write_manifest(folder / f"{split}.tsv", [cells, {**cells, "id": "2"}], list(cells))
    return folder


def test_rows_of_all_corpora_lead_to_their_recordings(joining, tmp_path):
    corpora = [make_corpus(tmp_path / "media", "fr", 0.25), make_corpus(tmp_path / "deep/taric", "aeb", 0.5, "city")]
    assert joining.join(corpora, tmp_path / "joined") == {"train": 4, "valid": 4, "test": 4}
    for split in ("train", "valid", "test"):
        manifest = read_manifest(tmp_path / "joined" / f"{split}.tsv")
        assert [row.id for row in manifest] == ["media-1", "media-2", "taric-1", "taric-2"]
        assert [row.src_lang for row in manifest] == ["fr", "fr", "aeb", "aeb"]
        assert manifest[0].tgt_text == "<n> x >"
        assert [row.extra["city"] for row in manifest] == ["", "", "more", "more"]
        levels = [read_audio(row.audio, tmp_path / "joined").mean() for row in manifest]
        assert levels == pytest.approx([0.25, 0.25, 0.5, 0.5], abs=1e-3)


def test_a_corpus_without_a_split_is_named(joining, tmp_path):
    corpus = make_corpus(tmp_path / "media", "fr", 0.25)
    (corpus / "valid.tsv").unlink()
    with pytest.raises(ManifestError, match=r"valid\.tsv"):
        joining.join([corpus], tmp_path / "joined")
