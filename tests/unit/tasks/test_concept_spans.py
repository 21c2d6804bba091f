"""The file of concepts with times: whole or not at all, a line a row, in the order of rows."""

import json
import logging

import pytest
import torch

pytest.importorskip("fairseq", reason="the dictionary is the host's")

from fairseq_samu.data.concept_vocabulary import ConceptVocabulary
from fairseq_samu.data.dataset_options import DatasetOptions
from fairseq_samu.data.manifest import read_manifest, write_manifest
from fairseq_samu.data.speech_text_dataset import SpeechTextDataset
from fairseq_samu.errors import SamuError
from fairseq_samu.tasks._concept_spans import ConceptSpansWriter

VOCABULARY = ConceptVocabulary.from_texts(["<n> aé >"])
TEXTS = ["<n> é", "a", "", "<n> aa >"]


@pytest.fixture
def dataset(tmp_path):
    rows = [{"id": f"utt-{row}", "audio": f"{row}.wav", "n_frames": 16000} for row in range(len(TEXTS))]
    write_manifest(tmp_path / "test.tsv", rows, ["id", "audio", "n_frames"])
    return SpeechTextDataset(read_manifest(tmp_path / "test.tsv"), DatasetOptions(audio_root=tmp_path, training=False))


def add(writer, *rows, skipped=0):
    hypotheses = []
    for row in rows:
        labels = VOCABULARY.encode(TEXTS[row]).tolist()
        starts = torch.arange(len(labels))
        best = {"tokens": torch.tensor([*labels, 2]), "starts": starts, "ends": starts + 1}
        hypotheses.append([best, {"tokens": torch.tensor([2])}])
    writer.add({"id": torch.tensor(rows), "num_skipped": skipped}, hypotheses)


def test_a_line_a_row_once_all_were_decoded(tmp_path, dataset):
    path = tmp_path / "spans.jsonl"
    writer = ConceptSpansWriter(path, dataset, VOCABULARY, 320)
    add(writer, 3, 1)
    assert not path.exists()
    add(writer, 2, 0)
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == [
        {
            "row": 0,
            "id": "utt-0",
            "text": "<n> é",
            "concepts": [{"concept": "n", "value": "é", "start": 0.04, "end": 0.06}],
        },
        {"row": 1, "id": "utt-1", "text": "a", "concepts": []},
        {"row": 2, "id": "utt-2", "text": "", "concepts": []},
        {
            "row": 3,
            "id": "utt-3",
            "text": "<n> aa >",
            "concepts": [{"concept": "n", "value": "aa", "start": 0.04, "end": 0.08}],
        },
    ]
    assert '"é"' in lines[0]
    assert [found.name for found in tmp_path.glob("*spans*")] == ["spans.jsonl"]


def test_a_row_decoded_twice_counts_once(tmp_path, dataset):
    path = tmp_path / "spans.jsonl"
    writer = ConceptSpansWriter(path, dataset, VOCABULARY, 320)
    add(writer, 0, 1)
    add(writer, 0, 1)
    assert not path.exists()
    add(writer, 2, 3)
    assert len(path.read_text(encoding="utf-8").splitlines()) == 4


def test_unreadable_rows_are_not_waited_for(tmp_path, dataset):
    path = tmp_path / "spans.jsonl"
    writer = ConceptSpansWriter(path, dataset, VOCABULARY, 320)
    add(writer, 0, 1)
    add(writer, 3, skipped=1)
    assert [json.loads(line)["row"] for line in path.read_text(encoding="utf-8").splitlines()] == [0, 1, 3]


def test_an_unfinished_run_leaves_the_old_file_and_says_so(tmp_path, dataset, caplog):
    path = tmp_path / "spans.jsonl"
    path.write_text("of another run\n")
    writer = ConceptSpansWriter(path, dataset, VOCABULARY, 320)
    add(writer, 0, 1, 2)
    with caplog.at_level(logging.WARNING):
        del writer
    assert "only 3 of 4 rows were decoded" in caplog.text
    assert path.read_text() == "of another run\n"


def test_a_finished_run_says_nothing(tmp_path, dataset, caplog):
    writer = ConceptSpansWriter(tmp_path / "spans.jsonl", dataset, VOCABULARY, 320)
    add(writer, 0, 1, 2, 3)
    with caplog.at_level(logging.WARNING):
        del writer
    assert "was not written" not in caplog.text


def test_a_place_that_cannot_be_written(tmp_path, dataset):
    writer = ConceptSpansWriter(tmp_path / "gone" / "spans.jsonl", dataset, VOCABULARY, 320)
    with pytest.raises(SamuError, match="--spans-output"):
        add(writer, 0, 1, 2, 3)
