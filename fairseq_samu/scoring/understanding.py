"""Scores of spoken language understanding: error rates over characters and tags, words, concepts, concepts with values.

Each is ``100 (S + D + I) / N`` with unit costs, its counts summed over the corpus before the division. Concepts are
read leniently (:func:`fairseq_samu.concepts.extract_concepts`), so that a damaged hypothesis can be scored as well.
Runs of white space count as one space. Where the references have no unit at all, a rate is not defined: None, also
where the hypotheses have some (the counts show them as insertions).
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from fairseq_samu.concepts import Concept, extract_concepts, relax_text, strip_tags, tokenize
from fairseq_samu.errors import SamuError, explain
from fairseq_samu.scoring.alignment_blocks import Sides
from fairseq_samu.scoring.edit_alignment import EditCounts, count_edits, sum_edits
from fairseq_samu.scoring.error_rates import measure_rate
from fairseq_samu.scoring.paired_bootstrap import NUM_RESAMPLES, SEED, Figure
from fairseq_samu.scoring.signature import sign
from fairseq_samu.scoring.value_normalisers import IDENTITY, ValueNormaliser

METRICS = {"cher": "ChER", "wer": "WER", "cer": "CER", "cver": "CVER"}
"""Name and label of every metric: character error rate of tagged text, word, concept and concept-value error rate."""
UNITS = {"cher": "ctc-tokens", "wer": "words", "cer": "concepts", "cver": "concept+value"}

Unit = str | tuple[str, str]


@dataclass(frozen=True)
class UnderstandingPlan:
    """What to compare, and how.

    Attributes:
        prefixes: from full names of concepts to those without specifier (relax mode); empty for names as they stand.
        normalise: by what form two values are compared.
        num_resamples: of the rows, for intervals and tests; 0 for none.
        seed: of the resampling.
    """

    prefixes: Mapping[str, str] = field(default_factory=dict)
    normalise: ValueNormaliser = IDENTITY
    num_resamples: int = NUM_RESAMPLES
    seed: int = SEED


class Utterance(NamedTuple):
    """Units of one annotated text, as the metrics compare them.

    Attributes:
        tokens: CTC labels: each tag one, ``>`` one, ``_`` for the space, each other character one.
        words: tags left out.
        concepts: in order; values normalised.
    """

    tokens: list[str]
    words: list[str]
    concepts: list[Concept]

    def units(self, metric: str) -> Sequence[Unit]:
        """What a metric of :data:`METRICS` counts."""
        if metric == "cher":
            return self.tokens
        if metric == "wer":
            return self.words
        if metric == "cer":
            return [concept.name for concept in self.concepts]
        return [(concept.name, concept.value) for concept in self.concepts]


@dataclass(frozen=True)
class UnderstandingScores:
    """Scores of one system on one set of rows.

    Attributes:
        references: units of N rows.
        hypotheses: of the same.
        counts: edits of each row, by metric.
        figures: percent with resamples, by metric; None where the references have no unit.
        signatures: what a figure depends on, by metric.
    """

    references: list[Utterance]
    hypotheses: list[Utterance]
    counts: dict[str, list[EditCounts]]
    figures: dict[str, Optional[Figure]]
    signatures: dict[str, str]

    @property
    def totals(self) -> dict[str, EditCounts]:
        """Edits of all rows, by metric."""
        return {metric: sum_edits(counts) for metric, counts in self.counts.items()}

    @property
    def labels(self) -> Mapping[str, str]:
        """Label of each metric."""
        return METRICS

    def sides(self, row: int) -> dict[str, Sides]:
        """Words and concepts of a row, to be shown aligned; concepts are aligned by their names."""
        both = self.references[row], self.hypotheses[row]
        shown = [
            [{"concept": concept.name, "value": concept.value} for concept in utterance.concepts] for utterance in both
        ]
        words, names = ([utterance.units(metric) for utterance in both] for metric in ("wer", "cer"))
        return {"words": Sides(*words, *words), "concepts": Sides(*names, *shown)}


def cut_utterance(text: str, plan: Optional[UnderstandingPlan] = None) -> Utterance:
    """Cut annotated text into the units of every metric.

    Args:
        text: annotated as :mod:`fairseq_samu.concepts` describes, however damaged.
        plan: names and values to compare; as they stand when None.
    """
    plan = plan or UnderstandingPlan()
    text = relax_text(" ".join(text.split()), plan.prefixes)
    concepts = [Concept(found.name, tuple(plan.normalise(found.value).split())) for found in extract_concepts(text)]
    return Utterance(tokenize(text), strip_tags(text).split(), concepts)


def score_understanding(
    hypotheses: Sequence[str], references: Sequence[str], plan: Optional[UnderstandingPlan] = None
) -> UnderstandingScores:
    """Score annotated texts.

    Args:
        hypotheses: of N utterances.
        references: of the same, one each.
        plan: names and values as they stand, with resamples, when None.

    Raises:
        SamuError: the counts differ, or there is no utterance.
    """
    plan = plan or UnderstandingPlan()
    if len(hypotheses) != len(references) or not references:
        rule = f"as many as references ({len(references)}), at least one"
        raise SamuError(explain("", "hypotheses", rule, len(hypotheses), "Score texts of the same rows."))
    cut = [[cut_utterance(text, plan) for text in texts] for texts in (references, hypotheses)]
    counts = {
        metric: count_edits(*([utterance.units(metric) for utterance in side] for side in cut)) for metric in METRICS
    }
    return UnderstandingScores(cut[0], cut[1], counts, measure(counts, plan), _signatures(plan))


def select_rows(scores: UnderstandingScores, rows: Sequence[int], plan: UnderstandingPlan) -> UnderstandingScores:
    """Scores of some of the rows, such as those of one language.

    Args:
        scores: of all rows.
        rows: places of those wanted.
        plan: as the scores were computed.
    """
    counts = {metric: [values[row] for row in rows] for metric, values in scores.counts.items()}
    sides = [[side[row] for row in rows] for side in (scores.references, scores.hypotheses)]
    return UnderstandingScores(sides[0], sides[1], counts, measure(counts, plan), scores.signatures)


def measure(
    counts: Mapping[str, Sequence[EditCounts]], plan: Optional[UnderstandingPlan] = None
) -> dict[str, Optional[Figure]]:
    """Error rates of a corpus, in percent, with resamples of its rows.

    Args:
        counts: edits of each row, by metric.
        plan: how many resamples; the default number when None.
    """
    plan = plan or UnderstandingPlan()
    return {metric: measure_rate(rows, plan.num_resamples, plan.seed) for metric, rows in counts.items()}


def _signatures(plan: UnderstandingPlan) -> dict[str, str]:
    mode = {"mode": f"relax-{fingerprint_prefixes(plan.prefixes)}" if plan.prefixes else "full"}
    depends = {"cher": mode, "wer": {}, "cer": mode, "cver": {**mode, "values": plan.normalise.name}}
    bootstrap = {"bs": str(plan.num_resamples), "seed": str(plan.seed)} if plan.num_resamples else {}
    return {
        metric: sign(units=UNITS[metric], average="micro", **settings, **bootstrap)
        for metric, settings in depends.items()
    }


def fingerprint_prefixes(prefixes: Mapping[str, str]) -> str:
    """Eight digits that differ where two prefix maps do, whatever the order of their lines."""
    return f"{zlib.crc32(repr(sorted(prefixes.items())).encode()):08x}"
