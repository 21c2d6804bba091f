"""What a concept's value is compared by: the words as they stand, or a form that leaves differences of spelling out."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fairseq_samu.errors import ConfigError, explain


@dataclass(frozen=True)
class ValueNormaliser:
    """A rule by which two values count as the same.

    A rule of one's own is given to :class:`fairseq_samu.scoring.understanding.UnderstandingPlan`, such as
    ``ValueNormaliser("digits", words_to_digits)``; its name stands in the signature of the score.

    Attributes:
        name: for signatures.
        function: from a value, its words with single spaces between them, to the form that is compared.
    """

    name: str
    function: Callable[[str], str]

    def __call__(self, value: str) -> str:
        """Form to compare, with single spaces."""
        return " ".join(self.function(value).split())


def remove_punctuation(value: str) -> str:
    """Put a space for each punctuation mark, also within a word: ``l'aube`` and ``l' aube`` become the same."""
    return "".join(" " if unicodedata.category(letter).startswith("P") else letter for letter in value)


def remove_accents(value: str) -> str:
    """Leave out what stands above, below or through a letter as a mark of its own in Unicode's decomposed form."""
    decomposed = unicodedata.normalize("NFD", value)
    return unicodedata.normalize("NFC", "".join(letter for letter in decomposed if not unicodedata.combining(letter)))


IDENTITY = ValueNormaliser("identity", str)
NORMALISERS = {
    rule.name: rule
    for rule in (
        IDENTITY,
        ValueNormaliser("lowercase", str.lower),
        ValueNormaliser("punctuation", remove_punctuation),
        ValueNormaliser("accents", remove_accents),
    )
}
"""Rules by the names that the command line takes."""


def combine_normalisers(
    names: Sequence[str],
    rules: Mapping[str, ValueNormaliser] = NORMALISERS,
    thing: str = "value normaliser",
    plan: str = "UnderstandingPlan",
) -> ValueNormaliser:
    """One rule of several, applied in the order given.

    Args:
        names: of the rules.
        rules: by name.
        thing: what they are, for the message.
        plan: what takes other rules, for the message.

    Raises:
        ConfigError: there is none, or a name is not known.
    """
    unknown = [name for name in names if name not in rules]
    if unknown or not names:
        rule = f"of {', '.join(rules)}"
        mend = f"Correct the name; a rule of your own goes into {plan}, from Python."
        raise ConfigError(explain("", thing, rule, ", ".join(unknown) or "none", mend))
    chosen = [rules[name] for name in dict.fromkeys(names)]
    if len(chosen) == 1:
        return chosen[0]

    def apply_all(value: str) -> str:
        for one in chosen:
            value = one(value)
        return value

    return ValueNormaliser("+".join(one.name for one in chosen), apply_all)
