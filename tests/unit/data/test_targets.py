"""What the decoder learns to write for a row, by task, and the errors where a manifest does not say it."""

import numpy as np
import pytest

pytest.importorskip("fairseq", reason="the vocabulary is the host's kind")

from fairseq_samu.data.language_tags import look_up_tag
from fairseq_samu.data.manifest import read_manifest, write_manifest
from fairseq_samu.data.targets import SourceTexts, TargetTexts, required_columns
from fairseq_samu.errors import ManifestError


def row(name, audio, said, written, language):
    columns = {"id": name, "audio": audio, "n_frames": 100, "src_text": said, "src_lang": "cs"}
    return {**columns, "tgt_text": written, "tgt_lang": language}


ROWS = [
    row("1", "a.wav", "ano", "yes", "en"),
    row("2", "a.wav", "ano", "ja", "de"),
    row("3", "b.wav", "ne", "no", "en"),
]
TAGS = {"en": 10, "de": 11, "cs": 12}


class FakeVocabulary:
    pad = 1
    unk = 3

    def tag(self, language):
        return look_up_tag(TAGS, language)

    def encode(self, text, language=None):
        tag = [] if language is None else [self.tag(language)]
        return np.array([*tag, *map(ord, text.strip("#")), 2])


@pytest.fixture
def manifest(tmp_path):
    def make(rows=ROWS, columns=tuple(ROWS[0])):
        write_manifest(tmp_path / "rows.tsv", [{c: row[c] for c in columns} for row in rows], columns)
        return read_manifest(tmp_path / "rows.tsv")

    return make


def test_translation_and_transcript(manifest):
    rows = manifest()
    translation, transcript = (TargetTexts(rows, FakeVocabulary(), task) for task in ("st", "asr"))
    assert translation.tokens(1).tolist() == [11, ord("j"), ord("a"), 2]
    assert (translation.tag(1), transcript.tag(1)) == (11, 12)
    assert transcript.tokens(2).tolist() == [12, ord("n"), ord("e"), 2]


def test_a_recording_is_transcribed_once_and_translated_into_each_language(manifest):
    rows = manifest()
    assert TargetTexts(rows, FakeVocabulary(), "st").distinct_recordings().tolist() == [0, 1, 2]
    assert TargetTexts(rows, FakeVocabulary(), "asr").distinct_recordings().tolist() == [0, 2]


def test_one_language_for_all_rows(manifest):
    rows = manifest(columns=("id", "audio", "n_frames"))
    texts = TargetTexts(rows, FakeVocabulary(), "st", language="de")
    assert texts.tag(0) == 11
    assert texts.tokens(0) is None


def test_a_language_without_a_tag_is_named_once_with_its_first_row(manifest):
    rows = manifest([{**ROWS[0], "tgt_lang": "be"}, ROWS[1], {**ROWS[2], "tgt_lang": "be"}])
    with pytest.raises(ManifestError) as caught:
        TargetTexts(rows, FakeVocabulary(), "st")
    assert str(caught.value).count("rows.tsv:2:") == 1
    assert "--added-languages be=RELATIVE" in str(caught.value)
    assert TargetTexts(rows, FakeVocabulary(), "asr").tag(0) == 12


def test_what_is_no_language_cannot_be_added(manifest):
    with pytest.raises(ManifestError, match="`en_XX`") as caught:
        TargetTexts(manifest([{**ROWS[0], "tgt_lang": "english"}]), FakeVocabulary(), "st")
    assert "--added-languages" not in str(caught.value)


def test_an_empty_text_is_named(manifest):
    texts = TargetTexts(manifest([{**ROWS[0], "tgt_text": " "}]), FakeVocabulary(), "st")
    with pytest.raises(ManifestError, match=r"rows.tsv:2: `tgt_text` must be filled in every row"):
        texts.tokens(0)


def test_texts_beyond_the_decoders_positions_are_named_all_at_once(manifest):
    rows = [
        {**ROWS[0], "tgt_text": "x" * 12},
        ROWS[1],
        {**ROWS[2], "tgt_text": "y" * 9},
        {**ROWS[2], "tgt_text": "z" * 8},
    ]
    texts = TargetTexts(manifest(rows), FakeVocabulary(), "st")
    texts.require_length(14)  # tag and end too
    with pytest.raises(ManifestError) as caught:
        texts.require_length(10)
    assert "rows.tsv:2: `tgt_text` must be at most 10 tokens long, but is '14 tokens'" in str(caught.value)
    assert "rows.tsv:4:" in str(caught.value)
    assert "rows.tsv:5:" not in str(caught.value)


def test_columns_that_are_needed():
    base = ["id", "audio", "n_frames"]
    assert required_columns(["st"], True, "") == [*base, "tgt_text", "tgt_lang"]
    assert required_columns(["st", "asr"], True, "") == [*base, "tgt_text", "src_text", "tgt_lang", "src_lang"]
    assert required_columns(["st"], False, "en") == base


def test_a_missing_column_is_one_error(manifest, tmp_path):
    manifest(columns=("id", "audio", "n_frames", "src_text"))
    with pytest.raises(ManifestError, match="tgt_text"):
        read_manifest(tmp_path / "rows.tsv", required_columns(["st"], True, "en"))


def test_columns_of_text_translation_need_no_recordings():
    assert required_columns(["mt"], True, "") == ["id", "tgt_text", "src_text", "tgt_lang"]
    assert required_columns(["mt"], False, "en") == ["id", "src_text"]
    everything = ["id", "audio", "n_frames", "tgt_text", "src_text", "tgt_lang", "src_lang"]
    assert required_columns(["st", "asr", "mt"], True, "") == everything


def test_a_source_has_neither_tag_nor_end(manifest):
    rows = [
        row("1", "a.wav", "ano", "yes", "en"),
        row("2", "b.wav", "##", "no", "en"),
        row("3", "c.wav", "", "no", "en"),
    ]
    sources = SourceTexts(manifest(rows), FakeVocabulary())
    assert sources.pieces(0).tolist() == list(map(ord, "ano"))
    assert sources.pieces(1).tolist() == [3]  # the vocabulary keeps nothing of it
    with pytest.raises(ManifestError, match=r"rows\.tsv:4: `src_text` must be filled in every row"):
        sources.pieces(2)


def test_text_translation_writes_the_translation_of_every_row(manifest):
    texts = TargetTexts(manifest(), FakeVocabulary(), "mt")
    assert texts.tokens(1).tolist() == [11, ord("j"), ord("a"), 2]
    assert texts.distinct_recordings().tolist() == [0, 1, 2]
