"""Which rows are used: languages, limits, shares that lie within each other, and the words for what is left out."""

import logging
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fairseq", reason="the options stand beside the host's data set")

from fairseq_samu.data.dataset_options import DatasetOptions
from fairseq_samu.data.manifest import read_manifest, write_manifest
from fairseq_samu.data.row_selection import leave_out, name_rows, select_rows
from fairseq_samu.errors import ManifestError

LANGUAGES = ["fr", "it", "fr", "es", "it", "fr", "fr", "it", "es", "fr"]


@pytest.fixture
def manifest(tmp_path):
    def make(languages=LANGUAGES, seconds=None):
        columns = ["id", "audio", "n_frames", *(["src_lang"] if languages[0] else [])]
        rows = [
            {"id": f"u{n}", "audio": f"{n}.wav", "n_frames": int(16000 * (seconds or [1.0] * 99)[n]), "src_lang": name}
            for n, name in enumerate(languages)
        ]
        write_manifest(tmp_path / "train.tsv", [{key: row[key] for key in columns} for row in rows], columns)
        return read_manifest(tmp_path / "train.tsv")

    return make


def select(manifest, rows=None, **options):
    options = {"training": True, "seed": 1, **options}
    rows = np.arange(len(manifest)) if rows is None else np.asarray(rows)
    return select_rows(manifest, DatasetOptions(audio_root=Path(manifest.path).parent, **options), rows).tolist()


@pytest.mark.parametrize("training", [True, False])
def test_rows_of_languages_in_their_order(manifest, training, caplog):
    with caplog.at_level(logging.INFO, "fairseq_samu"):
        assert select(manifest(), languages=("it", "es"), training=training) == [1, 3, 4, 7, 8]
    assert "5 of 10 rows are in it, es" in caplog.text
    assert select(manifest(), languages=(), training=training) == list(range(10))


def test_a_language_is_known_by_any_of_its_codes(manifest):
    table = manifest(["fra", "fr_XX", "ita", "fr"])
    assert select(table, languages=("fr",)) == [0, 1, 3]
    assert select(table, languages=("fr_XX",)) == [1]


def test_languages_of_which_there_is_no_row_are_named(manifest):
    with pytest.raises(ManifestError) as caught:
        select(manifest(), languages=("de", "nl"))
    assert "is 'de, nl' instead. The manifest has fr, it, es: change --languages." in str(caught.value)
    with pytest.raises(ManifestError, match="The manifest has no src_lang"):
        select(manifest([""] * 3), languages=("fr",))


def test_rows_are_chosen_from_those_given(manifest):
    assert select(manifest(), rows=[0, 1, 2], languages=("fr",)) == [0, 2]
    with pytest.raises(ManifestError, match="at least one"):
        select(manifest(), rows=[1, 4], languages=("fr",))


def test_limits_on_duration_hold_in_training_and_are_named(manifest, caplog):
    table = manifest(["fr"] * 4, [0.5, 1.0, 2.0, 9.0])
    limits = {"min_audio_seconds": 1.0, "max_audio_seconds": 2.0}
    assert select(table, **limits) == [1, 2], "both limits are within"
    assert "2 of 4 rows are left out of training" in caplog.text and "the first: u0, u3" in caplog.text
    assert select(table, **limits, training=False) == [0, 1, 2, 3]
    with pytest.raises(ManifestError, match="at least one"):
        select(table, min_audio_seconds=10.0)


@pytest.mark.parametrize("languages", [LANGUAGES * 5, [""] * 50], ids=["languages", "none"])
def test_a_smaller_share_is_part_of_every_greater_one(manifest, languages):
    table = manifest(languages)
    shares = [0.01, 0.05, 0.1, 0.25, 0.5, 0.9, 1.0]
    chosen = [select(table, train_share=share) for share in shares]
    for smaller, greater in pairwise(chosen):
        assert set(smaller) <= set(greater)
    assert all(rows == sorted(rows) for rows in chosen)
    assert chosen[-1] == list(range(50))
    assert len({len(rows) for rows in chosen}) >= 5
    by_language = np.asarray(languages)
    for share, rows in zip(shares, chosen, strict=True):
        for language in set(languages):
            count = (by_language[rows] == language).sum()
            assert count == max(1, round(share * (by_language == language).sum()))


def test_a_share_is_drawn_by_seed_and_repeats(manifest, caplog):
    table = manifest(["fr"] * 60)
    with caplog.at_level(logging.INFO, "fairseq_samu"):
        first = select(table, train_share=0.5)
    assert "30 of 60 rows are used (train_share 0.5)" in caplog.text
    assert first == select(table, train_share=0.5)
    assert first != select(table, train_share=0.5, seed=2)
    assert first != list(range(30))


def test_the_share_of_a_language_does_not_depend_on_the_others(manifest):
    table = manifest(LANGUAGES * 5)
    alone = select(table, train_share=0.3, languages=("fr",))
    both = select(table, train_share=0.3, languages=("fr", "it"))
    assert [row for row in both if LANGUAGES[row % 10] == "fr"] == alone


def seconds_of(rows, languages, seconds):
    """Seconds of the chosen rows by language, added up row by row."""
    sums = dict.fromkeys(languages, 0.0)
    for row in rows:
        sums[languages[row]] += seconds[row]
    return sums


@pytest.mark.parametrize("languages", [LANGUAGES * 5, [""] * 50], ids=["languages", "none"])
def test_fewer_minutes_are_part_of_more(manifest, languages):
    seconds = [1.0 + (7 * row) % 11 for row in range(50)]
    table = manifest(languages, seconds)
    whole = seconds_of(range(50), languages, seconds)
    wanted = [0.3, 0.5, 1.0, 2.0, 9.0]
    chosen = [select(table, train_minutes=minutes) for minutes in wanted]
    for smaller, greater in pairwise(chosen):
        assert set(smaller) < set(greater) or smaller == greater == list(range(50))
    assert all(rows == sorted(rows) for rows in chosen)
    assert chosen[-1] == list(range(50)), "more than there is: all"
    for minutes, rows in zip(wanted, chosen, strict=True):
        for language, used in seconds_of(rows, languages, seconds).items():
            full = min(60 * minutes, whole[language])
            assert full - 11 < used <= full, "whole rows, as many as fit; the longest has 11 s"


def test_minutes_are_drawn_by_seed_and_logged(manifest, caplog):
    table = manifest(["be"] * 60 + ["ro"] * 3, [2.0] * 63)
    with caplog.at_level(logging.INFO, "fairseq_samu"):
        first = select(table, train_minutes=1.0)
    assert "be 1.00 min in 30 of 60 rows, ro 0.10 min in all 3 rows are used" in caplog.text
    assert "(train_minutes 1)" in caplog.text
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        f"{table.path}: not 1 minutes: ro has 0.10"
    ]
    assert first == select(table, train_minutes=1.0) != select(table, train_minutes=1.0, seed=2)
    alone = select(table, train_minutes=1.0, languages=("be",))
    assert [row for row in first if row < 60] == alone, "a language does not depend on the others"
    assert alone == select(table, train_share=0.5, languages=("be",)), "drawn in the order of shares"
    assert len(select(table, train_minutes=0.01)) == 2, "one row of each language at least"
    within = {"min_audio_seconds": 1.0, "max_audio_seconds": 3.0}
    long_rows = manifest(["be"] * 4, [9.0, 2.0, 2.0, 0.5])
    assert select(long_rows, train_minutes=1.0, **within) == [1, 2], "rows outside the limits are not counted"


def test_texts_without_speech_have_no_minutes(tmp_path):
    columns = ["id", "src_text", "src_lang", "tgt_text", "tgt_lang"]
    rows = [dict(zip(columns, (f"p{row}", "a", "en", "b", "be"), strict=True)) for row in range(5)]
    write_manifest(tmp_path / "train.tsv", rows, columns)
    table = read_manifest(tmp_path / "train.tsv", required=columns)
    options = DatasetOptions(audio_root=tmp_path, training=True, train_minutes=0.1)
    assert select_rows(table, options, np.arange(5), by_duration=False).tolist() == list(range(5))


@pytest.mark.parametrize("less", [{"train_share": 0.1}, {"train_minutes": 0.05}], ids=["share", "minutes"])
def test_a_test_set_is_used_whole(manifest, less):
    assert select(manifest(), **less, training=False) == list(range(10))


def test_what_is_left_out_is_counted_and_named(manifest, caplog):
    table = manifest(["fr"] * 14)
    rows = np.arange(1, 14)
    assert leave_out(table, rows, np.zeros(13, dtype=bool), "because").tolist() == rows.tolist()
    assert not caplog.records
    assert leave_out(table, rows, rows > 2, "because").tolist() == [1, 2]
    assert "11 of 13 rows are left out of training, because; the first: u3, u4" in caplog.text
    assert name_rows(table, rows).count("u") == 10
