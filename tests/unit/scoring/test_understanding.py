"""Error rates of understanding: the cases of the specification, a brute-force oracle, defects known elsewhere."""

import random
from functools import lru_cache

import jiwer
import numpy as np
import pytest

from fairseq_samu.errors import SamuError
from fairseq_samu.scoring.paired_bootstrap import compare
from fairseq_samu.scoring.understanding import (
    METRICS,
    UnderstandingPlan,
    cut_utterance,
    fingerprint_prefixes,
    score_understanding,
    select_rows,
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


# --- the oracle: cuts texts by walking over their characters, and tries every alignment ---


def walk(text):
    """Parts of annotated text: ("open", name), ("close", ""), or ("text", character)."""
    text, place = " ".join(text.split()), 0
    while place < len(text):
        end = text.find(">", place)
        name = text[place + 1 : end] if text[place] == "<" and end > 0 else ""
        if text[place] == "\\" and text[place + 1 : place + 2] in ("<", ">", "\\"):
            yield "text", text[place : place + 2]
            place += 2
        elif name in ("s", "pad", "/s", "unk"):
            yield from (("text", letter) for letter in text[place : end + 1])
            place = end + 1
        elif name and not set(name) & set(" <\\"):
            yield "open", name
            place = end + 1
        else:
            yield ("close", ">") if text[place] == ">" else ("text", text[place])
            place += 1


def oracle_units(text):
    labels, plain, concepts, open_name, value = [], "", [], None, ""
    for kind, part in [*walk(text), ("end", "")]:
        letter = part[-1] if kind == "text" else " "
        if kind == "open":
            labels.append(f"<{part}>")
        elif kind != "end":
            labels.append({" ": "_", "_": "\\_"}.get(part, part))
        plain += letter
        if kind == "text":
            value += letter
            continue
        if open_name is not None:
            concepts.append((open_name, " ".join(value.split())))
        open_name, value = (part if kind == "open" else None), ""
    return {"cher": labels, "wer": plain.split(), "cer": [name for name, _ in concepts], "cver": concepts}


def oracle_errors(reference, hypothesis):
    @lru_cache(None)
    def rest(i, j):
        if i == len(reference) or j == len(hypothesis):
            return len(reference) - i + len(hypothesis) - j
        if reference[i] == hypothesis[j]:
            return rest(i + 1, j + 1)
        return 1 + min(rest(i + 1, j + 1), rest(i + 1, j), rest(i, j + 1))

    return rest(0, 0)


PIECES = ["<a>", "<b-c>", "<a-b>", ">", ">", "x", "oui", "été", "<unk>", "\\<", "\\>", "\\\\", "_", "<", "a\\_b", "12"]


def draw_text(draw, longest=6):
    pieces = [draw.choice(PIECES) for _ in range(draw.randint(0, longest))]
    return "".join(piece + draw.choice(["", " ", " ", " ", "  "]) for piece in pieces)


def test_all_metrics_equal_the_oracle_on_thousands_of_pairs():
    draw = random.Random(7)
    references = [draw_text(draw) for _ in range(2500)]
    hypotheses = [draw_text(draw) for _ in references]
    found = score_understanding(hypotheses, references, QUICK)
    pairs = [(oracle_units(one), oracle_units(two)) for one, two in zip(references, hypotheses, strict=True)]
    for metric in METRICS:
        expected = [(oracle_errors(one[metric], two[metric]), len(one[metric])) for one, two in pairs]
        assert [(counts.errors, counts.reference) for counts in found.counts[metric]] == expected
        rate = 100 * sum(errors for errors, _ in expected) / sum(length for _, length in expected)
        assert found.figures[metric].score == pytest.approx(rate)
        assert any(errors for errors, _ in expected)


def test_word_error_rate_is_that_of_jiwer():
    draw = random.Random(8)
    words = ["je", "veux", "deux", "chambres", "pour", "le"]
    bare = [[draw.choices(words, k=draw.randint(1, 9)) for _ in range(300)] for _ in range(2)]
    tagged = [[" ".join(["<a>", *one[:2], ">", *one[2:]]) for one in side] for side in bare]
    plain = [[" ".join(one) for one in side] for side in bare]
    assert rates(tagged[1], tagged[0])["wer"] == pytest.approx(100 * jiwer.wer(plain[0], plain[1]))


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


# --- resamples ---


def corpus(share, seed, rows=300):
    draw, errors = random.Random(1), random.Random(seed)
    references, hypotheses = [], []
    for _ in range(rows):
        concepts = [f"<{draw.choice('abc')}> {draw.choice(['x', 'y', 'z'])} >" for _ in range(draw.randint(1, 4))]
        references.append(" ".join(concepts))
        hypotheses.append(" ".join("<d> w >" if errors.random() < share else concept for concept in concepts))
    return hypotheses, references


def test_intervals_are_given_by_the_seed_and_hold_the_score():
    texts = corpus(0.2, seed=2)
    first, again, other = (score_understanding(*texts, UnderstandingPlan(seed=seed)) for seed in (5, 5, 6))
    for metric in METRICS:
        low, high = first.figures[metric].interval()
        assert low < first.figures[metric].score < high
        assert (low, high) == again.figures[metric].interval()
        assert (low, high) != other.figures[metric].interval()


def test_the_interval_has_the_width_of_the_binomial():
    references = ["<a> x >"] * 400
    hypotheses = ["<b> x >"] * 80 + ["<a> x >"] * 320
    low, high = score_understanding(hypotheses, references).figures["cer"].interval()
    assert high - low == pytest.approx(2 * 1.96 * 100 * (0.2 * 0.8 / 400) ** 0.5, rel=0.1)


def test_a_system_is_tested_against_another_on_the_same_rows():
    good, references = corpus(0.1, seed=2)
    poor, _ = corpus(0.4, seed=3)
    better, worse = (score_understanding(texts, references).figures for texts in (good, poor))
    for metric in METRICS:
        same = compare(better[metric], score_understanding(list(good), references).figures[metric])
        assert (same.delta, same.interval, same.two_sided) == (0, (0, 0), 1)
        found = compare(better[metric], worse[metric])
        assert found.delta < 0
        assert found.interval[1] < 0
        assert found.two_sided == pytest.approx(2 / 1001)
        assert compare(worse[metric], better[metric]).two_sided == found.two_sided


def test_systems_that_differ_by_chance_are_rarely_different():
    _, references = corpus(0, seed=0, rows=80)
    plan = UnderstandingPlan(num_resamples=100)
    values = []
    for seed in range(60):
        pair = [score_understanding(corpus(0.3, 2 * seed + one, 80)[0], references, plan) for one in (0, 1)]
        values.append(compare(*(scores.figures["cer"] for scores in pair)).two_sided)
    assert np.mean(np.array(values) < 0.05) < 0.15
    assert np.mean(values) == pytest.approx(0.5, abs=0.12)


def test_resamples_without_any_concept_are_left_out():
    references = ["<a> x >", "bonjour", "merci"]
    figure = score_understanding(["<b> x >", "bonjour", "merci"], references).figures["cer"]
    # about (2/3)**3 of the resamples have not the only row with a concept
    assert len(figure.samples) == pytest.approx(1000 * (1 - 8 / 27), rel=0.1)
    assert figure.interval() == (100, 100)


def test_rows_of_a_part_are_scored_as_if_alone():
    plan = UnderstandingPlan(num_resamples=60)
    hypotheses, references = corpus(0.3, seed=4, rows=50)
    rows = [3, 7, 20, 41]
    part = select_rows(score_understanding(hypotheses, references, plan), rows, plan)
    alone = score_understanding([hypotheses[row] for row in rows], [references[row] for row in rows], plan)
    assert part.counts == alone.counts
    assert part.references == alone.references
    for metric in METRICS:
        assert part.figures[metric].interval() == alone.figures[metric].interval()
