"""The corpus in the repository is sound: counts, splits, and every sample of its recordings."""

import json
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from fairseq_samu.data.audio import audio_samples, read_audio
from fairseq_samu.data.corpora.splits import text_key
from fairseq_samu.data.corpora.writer import check_splits, finished
from fairseq_samu.data.manifest import read_manifest

FOLDER = Path(__file__).parents[4] / "manifests" / "prompts"
LANGUAGES = {"en", "es", "fr", "it", "ru"}
HELD_OUT = {"test": 86, "valid": 40}


@pytest.fixture(scope="module")
def tables():
    return {split: list(read_manifest(FOLDER / f"{split}.tsv")) for split in ("train", "valid", "test")}


def test_files_are_those_that_were_prepared():
    record = json.loads((FOLDER / "prepared.json").read_text(encoding="utf-8"))
    summary = finished(FOLDER, "prompts", record["settings"])
    assert summary is not None
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert summary.table() in readme
    assert all(digest in readme for digest in record["files"].values())


def test_archive_is_small_and_stored():
    assert (FOLDER / "audio.zip").stat().st_size < 20e6
    with zipfile.ZipFile(FOLDER / "audio.zip") as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_counts(tables):
    for split, items in HELD_OUT.items():
        assert Counter(row.src_lang for row in tables[split]) == dict.fromkeys(LANGUAGES, items)
    train = Counter(row.src_lang for row in tables["train"])
    assert set(train) == LANGUAGES
    assert min(train.values()) >= 320
    minutes = sum(row.n_frames for rows in tables.values() for row in rows) / 16000 / 60
    assert 105 < minutes < 115


def test_splits_go_by_what_is_said(tables):
    items = {split: {row.parallel_id for row in rows} for split, rows in tables.items()}
    assert not items["test"] & items["valid"]
    assert not items["train"] & (items["test"] | items["valid"])
    for split, count in HELD_OUT.items():
        assert len(items[split]) == count
        for lang in LANGUAGES:
            assert len({text_key(row.src_text) for row in tables[split] if row.src_lang == lang}) == count
    ids = Counter(row.id for rows in tables.values() for row in rows)
    assert set(ids.values()) == {1}


def test_no_text_leaks():
    check_splits(FOLDER)


def test_texts_hold_every_text(tables):
    table = read_manifest(FOLDER / "texts.tsv", required=("parallel_id", "lang", "text", "split"))
    texts = {(row.parallel_id, row.extra["lang"]): (row.extra["text"], row.extra["split"]) for row in table}
    assert len(texts) == len(table)
    for split, rows in tables.items():
        for row in rows:
            assert texts[row.parallel_id, row.src_lang] == (row.src_text, split)
            assert texts[row.parallel_id, "en"] == (row.tgt_text, split)


def test_recordings_decode_and_are_as_long_as_stated(tables):
    for split, rows in tables.items():
        for row in rows:
            assert audio_samples(row.audio, FOLDER) == row.n_frames, row.id
        for row in rows[:: max(1, len(rows) // 40)]:
            wave = read_audio(row.audio, FOLDER, where=f"{split}.tsv:{row.line}")
            assert len(wave) == row.n_frames
            assert 0.02 < abs(wave).max() <= 1.0


def test_papers_are_there():
    licence = (FOLDER / "LICENSE.txt").read_text(encoding="utf-8")
    assert "CC-BY-SA-3.0\n====" in licence
    assert "CC-BY-3.0\n====" in licence
    thanks = (FOLDER / "CREDITS.txt").read_text(encoding="utf-8")
    for name in ("Allison Smith", "June Wallack", "Carlo Flora", "Maxim Topal"):
        assert name in thanks
