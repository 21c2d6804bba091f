"""Scores of translations into one language: sacreBLEU and chrF with signatures and resamples, others on demand."""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from fairseq_samu.errors import ConfigError, SamuError, explain
from fairseq_samu.scoring import word_metrics
from fairseq_samu.scoring.bert_score import BertScorer
from fairseq_samu.scoring.paired_bootstrap import NUM_RESAMPLES, SEED, Figure, resample
from fairseq_samu.scoring.signature import sign_library
from fairseq_samu.scoring.tokenisers import choose_tokeniser, looks_unspaced

METRICS = {
    "bleu": ("BLEU", 1),
    "chrf": ("chrF", 1),
    "google_bleu": ("Google-BLEU", 2),
    "rouge_l": ("ROUGE-L", 2),
    "meteor": ("METEOR", 2),
    "bertscore": ("BERTScore", 2),
    "nist": ("NIST", 1),
}
"""Name, label and decimals of every metric; BLEU and chrF run to 100, NIST is open, the others run to 1."""
RESAMPLED = ("bleu", "chrf")
_NEEDS = {
    "google_bleu": ("nltk", "metrics"),
    "nist": ("nltk", "metrics"),
    "meteor": ("nltk", "metrics"),
    "rouge_l": ("rouge_score", "metrics"),
    "bertscore": ("transformers", "transformers"),
}


@dataclass(frozen=True)
class ScoringPlan:
    """What to compute, and how.

    Attributes:
        metrics: names of :data:`METRICS`.
        tokeniser: sacreBLEU's name; chosen by language when None.
        num_resamples: of the rows, for intervals and tests; 0 for none.
        seed: of the resampling.
        bert: what computes BERTScore, where it is asked for.
    """

    metrics: tuple[str, ...] = ("bleu", "chrf")
    tokeniser: Optional[str] = None
    num_resamples: int = NUM_RESAMPLES
    seed: int = SEED
    bert: Optional[BertScorer] = None


@dataclass(frozen=True)
class PairScores:
    """Scores of one pair of languages.

    Attributes:
        figures: by metric.
        signatures: by metric: what the figure depends on.
        rows: how many sentences.
        note: what a reader must know, empty where there is nothing.
    """

    figures: dict[str, Figure]
    signatures: dict[str, str]
    rows: int
    note: str = field(default="")


def plan_scoring(
    metrics: Sequence[str] = ("bleu", "chrf"),
    bert_model: Optional[Path] = None,
    bert_layer: Optional[int] = None,
    **settings: Any,
) -> ScoringPlan:
    """Check what is asked for and load what it needs.

    Args:
        metrics: names of :data:`METRICS`; BLEU and chrF are always computed.
        bert_model: directory of BERTScore's model.
        bert_layer: its layer; the last one when None.
        settings: further fields of :class:`ScoringPlan`.

    Raises:
        ConfigError: a metric is not known, or lacks its model.
    """
    unknown = [name for name in metrics if name not in METRICS]
    if unknown:
        raise ConfigError(explain("", "--metrics", f"of {', '.join(METRICS)}", ", ".join(unknown), "Correct the name."))
    for name in metrics:
        module, extra = _NEEDS.get(name, ("sacrebleu", ""))
        if importlib.util.find_spec(module) is None:
            mend = f"Run `pip install 'fairseq-samu[{extra}]'`, or leave {name} out of --metrics."
            raise ConfigError(explain(name, f"module {module}", "installed", "absent", mend))
    bert = None
    if "bertscore" in metrics:
        if bert_model is None:
            mend = "Give --bertscore-model DIR (nothing is downloaded), or leave bertscore out of --metrics."
            raise ConfigError(explain("bertscore", "its model", "a directory on this machine", "not given", mend))
        bert = BertScorer(bert_model, bert_layer)
    asked = tuple(name for name in METRICS if name in metrics or name in RESAMPLED)
    return ScoringPlan(asked, bert=bert, **settings)


def score_translations(
    hypotheses: Sequence[str],
    references: Sequence[str],
    language: Optional[str] = None,
    plan: Optional[ScoringPlan] = None,
) -> PairScores:
    """Score translations into one language.

    Args:
        hypotheses: of N sentences, detokenised.
        references: of the same, one each.
        language: of the texts, two letters; decides how BLEU cuts words.
        plan: what to compute; BLEU and chrF with resamples when None.

    Raises:
        SamuError: the counts differ, or there is no sentence.
        ConfigError: a metric lacks its data, or is of another language.
    """
    plan = plan or ScoringPlan()
    if len(hypotheses) != len(references) or not references:
        rule = f"as many as references ({len(references)}), at least one"
        raise SamuError(explain("", "hypotheses", rule, len(hypotheses), "Score texts of the same rows."))
    name, note = choose_tokeniser(language, plan.tokeniser)
    figures, signatures = {}, {}
    for metric, scorer in _sacrebleu_metrics(name).items():
        figures[metric], signatures[metric] = _score_by_sacrebleu(scorer, hypotheses, references, plan)
    tokenise = _words_of(name)
    for metric in plan.metrics:
        if metric not in RESAMPLED:
            score, signatures[metric] = _score_words(
                metric, hypotheses, references, tokenise, language or "", name, plan
            )
            figures[metric] = Figure(score)
    empty = sum(not text.strip() for text in references)
    if language is None and plan.tokeniser is None and looks_unspaced(references):
        note = "written without spaces and cut at punctuation only, since the language is not given"
    notes = [note, f"{empty} of {len(references)} references are empty" if empty else ""]
    return PairScores(figures, signatures, len(references), "; ".join(filter(None, notes)))


def _sacrebleu_metrics(tokeniser: str) -> dict[str, Any]:
    from sacrebleu.metrics import BLEU, CHRF

    return {"bleu": BLEU(tokenize=tokeniser), "chrf": CHRF()}


def _score_by_sacrebleu(
    metric: Any, hypotheses: Sequence[str], references: Sequence[str], plan: ScoringPlan
) -> tuple[Figure, str]:
    # The statistics of sentences are the library's interface to its own tests of significance.
    statistics = metric._extract_corpus_statistics(list(hypotheses), [list(references)])
    score = float(metric._aggregate_and_compute(statistics).score)
    signature = metric.get_signature()
    if not plan.num_resamples:
        return Figure(score), str(signature)
    signature.update("bs", plan.num_resamples)
    signature.update("seed", plan.seed)

    def score_of(sums: list[float]) -> float:
        return float(metric._compute_score_from_stats(sums).score)

    return Figure(score, resample(statistics, score_of, plan.num_resamples, plan.seed)), str(signature)


def _words_of(tokeniser: str) -> Callable[[str], list[str]]:
    from sacrebleu.metrics import BLEU

    cut = BLEU(tokenize=tokeniser, force=True).tokenizer
    return lambda text: list(cut(text.rstrip()).split())


def _score_words(
    metric: str,
    hypotheses: Sequence[str],
    references: Sequence[str],
    tokenise: Callable[[str], list[str]],
    language: str,
    tokeniser: str,
    plan: ScoringPlan,
) -> tuple[float, str]:
    if metric == "google_bleu":
        score = word_metrics.google_bleu(hypotheses, references, tokenise)
        return score, sign_library("nltk", nrefs="1", case="mixed", tok=tokeniser)
    if metric == "nist":
        score = word_metrics.nist(hypotheses, references, tokenise)
        return score, sign_library("nltk", nrefs="1", case="mixed", n=str(word_metrics.NIST_ORDER), tok=tokeniser)
    if metric == "meteor":
        score = word_metrics.meteor(hypotheses, references, tokenise, language)
        return score, sign_library("nltk", nrefs="1", case="lc", tok=tokeniser)
    if metric == "rouge_l":
        score = word_metrics.rouge_l(hypotheses, references, tokenise, language)
        return score, sign_library("rouge-score", nrefs="1", case="lc", tok="rouge" if language == "en" else tokeniser)
    if plan.bert is None:
        raise ConfigError(explain("", "bertscore", "planned with its model", "not", "Use plan_scoring."))
    score = plan.bert.score(hypotheses, references)
    return score, sign_library("transformers", nrefs="1", idf="no", model=plan.bert.name, layer=str(plan.bert.layer))
