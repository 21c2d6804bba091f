"""Rows whose labels do not fit into their frames leave training and are named elsewhere."""

import logging
from types import SimpleNamespace

import pytest

pytest.importorskip("fairseq", reason="the dictionary is the host's")

from fairseq_samu.data.concept_targets import ConceptTargets
from fairseq_samu.data.concept_vocabulary import ConceptVocabulary
from fairseq_samu.data.dataset_options import DatasetOptions
from fairseq_samu.data.manifest import read_manifest, write_manifest
from fairseq_samu.data.speech_text_dataset import SpeechTextDataset
from fairseq_samu.errors import ManifestError
from fairseq_samu.tasks._ctc_frames import leave_out_impossible

# A frame every 100 samples; `<n> aa >` are 6 labels and one pair of equal ones.
ENCODER = SimpleNamespace(count_frames=lambda samples: samples // 100)
ROWS = {"fits": 700, "short": 699, "long": 5000, "empty": 10}


@pytest.fixture
def make_dataset(tmp_path):
    def make(**options):
        rows = [{"id": name, "audio": "a.wav", "n_frames": n, "tgt_text": "<n> aa >"} for name, n in ROWS.items()]
        write_manifest(tmp_path / "rows.tsv", rows, ["id", "audio", "n_frames", "tgt_text"])
        manifest = read_manifest(tmp_path / "rows.tsv")
        targets = ConceptTargets(manifest, ConceptVocabulary.from_texts(["<n> aa >"]))
        assert len(targets.tokens(0)) == 7
        return SpeechTextDataset(manifest, DatasetOptions(audio_root=tmp_path, **options), None, targets)

    return make


def names_of(dataset):
    return [dataset.manifest[int(row)].id for row in dataset.rows]


def test_rows_that_do_not_fit_leave_training(make_dataset, caplog):
    dataset = make_dataset(training=True)
    leave_out_impossible(dataset, ENCODER)
    assert names_of(dataset) == ["fits", "long"]
    assert "2 of 4 rows are left out of training, having fewer frames than CTC needs" in caplog.text
    assert "short, empty" in caplog.text


def test_frames_are_counted_at_the_fastest_speed(make_dataset):
    dataset = make_dataset(training=True, speed_factors=(0.9, 1.0, 1.1))
    leave_out_impossible(dataset, ENCODER)
    assert names_of(dataset) == ["long"]


def test_a_set_of_which_nothing_is_left_is_an_error(make_dataset):
    dataset = make_dataset(training=True, max_audio_seconds=0.043)
    with pytest.raises(ManifestError, match="labels that fit into their frames"):
        leave_out_impossible(dataset, ENCODER)


def test_rows_of_other_sets_are_named_and_stay(make_dataset, caplog):
    dataset = make_dataset(training=False)
    leave_out_impossible(dataset, ENCODER)
    assert names_of(dataset) == list(ROWS)
    assert "2 of 4 rows have fewer frames than CTC needs" in caplog.text and "short, empty" in caplog.text


def test_nothing_is_said_where_all_fit(make_dataset, caplog):
    dataset = make_dataset(training=True, min_audio_seconds=0.1)
    with caplog.at_level(logging.INFO, "fairseq_samu.tasks"):
        leave_out_impossible(dataset, ENCODER)
    assert names_of(dataset) == ["long"]
    assert not caplog.records or all("CTC" not in record.message for record in caplog.records)
