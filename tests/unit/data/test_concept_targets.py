"""Targets of the CTC head row by row, and the report of a manifest that cannot be learnt."""

import logging

import pytest

pytest.importorskip("fairseq", reason="the dictionary is the host's")

from fairseq_samu.data.concept_targets import ConceptTargets, require_plain
from fairseq_samu.data.concept_vocabulary import ConceptVocabulary
from fairseq_samu.data.manifest import read_manifest, write_manifest
from fairseq_samu.errors import ManifestError

VOCABULARY = ConceptVocabulary.from_texts(["<a> abcdxyz > <b> x >"])


@pytest.fixture
def manifest(tmp_path):
    def make(*texts, column="tgt_text"):
        rows = [{"id": str(n), "audio": "a.wav", "n_frames": 100, column: text} for n, text in enumerate(texts)]
        write_manifest(tmp_path / "rows.tsv", rows, ("id", "audio", "n_frames", column))
        return read_manifest(tmp_path / "rows.tsv")

    return make


def test_labels_and_end(manifest):
    targets = ConceptTargets(manifest("x  <a> y\u00a0z >", "x"), VOCABULARY)
    assert targets.text(0) == "x <a> y z >"
    assert targets.tokens(0).tolist() == [*VOCABULARY.encode("x <a> y z >"), 2]
    assert targets.tokens(0).dtype == "int64"
    assert (targets.task, targets.tag(0), targets.pad, targets.has_texts) == ("slu", None, 1, True)
    assert targets.distinct_recordings().tolist() == [0, 1]


def test_relaxed_names(manifest):
    targets = ConceptTargets(manifest("<a-long> x > <c> y >"), VOCABULARY, {"a-*": "a", "c": "b"})
    assert targets.text(0) == "<a> x > <b> y >"
    targets.require_valid()
    with pytest.raises(ManifestError, match="<a-long>"):
        ConceptTargets(targets.manifest, VOCABULARY).require_valid()


def test_a_set_without_annotations(manifest):
    targets = ConceptTargets(manifest("<a> x", column="src_text"), VOCABULARY)
    assert (targets.has_texts, targets.text(0), targets.tokens(0)) == (False, None, None)
    targets.require_valid()


def test_all_faults_of_a_manifest_with_their_lines(manifest):
    rows = manifest("<a> x >", "<a> x", "<c> x >", "é ñ é x", " ", "x > <unk>")
    targets = ConceptTargets(rows, VOCABULARY)
    with pytest.raises(ManifestError) as caught:
        targets.require_valid()
    lines = str(caught.value).splitlines()
    assert [line.partition(": ")[0].rpartition(":")[2] for line in lines] == ["3", "4", "5", "6", "7", "7", "7"]
    assert all(line.startswith(f"{rows.path}:") for line in lines)
    for line, fault in zip(
        lines, ["closed", "known", "'é ñ'", "filled", "behind a tag", "another name", "'< u n k'"], strict=True
    ):
        assert fault in line
    with pytest.raises(ManifestError, match="filled in every row"):
        targets.tokens(4)
    targets.require_valid(rows=[0])


def test_many_faults_are_counted(manifest):
    with pytest.raises(ManifestError, match="and 4 more") as caught:
        ConceptTargets(manifest(*["<a> x"] * 24), VOCABULARY).require_valid()
    assert len(str(caught.value).splitlines()) == 21


def test_a_test_set_may_have_what_the_model_cannot_write(manifest, caplog):
    targets = ConceptTargets(manifest("<c> é >", "é é x", "<a> x >"), VOCABULARY)
    with caplog.at_level(logging.WARNING):
        targets.require_valid(allow_unknown=True)
    assert "é (2), <c> (1)" in caplog.text
    with pytest.raises(ManifestError, match=r"rows\.tsv:2: .*closed"):
        ConceptTargets(manifest("<c> é"), VOCABULARY).require_valid(allow_unknown=True)


def test_tags_in_the_text_of_the_teacher(manifest):
    rows = manifest("x > y < z", "je <a> x >", "<unk>", "y<b>", column="src_text")
    with pytest.raises(ManifestError) as caught:
        require_plain(rows, "src_text")
    assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == [f"{rows.path}:{n}" for n in (3, 5)]
    require_plain(manifest("x > y < z", column="src_text"), "src_text")
