"""By what form two transcripts are compared: as they stand, or without what a recogniser cannot hear."""

import re
import unicodedata
from collections.abc import Sequence

from fairseq_samu.scoring.value_normalisers import (
    ValueNormaliser,
    combine_normalisers,
    remove_accents,
    remove_punctuation,
)

_APOSTROPHES = "'\u2019\u2018\u02bc\u02b9\u00b4`\uff07"
_JOINERS = "\u200c\u200d"
"""Invisible characters that change how letters of Persian and of Indic scripts are written."""
_AT_AN_END = re.compile(r"(?<![^\s'\u00b7])['\u00b7]|['\u00b7](?![^\s'\u00b7])")
"""An apostrophe or middle dot that does not stand within a word."""


class _Characters(dict[int, int | str | None]):
    """What becomes of a character, worked out when it is first met: letters, marks and digits stay."""

    def __missing__(self, code: int) -> int | str | None:
        letter = chr(code)
        kind = unicodedata.category(letter)
        if letter in _APOSTROPHES:
            self[code] = "'"
        elif kind[0] in "LMN" or letter == "\u00b7" or letter in _JOINERS:
            self[code] = code
        else:
            self[code] = None if kind == "Cf" else " "
        return self[code]


_CHARACTERS = _Characters()


def simplify_text(text: str) -> str:
    """Lower case without punctuation and symbols, in any script.

    Compatible forms become one (NFKC: full-width digits, ligatures). What is no letter, mark or digit becomes a space,
    but for the apostrophe, in all its shapes, and the middle dot of Catalan within a word (``l'home``, ``col·lecció``).
    Marks stay, unlike in the basic rule of Whisper, which cuts words of Indic scripts to pieces. Digits stay digits.
    """
    lowered = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
    return _AT_AN_END.sub(" ", lowered.translate(_CHARACTERS))


def lower_text(text: str) -> str:
    """Lower case; accents written as marks of their own become letters with accents (NFC)."""
    return unicodedata.normalize("NFC", text.lower())


NONE = ValueNormaliser("none", str)
TEXT_NORMALISERS = {
    rule.name: rule
    for rule in (
        NONE,
        ValueNormaliser("lower", lower_text),
        ValueNormaliser("basic", simplify_text),
        ValueNormaliser("punctuation", remove_punctuation),
        ValueNormaliser("accents", remove_accents),
    )
}
"""Rules by the names that the command line takes."""


def combine_text_normalisers(names: Sequence[str]) -> ValueNormaliser:
    """One rule of several, applied in the order given.

    Args:
        names: of :data:`TEXT_NORMALISERS`.

    Raises:
        ConfigError: there is none, or a name is not known.
    """
    return combine_normalisers(names, TEXT_NORMALISERS, "text normaliser", "RecognitionPlan")
