"""Means over groups, the transfer gap, and a system against a baseline, on scores made by hand."""

import numpy as np
import pytest

from fairseq_samu.errors import SamuError
from fairseq_samu.scoring.paired_bootstrap import Figure
from fairseq_samu.scoring.resource_groups import COVOST2_GROUPS
from fairseq_samu.scoring.signature import join_signatures, sign_library
from fairseq_samu.scoring.translation import PairScores
from fairseq_samu.scoring.translation_summary import describe_comparison, describe_summary, summarise_translations


def pair(bleu, samples=None, rows=10, tok="13a", note=""):
    return PairScores({"bleu": Figure(bleu, samples)}, {"bleu": f"tok:{tok}"}, rows, note)


def test_groups_means_and_gap():
    pairs = {"fr-en": pair(30.0), "de-en": pair(20.0), "it-en": pair(10.0), "nl-en": pair(5.0), "cs-en": pair(1.0)}
    result = describe_summary(summarise_translations(pairs, COVOST2_GROUPS))
    assert {name: group["bleu"] for name, group in result["groups"].items()} == {"high": 25.0, "mid": 10.0, "low": 5.0}
    assert result["groups"]["high"]["pairs"] == ["fr-en", "de-en"]
    assert result["groups"]["high"]["missing"] == ["es", "ca"]
    assert result["trf_gap"] == {"bleu": 20.0, "from": "high", "to": "low"}
    assert (result["bleu"], result["rows"], result["averaged"]) == (13.2, 50, "unweighted mean of 5 pairs")
    assert result["pairs"]["cs-en"]["bleu"] == 1.0


def test_pairs_count_as_independent_in_means():
    """Two pairs whose rows were drawn by the same seed: their mean must spread less than each of them."""
    samples = np.random.default_rng(0).normal(size=2000)
    found = summarise_translations({"fr-en": pair(0.0, samples), "de-en": pair(0.0, samples)}, COVOST2_GROUPS)
    for figure in (found.overall["bleu"], found.groups["high"]["bleu"]):
        assert figure.samples.std() == pytest.approx(samples.std() / 2**0.5, rel=0.05)


def test_one_pair_is_its_corpus_and_has_no_gap():
    samples = np.linspace(1, 3, 41)
    result = describe_summary(summarise_translations({"all": pair(2.0, samples, note="mind this")}, {}))
    assert (result["bleu"], result["averaged"], result["groups"], result["trf_gap"]) == (2.0, "one corpus", {}, None)
    assert result["bleu_interval"] == [pytest.approx(1.05), pytest.approx(2.95)]
    assert result["notes"] == ["mind this"]


def test_comparison_overall_by_pair_by_group_and_of_the_gap():
    draw = np.random.default_rng(0)
    noise = {name: draw.normal(size=200) for name in ("fr-en", "nl-en")}
    base = {name: pair(score, score + noise[name]) for name, score in (("fr-en", 30.0), ("nl-en", 10.0))}
    better = {name: pair(score, score + noise[name]) for name, score in (("fr-en", 31.0), ("nl-en", 14.0))}
    sides = [summarise_translations(pairs, COVOST2_GROUPS) for pairs in (better, base)]
    found = describe_comparison(*sides)
    # what the two have in common cancels in averages too: both were shuffled alike
    assert found["overall"]["bleu"]["interval"] == pytest.approx([2.5, 2.5])
    assert found["pairs"]["nl-en"]["bleu"]["delta"] == 4.0
    assert found["groups"]["low"]["bleu"]["p_value"] == pytest.approx(1 / 201)
    assert found["trf_gap"]["bleu"]["delta"] == pytest.approx(-3.0)
    other = summarise_translations({"fr-en": pair(1.0, rows=9)}, {})
    with pytest.raises(SamuError, match="of the same rows"):
        describe_comparison(sides[0], other)
    plain = describe_comparison(other, other)
    assert plain == {"overall": {"bleu": {"delta": 0.0}}, "pairs": {"fr-en": {"bleu": {"delta": 0.0}}}, "groups": {}}


def test_signatures_of_pairs_that_differ():
    same = {"fr-en": {"bleu": "tok:13a"}, "de-en": {"bleu": "tok:13a"}}
    assert join_signatures(same) == {"bleu": "tok:13a"}
    assert join_signatures({**same, "en-zh": {"bleu": "tok:zh"}}) == {"bleu": "fr-en,de-en=tok:13a; en-zh=tok:zh"}
    assert sign_library("numpy", nrefs="1") == f"nrefs:1|numpy:{np.__version__}"
