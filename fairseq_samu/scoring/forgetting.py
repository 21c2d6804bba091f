"""What a model lost on languages that it was not tuned on: scores before and after, tested on the same rows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairseq_samu.errors import SamuError, explain
from fairseq_samu.scoring.edit_alignment import count_edits
from fairseq_samu.scoring.error_rates import Rates, average_rates, describe_rate_deltas, describe_rates

NOT_TUNED, TUNED = "not tuned", "tuned"
LESS_IS_BETTER = frozenset({"wer", "cer"})
WORSE, BETTER, NOT_SHOWN, SAME = "worse", "better", "not shown", "same output"


@dataclass(frozen=True)
class Change:
    """Scores of one language, or on average over several, before and after.

    Attributes:
        before: by metric; None where it is not defined.
        after: the same, resampled alike.
        rows: how many texts.
        changed: how many of them differ.
    """

    before: Rates
    after: Rates
    rows: int
    changed: int


@dataclass(frozen=True)
class Forgetting:
    """One system against what it was before.

    Attributes:
        languages: by language or pair of languages, those that were not tuned first.
        tuned: those of them that were tuned.
        means: unweighted means over the languages of each kind, :data:`NOT_TUNED` and :data:`TUNED`, where there are
            any.
    """

    languages: dict[str, Change]
    tuned: frozenset[str]
    means: dict[str, Change]


def compare_languages(changes: Mapping[str, Change], tuned: Collection[str]) -> Forgetting:
    """Tell languages that were tuned from others, and average either.

    Args:
        changes: by language (``ro``) or pair (``fr-en``).
        tuned: languages or pairs that were tuned; a pair counts where one of its languages is named.

    Raises:
        SamuError: all languages were tuned, so that none can have been forgotten.
    """
    is_tuned = frozenset(name for name in changes if {name, *name.split("-")} & {*tuned})
    if len(is_tuned) == len(changes):
        mend = "Give test sets of other languages, or correct --tuned."
        raise SamuError(explain("", "languages", "some that were not tuned", ", ".join(changes), mend))
    ordered = sorted(changes, key=lambda name: name in is_tuned)
    kinds = {NOT_TUNED: [name for name in ordered if name not in is_tuned], TUNED: sorted(is_tuned)}
    means = {kind: _average({name: changes[name] for name in names}) for kind, names in kinds.items() if names}
    return Forgetting({name: changes[name] for name in ordered}, is_tuned, means)


def describe_forgetting(found: Forgetting) -> dict[str, Any]:
    """A comparison as JSON.

    ``languages`` and ``means``, each with ``rows``, ``changed`` (texts that differ), ``before`` and ``after`` (scores
    with ``wer_interval`` and its like) and ``change`` (by metric ``delta``, ``interval``, two-sided ``p_value`` and
    ``verdict``; null where a rate is not defined); languages with ``tuned``.
    """
    languages = {
        name: {"tuned": name in found.tuned, **_describe_change(change)} for name, change in found.languages.items()
    }
    return {"languages": languages, "means": {kind: _describe_change(change) for kind, change in found.means.items()}}


def count_losses(references: Sequence[str], before: Sequence[str], after: Sequence[str]) -> list[int]:
    """How many more character edits lead from each reference to the text after than to the text before.

    Args:
        references: N texts.
        before: of the same rows.
        after: of the same rows.
    """
    sides = (count_edits(references, texts) for texts in (after, before))
    return [later.errors - earlier.errors for later, earlier in zip(*sides, strict=True)]


def _average(changes: Mapping[str, Change]) -> Change:
    before = average_rates({name: change.before for name, change in changes.items()})
    after = average_rates({name: change.after for name, change in changes.items()})
    rows, changed = (sum(counts) for counts in zip(*((of.rows, of.changed) for of in changes.values()), strict=True))
    return Change(before, after, rows, changed)


def _describe_change(change: Change) -> dict[str, Any]:
    deltas = describe_rate_deltas(change.after, change.before)
    for metric, values in deltas.items():
        if values is not None:
            values["verdict"] = _judge(metric, values, change.changed)
    return {
        "rows": change.rows,
        "changed": change.changed,
        "before": describe_rates(change.before),
        "after": describe_rates(change.after),
        "change": deltas,
    }


def _judge(metric: str, values: Mapping[str, Any], changed: int) -> str:
    """What the interval of a difference shows; nothing where there is none."""
    if not changed:
        return SAME
    if "interval" not in values:
        return ""
    low, high = values["interval"]
    if low <= 0 <= high:
        return NOT_SHOWN
    return WORSE if (values["delta"] > 0) == (metric in LESS_IS_BETTER) else BETTER
