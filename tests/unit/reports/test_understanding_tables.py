"""Tables of understanding: every figure at its place, nothing shown where nothing is defined."""

import pytest

from fairseq_samu.reports.understanding_tables import tabulate_comparison, tabulate_system, tabulate_systems
from fairseq_samu.scoring.understanding import UnderstandingPlan, score_understanding
from fairseq_samu.scoring.understanding_summary import describe_comparison, describe_summary, summarise_understanding

REFERENCES = ["<a> x > <b> y >", "<a> x >", "rien", "<c> z >"] * 10
HYPOTHESES = ["<b> y >", "<b> w >", "<d> rien >", "<c> z >"] * 10


def summarise(hypotheses=HYPOTHESES, references=REFERENCES, num_resamples=100, languages=None):
    plan = UnderstandingPlan(num_resamples=num_resamples)
    return summarise_understanding(score_understanding(hypotheses, references, plan), languages or {}, plan)


def table_of(tables, title):
    return next(table for table in tables if table.title.startswith(title))


def test_a_system():
    tables = tabulate_system(describe_summary(summarise()))
    rows = {row[0]: row[1:] for row in table_of(tables, "understanding, 40 utterances").rows}
    assert rows["CER"][0] == "75.00"
    assert rows["CER"][2:] == ["10", "10", "10", "40"]
    low, _, high = rows["CER"][1].split()
    assert float(low) < 75 < float(high)
    assert list(rows) == ["ChER", "WER", "CER", "CVER"]
    entities = table_of(tables, "entity F1").rows
    assert entities[1] == ["name only", "50.00", "50.00", "50.00", "20", "40", "40"]
    concepts = {row[0]: row[1:] for row in table_of(tables, "by concept").rows}
    assert concepts["a"] == ["20", "0", "10", "10", "0", "-", "0.00", "0.00", "0"]
    assert concepts["c"] == ["10", "10", "0", "0", "0", "100.00", "100.00", "100.00", "10"]
    confusions = table_of(tables, "most frequent confusions").rows
    assert sorted(confusions) == [["-", "d", "10"], ["a", "-", "10"], ["a", "b", "10"]]


def test_languages_are_shown_where_there_are_several():
    languages = {"fr": range(0, 40, 2), "it": range(1, 40, 2)}
    table = table_of(tabulate_system(describe_summary(summarise(languages=languages))), "by language")
    assert [row[:2] for row in table.rows] == [["fr", "20"], ["it", "20"]]
    assert table.rows[1][4].startswith("50.00 [")
    one = tabulate_system(describe_summary(summarise(languages={"fr": range(40)})))
    assert not any(table.title.startswith("by language") for table in one)


def test_systems_beside_each_other():
    systems = {"plain": summarise(num_resamples=0), "perfect": summarise(REFERENCES, num_resamples=0)}
    table = tabulate_systems({name: describe_summary(summary) for name, summary in systems.items()})
    assert (table.title, list(table.header)) == (
        "understanding",
        ["system", "utterances", "ChER", "WER", "CER", "CVER"],
    )
    assert table.rows[1] == ["perfect", "40", "0.00", "0.00", "0.00", "0.00"]
    assert table.rows[0][4] == "75.00"
    shown = tabulate_systems({"a": describe_summary(summarise())})
    assert shown.title == "understanding, with 95 % intervals"
    assert shown.rows[0][4].startswith("75.00 [")


def test_tests_against_a_baseline():
    languages = {"fr": range(0, 40, 2), "it": range(1, 40, 2)}
    pair = [summarise(texts, languages=languages) for texts in (REFERENCES, HYPOTHESES)]
    comparison = {"baseline": "plain", **describe_comparison(*pair)}
    table = tabulate_comparison({"dual": comparison})
    assert table.title.startswith("paired bootstrap against plain")
    places = [(row[1], row[2]) for row in table.rows]
    assert places[:2] == [("fr", "ChER"), ("fr", "WER")]
    found = next(row for row in table.rows if row[1:3] == ["all", "CER"])
    assert (found[0], found[3], found[5]) == ("dual", "-75.00", "0.020")


def test_nothing_is_shown_of_what_is_not_defined():
    summary = summarise(["oui", "x"], ["bonjour", "merci"])
    tables = tabulate_system(describe_summary(summary))
    assert table_of(tables, "understanding").rows[2] == ["CER", "-", "-", "0", "0", "0", "0"]
    assert [table.title for table in tables] == ["understanding, 2 utterances", "entity F1 as of SLUE"]
    compared = tabulate_comparison({"s": {"baseline": "b", **describe_comparison(summary, summary)}})
    assert {row[2] for row in compared.rows} == {"ChER", "WER"}


@pytest.mark.parametrize(("count", "shown", "title"), [(40, 40, "by concept"), (45, 40, "(5 more)")])
def test_long_tables_say_what_they_leave_out(count, shown, title):
    texts = [f"<c{number}> x >" for number in range(count)]
    table = table_of(tabulate_system(describe_summary(summarise(texts, texts, 0))), "by concept")
    assert len(table.rows) == shown
    assert table.title.endswith(title)
