"""The two systems that hear nothing, on annotations small enough to tag by hand."""

import importlib
import sys

import pytest

from tests.contract.source_tree import ROOT

HEADER = "id\taudio\tn_frames\tsrc_text\tsrc_lang\ttgt_text\ttgt_lang\n"
TRAIN = [
    "vous avez <count> cinq > messages",
    "vous avez <count> six > messages",
    "vous avez <count> sept > <folder> anciens > messages",
    "vous avez <count> six > <folder> nouveaux > messages",
    "le temps est de <duration> six minutes >",
    "le temps est de <duration> cinq minutes >",
    "poste <extension> cinq six > occupé",
    "poste <extension> sept cinq six > occupé",
    "reçu <day> lundi > <hour> cinq > <minute> vingt >",
    "reçu <day> mardi > <hour> six > <minute> dix >",
]


@pytest.fixture(scope="module")
def baselines():
    sys.path.insert(0, str(ROOT / "examples/samu_slu/small"))
    try:
        yield importlib.import_module("baselines")
    finally:
        sys.path.pop(0)


def test_segments_and_back(baselines):
    text = r"le \<b\> <x> un deux > <y> 3 > fin"
    segments = [("", ("le", "<b>")), ("x", ("un", "deux")), ("y", ("3",)), ("", ("fin",))]
    assert baselines.split_segments(text) == segments
    assert baselines.write_segments(segments) == text
    assert baselines.split_segments("") == []


def test_most_frequent(baselines):
    assert baselines.most_frequent(["<a> z >", "<b> y >", "<b> y >"]) == "<b> y >"
    # each once: two of the concepts a, one of b; then the alphabet
    assert baselines.most_frequent(["<b> c >", "<a> z >", "<a> y >"]) == "<a> y >"


@pytest.mark.parametrize(
    ("plain", "annotated"),
    [
        ("vous avez cinq messages", "vous avez <count> cinq > messages"),
        ("vous avez sept nouveaux messages", "vous avez <count> sept > <folder> nouveaux > messages"),
        # values that training has nowhere as a whole, of words that it has
        ("poste six sept occupé", "poste <extension> six sept > occupé"),
        ("poste sept sept sept occupé", "poste <extension> sept sept sept > occupé"),
        # one word, three concepts, told apart by what is before it
        ("le temps est de six minutes", "le temps est de <duration> six minutes >"),
        ("reçu lundi six vingt", "reçu <day> lundi > <hour> six > <minute> vingt >"),
        ("reçu mardi cinq dix", "reçu <day> mardi > <hour> cinq > <minute> dix >"),
        # a value of other concepts only: the carrier says which one it is here
        ("le temps est de sept minutes", "le temps est de <duration> sept minutes >"),
        ("vous avez vingt anciens messages", "vous avez <count> vingt > <folder> anciens > messages"),
        # a word that training does not have is outside, and never lost
        ("vous avez hélas cinq messages", "vous avez hélas <count> cinq > messages"),
        ("quoi", "quoi"),
        ("", ""),
    ],
)
def test_tagger(baselines, plain, annotated):
    assert baselines.PhraseTagger(TRAIN).tag(plain) == annotated


def test_languages_do_not_mix(baselines, tmp_path, monkeypatch):
    train, test, output = tmp_path / "train.tsv", tmp_path / "test.tsv", tmp_path / "answers.txt"
    rows = [("fr", "un", "<n> un >"), ("it", "un", "un"), ("it", "un", "un"), ("it", "due", "<n> due >")]
    lines = [f"{i}\tx.wav\t16000\t{plain}\t{lang}\t{text}\t{lang}\n" for i, (lang, plain, text) in enumerate(rows)]
    train.write_text(HEADER + "".join(lines), encoding="utf-8")
    test.write_text(HEADER + "".join(lines[i] for i in (1, 0, 3)), encoding="utf-8")
    answers = {}
    for name in ("majority", "oracle"):
        files = ["--train", str(train), "--manifest", str(test), "--output", str(output)]
        monkeypatch.setattr(sys, "argv", ["baselines.py", name, *files])
        baselines.main()
        answers[name] = output.read_text(encoding="utf-8").splitlines()
    assert answers == {"majority": ["un", "<n> un >", "un"], "oracle": ["un", "<n> un >", "<n> due >"]}


def test_a_language_without_training(baselines):
    from fairseq_samu.data.manifest import Row

    with pytest.raises(SystemExit, match="no row in ru"):
        baselines.answer("oracle", [Row(2, src_lang="fr", tgt_text="un")], [Row(2, src_lang="ru", src_text="x")])
