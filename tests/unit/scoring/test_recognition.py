"""Word and character error rate against jiwer, and against counts made by hand."""

import random

import jiwer
import pytest

from fairseq_samu.errors import SamuError
from fairseq_samu.scoring.recognition import METRICS, RecognitionPlan, score_recognition, select_rows
from fairseq_samu.scoring.text_normalisers import TEXT_NORMALISERS

QUICK = RecognitionPlan(num_resamples=0)
WORDS = ["дзень", "сябры", "îl", "l'home", "a", "b", "Ça", "été", "42", "नमस्ते"]


def corpus(seed, rows=40):
    draw = random.Random(seed)
    references = [" ".join(draw.choices(WORDS, k=draw.randint(1, 8))) for _ in range(rows)]
    hypotheses = []
    for text in references:
        words = [draw.choice(WORDS) if draw.random() < 0.2 else word for word in text.split() if draw.random() > 0.1]
        hypotheses.append("  ".join(words + ["a"] * (draw.random() < 0.2)))
    return hypotheses, references


@pytest.mark.parametrize("seed", range(3))
def test_rates_are_those_of_jiwer(seed):
    hypotheses, references = corpus(seed)
    scores = score_recognition(hypotheses, references, QUICK)
    assert scores.figures["wer"].score == pytest.approx(100 * jiwer.wer(references, hypotheses))
    single = [" ".join(text.split()) for text in hypotheses]  # jiwer counts each of several spaces
    assert scores.figures["cer"].score == pytest.approx(100 * jiwer.cer(references, single))
    assert 5 < scores.figures["cer"].score < scores.figures["wer"].score < 60


def test_a_case_by_hand():
    scores = score_recognition(["le  chat dort bien", ""], ["le chien dort", "oui oui"], QUICK)
    assert scores.totals["wer"][:] == (1, 2, 1, 5), "chien is another word, bien is too much, oui oui is missing"
    assert scores.figures["wer"].score == 100 * 4 / 5
    # chien to chat: i, e, n become a and t; " bien" is inserted; "oui oui" is deleted with its space
    assert scores.totals["cer"][:] == (2, 8, 5, 20)
    assert scores.figures["cer"].score == 100 * 15 / 20


def test_both_sides_are_normalised_and_the_signature_says_how():
    texts = (["БУСЕЛ"], ["бусел!"])
    rates = {}
    for name in ("none", "lower", "basic"):
        plan = RecognitionPlan(TEXT_NORMALISERS[name], num_resamples=40)
        scores = score_recognition(*texts, plan)
        rates[name] = [scores.figures[metric].score for metric in METRICS]
        for metric, signature in scores.signatures.items():
            assert f"|norm:{name}|" in signature
            assert ("|unicode:" in signature) == (name != "none")
            assert "|bs:40|seed:12345|samu:" in signature
            assert signature.startswith({"wer": "units:words|", "cer": "units:characters+spaces|"}[metric])
    assert rates == {"none": [100, 100], "lower": [100, pytest.approx(100 / 6)], "basic": [0, 0]}


def test_rows_of_a_part_are_scored_as_if_alone():
    plan = RecognitionPlan(num_resamples=60)
    hypotheses, references = corpus(4)
    rows = [3, 7, 20, 31]
    part = select_rows(score_recognition(hypotheses, references, plan), rows, plan)
    alone = score_recognition([hypotheses[row] for row in rows], [references[row] for row in rows], plan)
    assert part.counts == alone.counts
    assert (part.references, part.hypotheses) == (alone.references, alone.hypotheses)
    for metric in METRICS:
        assert part.figures[metric].interval() == alone.figures[metric].interval()


def test_references_without_words_have_no_rate():
    scores = score_recognition(["a b", ""], [" ", ""], QUICK)
    assert scores.figures == {"wer": None, "cer": None}
    assert scores.totals["wer"].insertions == 2


@pytest.mark.parametrize("texts", [([], []), (["a"], []), (["a"], ["a", "b"])], ids=["none", "more", "fewer"])
def test_other_counts_are_refused(texts):
    with pytest.raises(SamuError, match="`hypotheses` must be as many as references"):
        score_recognition(*texts)
