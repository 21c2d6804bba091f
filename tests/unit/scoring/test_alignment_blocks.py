"""Alignments to be read: every utterance a block, columns under each other in any script, and JSON with the same."""

import json

from fairseq_samu.scoring.alignment_blocks import AlignedRow, write_blocks, write_json_lines
from fairseq_samu.scoring.understanding import UnderstandingPlan, score_understanding

REFERENCES = ["je veux <nombre> deux > <type> chambres >", "euh", "<a> x > <b> y >"]
HYPOTHESES = ["je <nombre> deux > <type> chambre >", "", "<b> y > <c> w >"]


def aligned(references, hypotheses, names=("u1", "u2", "u3"), language="fr"):
    scores = score_understanding(hypotheses, references, UnderstandingPlan(num_resamples=0))
    pairs = enumerate(zip(references, hypotheses, strict=True))
    return scores, [AlignedRow(row, names[row], language, *texts) for row, texts in pairs]


def test_blocks():
    expected = """\
row 0  u1  fr  ChER 6/29  WER 2/4  CER 0/2  CVER 1/2
  words    REF je veux deux chambres
           HYP je **** deux chambre
                  D         S
  concepts REF <nombre> deux > <type> chambres >
           HYP <nombre> deux > <type> chambre >
                               v

row 1  u2  fr  ChER 3/3  WER 1/1  CER 0/0  CVER 0/0
  words    REF euh
           HYP ***
               D

row 2  u3  fr  ChER 4/11  WER 2/2  CER 2/2  CVER 2/2
  words    REF x y *
           HYP * y w
               D   I
  concepts REF <a> x > <b> y > *******
           HYP ******* <b> y > <c> w >
               D               I
"""
    assert write_blocks(*aligned(REFERENCES, HYPOTHESES)) == expected


def test_a_row_without_name_and_language():
    assert write_blocks(*aligned(["x"], ["x"], [""], "")).startswith("row 0  ChER 0/1")


def test_columns_of_wide_letters_and_marks_stand_under_each_other():
    lines = write_blocks(*aligned(["東京 e\u0301te\u0301 fin"], ["a abc fin"])).split("\n")
    # two wide letters take four columns, a letter with its mark one
    assert lines[1].split("REF ")[1] == "東京 e\u0301te\u0301 fin"
    assert lines[2].split("HYP ")[1] == "a    abc fin"
    assert lines[3].strip() == "S    S"


def test_json_lines():
    lines = write_json_lines(*aligned(REFERENCES, HYPOTHESES)).splitlines()
    first, second, third = map(json.loads, lines)
    assert (first["row"], first["id"], first["language"]) == (0, "u1", "fr")
    assert (first["reference"], first["hypothesis"]) == (REFERENCES[0], HYPOTHESES[0])
    assert first["counts"]["cver"] == {
        "substitutions": 1,
        "deletions": 0,
        "insertions": 0,
        "reference": 2,
        "hits": 1,
        "errors": 1,
    }
    assert first["words"][1] == {"kind": "D", "reference": "veux", "hypothesis": None}
    assert first["concepts"][1] == {
        "kind": "=",
        "reference": {"concept": "type", "value": "chambres"},
        "hypothesis": {"concept": "type", "value": "chambre"},
        "same_value": False,
    }
    assert first["concepts"][0]["same_value"]
    assert (second["concepts"], second["words"][0]["hypothesis"]) == ([], None)
    assert [step["kind"] for step in third["concepts"]] == ["D", "=", "I"]
    assert third["concepts"][0]["hypothesis"] is None


def test_letters_that_end_lines_elsewhere_do_not_end_one_here():
    text = "a\u2028b"
    assert write_json_lines(*aligned([text], [text])).count("\n") == 1
    assert len(write_blocks(*aligned([text], ["x\u0085y"])).split("\n")) == 5
