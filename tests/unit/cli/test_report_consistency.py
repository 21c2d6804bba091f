"""The page of consistency: what it shows, that user text cannot become markup, and what bad input says."""

import json
from xml.etree import ElementTree

import pytest

from fairseq_samu.cli.main import main
from tests.unit.parsed_page import EVIL, Page
from tests.unit.reports.measured import line, write_log

SECTIONS = ["cosine", "layers", "norm", "ratio", "weight", "cost"]


@pytest.fixture
def inputs(tmp_path):
    for name, cosine in (("one", 0.125), ("two", -0.375)):
        lines = [
            line(update, task=task, module=module, layer=layer, cosine=cosine)
            for update in (100, 200)
            for task, module in (("asr", "acoustic_encoder"), ("mt", "textual_encoder"), ("mt", "decoder"))
            for layer in (0, 1, None)
        ]
        write_log(tmp_path / name / "consistency.jsonl", *lines)
    (tmp_path / "train.log").write_text(
        '{"epoch": 1, "train_wall": "1000", "train_num_updates": "100"}\n'
        '{"epoch": 2, "train_wall": "2500", "train_num_updates": "200"}\n'
    )
    return tmp_path


def report(folder, *more, logs=("one",)):
    paths = [str(folder / name / "consistency.jsonl") for name in logs]
    return main(["report", "consistency", "--log", *paths, "--output", str(folder / "page.html"), *map(str, more)])


def page_of(folder):
    return Page((folder / "page.html").read_text("utf-8"))


def test_the_whole_page(inputs, capsys):
    assert report(inputs, "--train-log", f"one={inputs / 'train.log'}", "--note", EVIL) == 0
    page = page_of(inputs)
    assert [x["id"] for x in page.find("section")] == SECTIONS
    assert [x["href"] for x in page.find("a")] == [f"#{name}" for name in SECTIONS]
    # three modules each with cosine, norm and ratio, three maps, weights, seconds and share
    assert len(page.find("svg")) == 3 * 3 + 3 + 1 + 2
    assert len(page.find("table")) == 4
    assert "0.125" in page.text and "2.00 %" in page.text, "cosine, and 50 s of 2500"
    assert page.text.count(EVIL) == 1
    assert "script" not in page.tags
    assert all(address.startswith("#") for address in page.addresses)
    assert "18 measurements of 1 trainings, 15 plots" in capsys.readouterr().out


def test_every_class_of_the_plots_has_its_rule_for_light_and_dark(inputs):
    assert report(inputs, logs=("one", "two")) == 0
    text = (inputs / "page.html").read_text("utf-8")
    light, _, dark = text.rpartition("</style>")[0].rpartition("@media(prefers-color-scheme:dark)")
    used = {
        name for kind in ("polyline", "rect") for x in page_of(inputs).find(kind) for name in (x["class"] or "").split()
    }
    assert {"c0", "c1", "dashed", "q0", "own"} <= used
    assert [name for name in used if f".{name}{{" not in light] == []
    coloured = [name for name in used if name[0] in "cq"]
    assert [name for name in coloured if f".{name}{{" not in dark] == []


def test_trainings_side_by_side(inputs):
    assert report(inputs, "--name", EVIL, "second", logs=("one", "two")) == 0
    page = page_of(inputs)
    assert len(page.find("svg")) == 3 * 3 + 2 * 3 + 1 + 1
    assert f"{EVIL}: MT" in page.text and "second: ASR" in page.text
    assert "-0.375" in page.text and "100 %" in page.text
    assert "script" not in page.tags


def test_logs_may_be_named_one_by_one_and_are_named_after_their_folders(inputs):
    assert report(inputs, "--log", inputs / "two" / "consistency.jsonl") == 0
    assert "one: ASR" in page_of(inputs).text and "two: ASR" in page_of(inputs).text


def test_every_plot_is_a_file_too(inputs):
    assert report(inputs, "--svg-folder", inputs / "plots", logs=("one", "two")) == 0
    files = sorted(path.name for path in (inputs / "plots").iterdir())
    assert len(files) == 3 * 3 + 2 * 3 + 1 + 1
    assert {"cosine_decoder.svg", "layers_1_asr_acoustic_encoder.svg", "weight.svg", "cost_seconds.svg"} <= set(files)
    for path in (inputs / "plots").iterdir():
        image = ElementTree.parse(path).getroot()
        assert image.tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(" not in path.read_text("utf-8")


def test_every_line_at_fault_of_every_log_is_named(inputs, capsys):
    for name in ("one", "two"):
        path = inputs / name / "consistency.jsonl"
        path.write_text(path.read_text() + f"x\n{json.dumps(line(300, task='st'))}\n")
    assert report(inputs, logs=("one", "two")) == 1
    error = capsys.readouterr().err
    for name in ("one", "two"):
        assert f"{inputs / name / 'consistency.jsonl'}:19: `line` must be JSON" in error
        assert f"{inputs / name / 'consistency.jsonl'}:20: `task` must be one of asr, mt" in error
    assert not (inputs / "page.html").exists()


def test_an_empty_log_is_refused(inputs, capsys):
    (inputs / "one" / "consistency.jsonl").write_text("")
    assert report(inputs) == 1
    assert "a file without any" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "logs", "message"),
    [
        (["--name", "a"], ("one", "two"), "given 2 times for 2 logs"),
        (["--name", "a", "a"], ("one", "two"), "`names of logs` must be different"),
        ([], ("one", "one"), "`names of logs` must be different"),
        (["--train-log", "x"], ("one",), "NAME=FILE"),
        (["--train-log", "x=train.log"], ("one",), "of one of the logs: one"),
        ([], ("one",) * 8, "7 logs at most"),
        ([], ("three",), "No such file"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(inputs, capsys, more, logs, message):
    assert report(inputs, *more, logs=logs) == 1
    assert message in capsys.readouterr().err
    assert not (inputs / "page.html").exists()
