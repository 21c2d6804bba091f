"""Which rows of a test set are scored, and which of them are of which language or pair of languages."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

from fairseq_samu.data.language_codes import canonical_language
from fairseq_samu.data.manifest import Row
from fairseq_samu.errors import ConfigError, explain

WHOLE = "all"
"""Name of the only pair where no language is known."""


@dataclass
class Pair:
    """Rows of one pair of languages.

    Attributes:
        target: language of the texts, two letters; None where it is not known.
        rows: places of its rows in the test set.
    """

    target: Optional[str]
    rows: list[int] = field(default_factory=list)


def select_languages(arguments: argparse.Namespace, rows: Optional[list[Row]]) -> Optional[list[int]]:
    """Find the places of the rows in the languages that the command line names; None where it names none.

    Args:
        arguments: ``languages`` and ``manifest`` of the command line.
        rows: of the manifest; None without one.

    Raises:
        ConfigError: there is no manifest, or no such row in it.
    """
    wanted = {_canonical(name.strip()) for name in (arguments.languages or "").split(",") if name.strip()}
    if not wanted:
        return None
    if rows is None:
        mend = "Give --manifest TSV, whose src_lang tells the language of each row."
        raise ConfigError(explain("", "--languages", "given with a manifest", arguments.languages, mend))
    chosen = [place for place, row in enumerate(rows) if _canonical(row.src_lang or "") in wanted]
    if not chosen:
        there = ", ".join(sorted({row.src_lang or "none" for row in rows}))
        mend = f"It has {there}."
        raise ConfigError(explain(str(arguments.manifest), "--languages", "of rows in it", arguments.languages, mend))
    return chosen


def split_pairs(
    rows: Optional[Sequence[Row]], count: int, language: Optional[str], of_speech: bool = False
) -> dict[str, Pair]:
    """Find the rows of each pair of languages.

    Args:
        rows: of a manifest; None without one.
        count: of the texts.
        language: of the texts (``en``), or the pair (``fr-en``), where no manifest tells it.
        of_speech: the texts are in the language of the speech, whatever it is translated into.

    Returns:
        By a name such as ``fr-en``, or ``fr`` where one language is known.
    """
    given_source, _, given_target = (language or "").rpartition("-")
    pairs: dict[str, Pair] = {}
    for place in range(count):
        row = rows[place] if rows else Row(0)
        source, target = row.src_lang or given_source, row.tgt_lang or given_target
        if of_speech:
            source, target = "", source or given_target
        source, target = _canonical(source), _canonical(target)
        name = "-".join(filter(None, (source, target))) or WHOLE
        pairs.setdefault(name, Pair(target or None)).rows.append(place)
    return pairs


def name_languages(pairs: dict[str, Pair]) -> dict[str, list[int]]:
    """Rows by language, ``fr`` for speech and text in French; none where no language is known."""
    named = {}
    for name, pair in pairs.items():
        source, _, target = name.partition("-")
        named[source if source == target else name] = pair.rows
    return {} if list(named) == [WHOLE] else named


def _canonical(code: str) -> str:
    return canonical_language(code) or code
