"""The page of a retrieval: what it shows, that user text cannot become markup, and what bad input says."""

import json

import pytest

from fairseq_samu.cli.main import main
from tests.unit.parsed_page import EVIL, Page

FIGURES = {"r1": 50.0, "r5": 80.0, "r10": 90.0, "mrr": 60.0, "pool": 2, "chance_r1": 50.0}


@pytest.fixture
def inputs(tmp_path):
    scores = {
        "pairs": {"fr-fr": FIGURES, "fr-en": {**FIGURES, "r1": 25.0}},
        "mean": FIGURES,
        "teacher_topline": {**FIGURES, "r1": 99.0},
        "signature": {"torch": "2.13.0", "model": EVIL},
    }
    found = {"en": [{"text": EVIL, "score": 0.9, "right": False}], "fr": [{"text": "oui", "score": 0.8, "right": True}]}
    recording = {"id": "fr/a", "lang": "fr", "text": EVIL, "audio": "a.ogg", "parallel_id": "a", "found": found}
    (tmp_path / "a.ogg").write_bytes(b"OggS not really")
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    (tmp_path / "neighbours.json").write_text(json.dumps({"recordings": [recording]}))
    lines = [
        '{"epoch": 1, "train_loss": "9.5", "train_num_updates": "5"}',
        '2026-01-01 00:00:00 | INFO | valid | {"epoch": 1, "valid_loss": "8.5", "valid_recall_at_1": "20", '
        '"valid_mean_cosine": "0.1", "valid_num_updates": "5"}',
        '{"epoch": 2, "train_loss": "7.5", "train_num_updates": "10"}',
        '{"epoch": 2, "valid_loss": "6.5", "valid_recall_at_1": "40", '
        '"valid_mean_cosine": "0.3", "valid_num_updates": "9"}',
    ]
    (tmp_path / "train.log").write_text("\n".join(lines) + "\n")
    return tmp_path


def report(folder, *more):
    options = ["--json", str(folder / "scores.json"), "--output", str(folder / "page.html")]
    return main(["report", "retrieval", *options, *more])


def test_the_whole_page(inputs):
    extra = ["--neighbours", str(inputs / "neighbours.json"), "--audio-root", str(inputs)]
    extra += ["--train-log", str(inputs / "train.log"), "--baseline", f"before={inputs / 'scores.json'}"]
    assert report(inputs, *extra) == 0
    page = Page((inputs / "page.html").read_text("utf-8"))
    assert page.tags.count("script") == 1
    assert page.tags.count("audio") == 1
    assert "svg" in page.tags
    assert "alert('x')" in page.text
    assert "before" in page.text
    assert "2.13.0" in page.text
    assert all(address.startswith(("data:", "#")) for address in page.addresses)


def test_optional_parts_are_left_out(inputs):
    assert report(inputs) == 0
    page = Page((inputs / "page.html").read_text("utf-8"))
    assert "audio" not in page.tags
    assert "Training" not in page.text


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "scores.json"), ("[]", "scores.json"), ('{"mean": {}}', "mean"), ('{"mean": 3, "pairs": {}}', "mean")],
)
def test_malformed_scores_are_one_clear_error(inputs, capsys, content, message):
    (inputs / "scores.json").write_text(content)
    assert report(inputs) == 1
    assert message in capsys.readouterr().err
    assert not (inputs / "page.html").exists()


def test_a_baseline_without_name_is_named(inputs, capsys):
    assert report(inputs, "--baseline", "scores.json") == 1
    assert "NAME=FILE" in capsys.readouterr().err
