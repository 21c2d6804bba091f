"""Error rates of understanding: the cases of the specification, defects known elsewhere, options."""

import pytest

from fairseq_samu.errors import SamuError
from fairseq_samu.scoring.understanding import (
    METRICS,
    UnderstandingPlan,
    cut_utterance,
    fingerprint_prefixes,
    score_understanding,
)
from fairseq_samu.scoring.value_normalisers import ValueNormaliser, combine_normalisers

QUICK = UnderstandingPlan(num_resamples=0)

HOTEL = "<nombre> deux > <chambre-type> {} doubles > pour <temps-date> le trois mai >"
CASES = {
    "A": ([HOTEL.format("chambres")], [HOTEL.format("chambre")], 0, 100 / 3),
    "B": (
        ["<reponse> oui > <localisation-ville> à Paris > <nombre> trois >"],
        ["<localisation-ville> Paris > <nombre> trois > <objet> nuits >"],
        200 / 3,
        100,
    ),
    "C": (["euh bonjour", "<reponse> oui >"], ["<reponse> oui >"] * 2, 100, 100),
    "D": (["<reponse> oui > <nombre> trois >"], ["<reponse> oui <nombre> trois"], 0, 0),
    "E": (["<reponse> oui >"], ["oui > <reponse> > oui"], 0, 100),
    "F": (["<a> x > <b> y >"], ["<b> y > <a> x >"], 100, 100),
}
"""References, hypotheses, CER and CVER; those of the command line's test too."""


def rates(hypotheses, references, plan=QUICK):
    figures = score_understanding(hypotheses, references, plan).figures
    return {metric: figure and figure.score for metric, figure in figures.items()}


@pytest.mark.parametrize("case", CASES)
def test_cases_of_the_specification(case):
    references, hypotheses, cer, cver = CASES[case]
    found = rates(hypotheses, references)
    assert (found["cer"], found["cver"]) == pytest.approx((cer, cver))


def test_counts_of_the_cases():
    references, hypotheses, *_ = CASES["B"]
    totals = score_understanding(hypotheses, references, QUICK).totals
    assert totals["cer"] == (0, 1, 1, 3)
    assert totals["cver"] == (1, 1, 1, 3)
    assert totals["wer"] == (0, 2, 1, 4)
    # `oui > <reponse> > oui` has 13 labels, `<reponse> _ o u i _ >` 7
    totals = score_understanding(CASES["E"][1], CASES["E"][0], QUICK).totals
    assert totals["wer"] == (0, 0, 1, 1)
    assert totals["cher"].reference == 7
    assert totals["cher"].insertions - totals["cher"].deletions == 13 - 7


# --- defects known elsewhere ---


def test_an_unknown_symbol_is_no_concept():
    for text in ("<unk> oui", "<unk>oui <pad> </s>", "<s> oui <unk>"):
        assert cut_utterance(text).concepts == []
    found = rates(["<unk> <reponse> oui >"], ["<reponse> oui >"])
    assert (found["cer"], found["cver"], found["wer"]) == (0, 0, 100)
    inside = score_understanding(["<reponse> <unk>ui >"], ["<reponse> oui >"], QUICK)
    assert (inside.figures["cer"].score, inside.figures["cver"].score) == (0, 100)


@pytest.mark.parametrize(
    "text", ["ah<reponse> oui >", "ah<reponse>oui>", "<reponse>oui", "> > <reponse> oui > >", "<reponse> oui >ah"]
)
def test_a_tag_glued_to_a_word_is_seen(text):
    found = rates([text], ["<reponse> oui >"])
    assert (found["cer"], found["cver"]) == (0, 0)


def test_no_concepts_are_no_units_rather_than_an_empty_one():
    nothing = score_understanding(["", "merci"], ["euh bonjour", "merci"], QUICK)
    assert nothing.totals["cer"] == nothing.totals["cver"] == (0, 0, 0, 0)
    assert (nothing.figures["cer"], nothing.figures["cver"]) == (None, None)
    invented = score_understanding(["<a> x > <b> y >", "<a> x >"], ["bonjour", "<a> x >"], QUICK)
    assert invented.totals["cer"] == (0, 0, 2, 1)
    missed = score_understanding(["bonjour"], ["<a> x > <b> y >"], QUICK)
    assert missed.totals["cer"] == (0, 2, 0, 2)


def test_no_rate_without_units_of_reference():
    found = score_understanding(["<a> x >", "y"], ["", " "], UnderstandingPlan(num_resamples=50))
    assert set(found.figures.values()) == {None}
    assert found.totals["cher"] == (0, 0, 6, 0)
    assert found.totals["wer"] == (0, 0, 2, 0)


def test_an_empty_hypothesis_misses_everything():
    assert rates([""], ["je veux <nombre> deux >"]) == dict.fromkeys(METRICS, 100)


def test_corpora_are_summed_before_the_division():
    references = ["<a> x >", "<a> x > <b> y > <c> z >"]
    assert rates(["<b> x >", references[1]], references)["cer"] == 25


def test_white_space_does_not_count():
    assert rates(["  <a>\tx   y  > \u00a0"], ["<a> x y >"]) == dict.fromkeys(METRICS, 0)


# --- options ---


def test_relaxed_names():
    references, hypotheses = ["<date-depart> mai >"], ["<date-retour> mai >"]
    assert rates(hypotheses, references)["cer"] == 100
    relaxed = UnderstandingPlan({"date-*": "date"}, num_resamples=0)
    assert rates(hypotheses, references, relaxed) == dict.fromkeys(METRICS, 0)


def test_values_are_compared_in_the_normal_form():
    references, hypotheses = ["<ville> À Paris, oui >"], ["<ville> a paris  oui >"]
    assert rates(hypotheses, references)["cver"] == 100
    for names, cver in ((["lowercase"], 100), (["lowercase", "punctuation", "accents"], 0)):
        plan = UnderstandingPlan(normalise=combine_normalisers(names), num_resamples=0)
        found = rates(hypotheses, references, plan)
        assert (found["cver"], found["cer"]) == (cver, 0)
        assert found["wer"] > 0
        assert found["cher"] > 0
    digits = ValueNormaliser("digits", lambda value: value.replace("deux", "2"))
    own = UnderstandingPlan(normalise=digits, num_resamples=0)
    scores = score_understanding(["<n> 2 >"], ["<n> deux >"], own)
    assert scores.figures["cver"].score == 0
    assert "values:digits" in scores.signatures["cver"]


def test_signatures_say_what_a_figure_depends_on():
    def signatures(**settings):
        return score_understanding(["<a> x >"], ["<a> x >"], UnderstandingPlan(**settings)).signatures

    plain = signatures(num_resamples=0)
    assert plain["cver"].startswith("units:concept+value|average:micro|mode:full|values:identity|samu:")
    relaxed = signatures(num_resamples=0, prefixes={"a": "b"})
    assert {metric for metric in METRICS if relaxed[metric] == plain[metric]} == {"wer"}
    assert relaxed != signatures(num_resamples=0, prefixes={"a": "c"})
    assert "bs:50|seed:3" in signatures(num_resamples=50, seed=3)["wer"]
    assert fingerprint_prefixes({"a": "b", "c": "d"}) == fingerprint_prefixes({"c": "d", "a": "b"})


def test_unequal_counts_are_refused():
    with pytest.raises(SamuError, match=r"as many as references \(2\), at least one, but is '1'"):
        score_understanding(["a"], ["a", "b"])
    with pytest.raises(SamuError, match="at least one"):
        score_understanding([], [])
