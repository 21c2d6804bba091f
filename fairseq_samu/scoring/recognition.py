"""Scores of recognition: word and character error rate of transcripts, under a named normalisation.

Both are ``100 (S + D + I) / N`` with unit costs, counts summed over the corpus before the division, as jiwer and the
usual evaluations have them. Words stand between white space; characters are code points of Unicode, the single spaces
between words among them. References and hypotheses are normalised alike. Where the references have no unit at all, a
rate is not defined: None.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from fairseq_samu.errors import SamuError, explain
from fairseq_samu.scoring.alignment_blocks import Sides
from fairseq_samu.scoring.edit_alignment import EditCounts, count_edits, sum_edits
from fairseq_samu.scoring.error_rates import measure_rate
from fairseq_samu.scoring.paired_bootstrap import NUM_RESAMPLES, SEED, Figure
from fairseq_samu.scoring.signature import sign
from fairseq_samu.scoring.text_normalisers import NONE
from fairseq_samu.scoring.value_normalisers import ValueNormaliser

METRICS = {"wer": "WER", "cer": "CER"}
"""Name and label of every metric: word and character error rate."""
UNITS = {"wer": "words", "cer": "characters+spaces"}


@dataclass(frozen=True)
class RecognitionPlan:
    """What to compare, and how.

    Attributes:
        normalise: by what form two texts are compared.
        num_resamples: of the rows, for intervals and tests; 0 for none.
        seed: of the resampling.
    """

    normalise: ValueNormaliser = NONE
    num_resamples: int = NUM_RESAMPLES
    seed: int = SEED


@dataclass(frozen=True)
class RecognitionScores:
    """Scores of one system on one set of rows.

    Attributes:
        references: N texts, normalised.
        hypotheses: of the same.
        counts: edits of each row, by metric.
        figures: percent with resamples, by metric; None where the references have no unit.
        signatures: what a figure depends on, by metric.
    """

    references: list[str]
    hypotheses: list[str]
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
        """Words of a row, as they are compared, to be shown aligned."""
        words = [side[row].split() for side in (self.references, self.hypotheses)]
        return {"words": Sides(*words, *words)}


def score_recognition(
    hypotheses: Sequence[str], references: Sequence[str], plan: Optional[RecognitionPlan] = None
) -> RecognitionScores:
    """Score transcripts.

    Args:
        hypotheses: of N utterances.
        references: of the same, one each.
        plan: texts as they stand, with resamples, when None.

    Raises:
        SamuError: the counts differ, or there is no utterance.
    """
    plan = plan or RecognitionPlan()
    if len(hypotheses) != len(references) or not references:
        rule = f"as many as references ({len(references)}), at least one"
        raise SamuError(explain("", "hypotheses", rule, len(hypotheses), "Score texts of the same rows."))
    right, found = ([plan.normalise(text) for text in texts] for texts in (references, hypotheses))
    words = count_edits([text.split() for text in right], [text.split() for text in found])
    return _measure(right, found, {"wer": words, "cer": count_edits(right, found)}, plan)


def select_rows(scores: RecognitionScores, rows: Sequence[int], plan: RecognitionPlan) -> RecognitionScores:
    """Scores of some of the rows, such as those of one language.

    Args:
        scores: of all rows.
        rows: places of those wanted.
        plan: as the scores were computed.
    """
    counts = {metric: [values[row] for row in rows] for metric, values in scores.counts.items()}
    right, found = ([side[row] for row in rows] for side in (scores.references, scores.hypotheses))
    return _measure(right, found, counts, plan)


def _measure(
    references: list[str], hypotheses: list[str], counts: dict[str, list[EditCounts]], plan: RecognitionPlan
) -> RecognitionScores:
    figures = {metric: measure_rate(rows, plan.num_resamples, plan.seed) for metric, rows in counts.items()}
    return RecognitionScores(references, hypotheses, counts, figures, _signatures(plan))


def _signatures(plan: RecognitionPlan) -> dict[str, str]:
    bootstrap = {"bs": str(plan.num_resamples), "seed": str(plan.seed)} if plan.num_resamples else {}
    how = {"average": "micro", "norm": plan.normalise.name}
    if plan.normalise.name != NONE.name:
        how["unicode"] = unicodedata.unidata_version  # what is a letter, and its lower case, are its tables'
    return {metric: sign(units=units, **how, **bootstrap) for metric, units in UNITS.items()}
