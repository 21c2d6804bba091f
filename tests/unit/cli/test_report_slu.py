"""The page of understanding: what it shows, that user text cannot become markup, and what bad input says."""

import json

import pytest

from fairseq_samu.cli.main import main
from fairseq_samu.scoring.understanding import score_understanding
from tests.unit.parsed_page import EVIL, Page

ROWS = [
    ("fr/1", "fr", "je veux <nombre> deux > chambres"),
    ("fr/2", "fr", f"<objet> \\<script\\>alert > {EVIL.replace('<', '').replace('>', '')}"),
    ("it/1", "it", "<nombre> tre > <objet> notti >"),
]
HYPOTHESES = ["je veux <nombre> deux > chambres", "<nombre> alert >", "<nombre> sei > <objet> notti > <objet> due >"]


def spans_of(names):
    return [{"concept": name, "value": EVIL, "start": i / 2, "end": i / 2 + 0.25} for i, name in enumerate(names)]


@pytest.fixture
def inputs(tmp_path):
    header = "id\taudio\tn_frames\tsrc_lang\ttgt_text\n"
    lines = [f"{name}\t{i}.ogg\t32000\t{lang}\t{text}\n" for i, (name, lang, text) in enumerate(ROWS)]
    (tmp_path / "test.tsv").write_text(header + "".join(lines))
    for i in range(len(ROWS)):
        (tmp_path / f"{i}.ogg").write_bytes(b"OggS not really")
    generated = [f"T-{i}\tx\nH-{i}\t-1\tx\nD-{i}\t-1\t{text}\n" for i, text in enumerate(HYPOTHESES)]
    (tmp_path / "generate.txt").write_text("".join(reversed(generated)))
    (tmp_path / "plain.txt").write_text("\n".join(HYPOTHESES) + "\n")
    names = [["nombre"], ["nombre"], ["nombre", "objet", "objet"]]
    spans = [json.dumps({"row": i, "concepts": spans_of(row)}) for i, row in enumerate(names)]
    (tmp_path / "spans.jsonl").write_text("\n".join(spans) + "\n")
    (tmp_path / "train.log").write_text('{"epoch": 1, "train_ctc_loss": "3.5", "train_num_updates": "5"}\n')
    return tmp_path


def report(folder, *more, hypotheses=("--generate", "generate.txt")):
    options = ["--manifest", str(folder / "test.tsv"), "--output", str(folder / "page.html")]
    return main(["report", "slu", *options, hypotheses[0], str(folder / hypotheses[1]), *map(str, more)])


def page_of(folder):
    return Page((folder / "page.html").read_text("utf-8"))


def score(folder, *more, hypotheses="generate.txt"):
    kind = "--generate" if hypotheses == "generate.txt" else "--hypothesis"
    options = ["--manifest", str(folder / "test.tsv"), kind, str(folder / hypotheses), "--resamples", "50"]
    path = folder / f"{hypotheses}.json"
    assert main(["score", "slu", *options, "--json", str(path), *map(str, more)]) == 0
    return path


def test_the_whole_page(inputs):
    (inputs / "other.txt").write_text("\n".join(["", "", "<objet> notti >"]) + "\n")
    extra = ["--json", score(inputs), "--baseline", f"{EVIL}={score(inputs, hypotheses='other.txt')}"]
    extra += ["--spans", inputs / "spans.jsonl", "--train-log", inputs / "train.log", "--note", EVIL]
    assert report(inputs, *extra) == 0
    page = page_of(inputs)
    assert page.tags.count("script") == 1
    assert len(page.find("audio")) == len(page.find("article")) == 3
    assert len([button for button in page.find("button") if "data-start" in button]) == 5
    assert [x["href"] for x in page.find("a")] == ["#scores", "#concepts", "#confusion", "#listen", "#training"]
    assert {x["id"] for x in page.find("section")} == {"scores", "concepts", "confusion", "listen", "training"}
    assert page.text.count(EVIL) == 2, "note and name of the baseline"
    assert all(address.startswith(("data:audio/ogg", "#")) for address in page.addresses)
    for mark in ("✗ taken for nombre", "✗ should be objet", "≠ other value", "+ inserted"):
        assert mark in page.text
    figures = score_understanding(HYPOTHESES, [text for _, _, text in ROWS]).figures
    for figure in figures.values():
        assert f"{figure.score:.1f}" in page.text


def test_optional_parts_are_left_out(inputs):
    assert report(inputs, "--max-recordings", "0") == 0
    page = page_of(inputs)
    assert {x["id"] for x in page.find("section")} == {"concepts", "confusion"}
    assert "audio" not in page.tags and "footer" not in page.tags


def test_generate_output_and_plain_text_give_the_same_page(inputs):
    assert report(inputs) == 0
    first = (inputs / "page.html").read_text("utf-8")
    assert report(inputs, hypotheses=("--hypothesis", "plain.txt")) == 0
    assert (inputs / "page.html").read_text("utf-8") == first


def test_rows_of_one_language(inputs):
    generated = f"T-2\tx\nH-2\t-1\tx\nD-2\t-1\t{HYPOTHESES[2]}\n"
    (inputs / "generate.txt").write_text(generated)
    scores = score(inputs, "--languages", "it")
    assert report(inputs, "--languages", "it", "--json", scores, "--spans", inputs / "spans.jsonl") == 0
    page = page_of(inputs)
    assert len(page.find("article")) == 1
    assert len([button for button in page.find("button") if "data-start" in button]) == 3
    assert report(inputs, "--languages", "de") == 1


def test_recordings_are_limited(inputs, capsys):
    assert report(inputs, "--max-recordings", "2") == 0
    assert len(page_of(inputs).find("article")) == 2
    assert "2 of 3 utterances" in capsys.readouterr().out


def test_relaxed_names_everywhere(inputs):
    (inputs / "map.csv").write_text("nombre,chose\nobjet,chose\n")
    options = ["--prefix-map", inputs / "map.csv"]
    assert report(inputs, *options, "--spans", inputs / "spans.jsonl", "--json", score(inputs, *options)) == 0
    text = page_of(inputs).text
    assert "nombre" not in text.replace(EVIL, "") and "chose" in text
    assert "wrong concept" in text and "taken for" not in text


def test_values_are_compared_in_their_normal_form(inputs):
    (inputs / "plain.txt").write_text("\n".join([HYPOTHESES[0].upper().replace("NOMBRE", "nombre"), "", ""]) + "\n")
    counted = []
    for more in ((), ("--normaliser", "lowercase")):
        assert report(inputs, *more, hypotheses=("--hypothesis", "plain.txt")) == 0
        counted.append(len(page_of(inputs).find("span", "is-value")))
    assert counted == [2, 0]


def test_a_manifest_of_no_concept_at_all(inputs):
    (inputs / "test.tsv").write_text("id\taudio\tn_frames\ttgt_text\na\t0.ogg\t16000\toui\n")
    (inputs / "plain.txt").write_text("non\n")
    assert report(inputs, hypotheses=("--hypothesis", "plain.txt")) == 0
    assert {x["id"] for x in page_of(inputs).find("section")} == {"listen"}


def spoil(inputs, name, content):
    (inputs / name).write_text(content)
    return inputs / name


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("--spans", '{"row": 0, "concepts": []}\n', "row 0"),
        ("--spans", '{"row": 7, "concepts": []}\n', "below 3"),
        ("--spans", "x\n", "spoilt:1"),
        ("--json", "{}", "counts.cer"),
        ("--train-log", "x\n", "JSON lines of epochs"),
        ("--baseline", "{}", "NAME=FILE"),
        ("--prefix-map", "x\n", "spoilt:1"),
    ],
)
def test_bad_input_is_one_clear_error(inputs, capsys, option, content, message):
    assert report(inputs, option, spoil(inputs, "spoilt", content)) == 1
    assert message in capsys.readouterr().err
    assert not (inputs / "page.html").exists()


def test_scores_of_other_texts_are_refused(inputs, capsys):
    scores = score(inputs)
    assert report(inputs, "--json", scores, "--baseline", f"old={scores}") == 0
    (inputs / "plain.txt").write_text("\n".join(["", *HYPOTHESES[1:]]) + "\n")
    assert report(inputs, "--json", scores, hypotheses=("--hypothesis", "plain.txt")) == 1
    assert "`counts.cer` must be those of the texts shown" in capsys.readouterr().err
    assert report(inputs, "--baseline", f"old={scores}", hypotheses=("--hypothesis", "plain.txt")) == 0
    (inputs / "test.tsv").write_text((inputs / "test.tsv").read_text().replace("<nombre> deux >", "deux"))
    assert report(inputs, "--baseline", f"old={scores}") == 1
    assert "reference 3" in capsys.readouterr().err


def test_two_systems_of_one_name_are_refused(inputs, capsys):
    scores = score(inputs)
    assert report(inputs, "--json", scores, "--name", "x", "--baseline", f"x={scores}") == 1
    assert "names of systems" in capsys.readouterr().err


def test_too_few_hypotheses_and_missing_recordings_are_named(inputs, capsys):
    (inputs / "plain.txt").write_text("oui\n")
    assert report(inputs, hypotheses=("--hypothesis", "plain.txt")) == 1
    assert "as many as references (3)" in capsys.readouterr().err
    (inputs / "0.ogg").unlink()
    assert report(inputs) == 1
    assert "0.ogg" in capsys.readouterr().err
