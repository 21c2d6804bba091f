"""`fairseq-samu prepare sentencepiece`, end to end."""

import json

import pytest

from fairseq_samu.cli.main import main

LINES = "".join(f"{who} {what} ships\n" for who in ("Ann", "Eve", "Tom") for what in ("sees", "has"))
LINES += "Nobody but the captain knows where they were built.\n"


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "train.en"
    path.write_text(LINES)
    return path


def prepare(*arguments):
    return main(["prepare", "sentencepiece", *map(str, arguments)])


def test_a_model_is_trained_once(tmp_path, text, capsys):
    folder = tmp_path / "data/folder"
    assert prepare(text, "--output", folder, "--size", 40, "--model-type", "bpe") == 0
    assert capsys.readouterr().out == f"{folder}/sentencepiece.model\n"
    record = json.loads((folder / "sentencepiece.json").read_text())
    assert (record["pieces"], record["texts"], record["model_type"]) == (40, 7, "bpe")
    model = folder / "sentencepiece.model"
    content, written = model.read_bytes(), model.stat().st_mtime_ns
    assert prepare(text, "--output", folder, "--size", 40, "--model-type", "bpe") == 0
    assert model.stat().st_mtime_ns == written
    assert prepare(text, "--output", folder, "--size", 40, "--model-type", "bpe", "--force") == 0
    assert model.read_bytes() == content
    assert model.stat().st_mtime_ns > written
    assert sorted(path.name for path in folder.iterdir()) == ["sentencepiece.json", "sentencepiece.model"]


def test_other_options_other_texts_and_damage_train_again(tmp_path, text):
    model = tmp_path / "sentencepiece.model"
    for change in (lambda: None, lambda: text.write_text(LINES + "Zoe dives\n"), lambda: model.write_bytes(b"cut")):
        change()
        before = model.read_bytes() if model.exists() else b""
        assert prepare(text, "--output", tmp_path, "--size", 33) == 0
        assert model.read_bytes() != before
    assert prepare(text, "--output", tmp_path, "--size", 31) == 0
    assert json.loads((tmp_path / "sentencepiece.json").read_text())["pieces"] == 31


def test_a_model_is_taken_over(tmp_path, text):
    assert prepare(text, "--output", tmp_path / "a", "--size", 32) == 0
    assert prepare("--model", tmp_path / "a/sentencepiece.model", "--output", tmp_path / "b") == 0
    assert (tmp_path / "b/sentencepiece.model").read_bytes() == (tmp_path / "a/sentencepiece.model").read_bytes()


def test_a_failure_leaves_the_model_that_is_there(tmp_path, text, capsys):
    assert prepare(text, "--output", tmp_path, "--size", 32) == 0
    before = (tmp_path / "sentencepiece.model").read_bytes()
    assert prepare(text, "--output", tmp_path, "--size", 9000) == 1
    assert "at most" in capsys.readouterr().err
    assert prepare("--model", text, "--output", tmp_path) == 1
    assert "a whole SentencePiece model" in capsys.readouterr().err
    assert prepare("--model", tmp_path / "absent", "--output", tmp_path) == 1
    assert "No such file" in capsys.readouterr().err
    assert (tmp_path / "sentencepiece.model").read_bytes() == before


@pytest.mark.parametrize(("model", "value"), [([], "neither"), (["--model", "x"], "both")])
def test_texts_or_a_model(tmp_path, text, capsys, model, value):
    texts = [text] if model else []
    assert prepare(*texts, *model, "--output", tmp_path) == 1
    assert f"but is '{value}' instead" in capsys.readouterr().err
