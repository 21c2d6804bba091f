"""Tables of scores: aligned text, Markdown that holds together, blocks of nine languages, values for other programs."""

from fairseq_samu.reports.text_table import TextTable, write_csv
from fairseq_samu.reports.translation_tables import list_scores, tabulate_comparison, tabulate_system, tabulate_systems


def result(scores, gap=None):
    pairs = {name: {"bleu": score, "rows": 2, "signature": {}} for name, score in scores.items()}
    groups = {
        "high": {"bleu": 30.0, "pairs": ["fr-en"], "missing": ["de"]},
        "low": {"bleu": 9.96, "pairs": ["nl-en"], "missing": []},
    }
    return {
        "bleu": 21.25,
        "bleu_interval": [20.0, 22.0],
        "rows": 2 * len(scores),
        "pairs": pairs,
        "groups": groups if gap else {},
        "trf_gap": {"bleu": gap, "from": "high", "to": "low"} if gap else None,
    }


def test_text_is_aligned_and_markdown_escaped():
    table = TextTable("title", ["name", "BLEU"], [["a|b", "1.0"], ["longer", "10.0"]])
    assert table.as_text() == "title\nname    BLEU\na|b      1.0\nlonger  10.0"
    assert table.as_markdown() == ("**title**\n\n| name | BLEU |\n| --- | ---: |\n| a\\|b | 1.0 |\n| longer | 10.0 |")
    assert write_csv(["a"], [['x,"y"'], [None]]) == 'a\n"x,""y"""\n""\n'


def test_one_system_by_pair_group_mean_and_gap():
    [table] = tabulate_system(result({"fr-en": 30.0, "nl-en": 9.96}, gap=20.04))
    assert table.header == ["pair", "rows", "BLEU"]
    assert table.rows == [
        ["fr-en", "2", "30.0"],
        ["nl-en", "2", "10.0"],
        ["high (1 of 2)", "", "30.0"],
        ["low (1)", "", "10.0"],
        ["mean of 2 pairs", "4", "21.2 [20.0, 22.0]"],
        ["TRFGap (high - low)", "", "20.0"],
    ]


def test_several_systems_in_blocks():
    scores = {f"l{i}-en": float(i) for i in range(11)}
    tables = tabulate_systems({"one": result(scores, 20.04), "two": result(scores, 1.0)})
    assert [table.title for table in tables] == ["BLEU by group", "BLEU by pair", "BLEU by pair"]
    assert tables[0].header == ["system", "high", "low", "TRFGap", "mean"]
    assert tables[0].rows == [["one", "30.0", "10.0", "20.0", "21.2"], ["two", "30.0", "10.0", "1.0", "21.2"]]
    assert [len(table.header) for table in tables[1:]] == [10, 3]
    assert tables[2].rows[1] == ["two", "9.0", "10.0"]
    assert [table.title for table in tabulate_systems({"one": result(scores)})] == ["BLEU by pair", "BLEU by pair"]


def test_comparisons_name_the_place_the_metric_and_the_sign():
    deltas = {"bleu": {"delta": -1.234, "interval": [-2.0, 0.5], "p_value": 0.0719}, "nist": {"delta": 1.0}}
    one = {"baseline": "old", "overall": deltas, "pairs": {"fr-en": deltas}, "groups": {}}
    table = tabulate_comparison({"new": one})
    assert table.title == "paired bootstrap against old"
    assert table.rows == [["new", "fr-en", "BLEU", "-1.23", "-2.00 to +0.50", "0.072"]]
    two = {**one, "pairs": {"fr-en": deltas, "nl-en": deltas}, "groups": {"low": deltas}, "trf_gap": deltas}
    assert [row[1] for row in tabulate_comparison({"new": two}).rows] == ["fr-en", "nl-en", "low", "TRFGap", "mean"]


def test_values_for_other_programs_are_not_rounded():
    lines = list_scores({"one": result({"fr-en": 1 / 3}, gap=2.0)}).splitlines()
    assert lines[:2] == ["system,kind,name,metric,score,low,high", "one,pair,fr-en,bleu,0.3333333333333333,,"]
    assert lines[-2:] == ["one,mean,,bleu,21.25,20.0,22.0", "one,gap,high-low,bleu,2.0,,"]
