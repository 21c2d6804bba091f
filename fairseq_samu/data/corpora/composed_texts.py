"""What a composition says in a language: plain, with its concepts, and as pairs of neighbours."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise

from fairseq_samu.data.corpora.composed_templates import LANGUAGES, Slot, Unit

SALT = "composed-prompts"
_MISSPELT = {"октрября": "октября"}
_LATIN_LOOKALIKES = str.maketrans("aeopcxy", "аеорсху")

Pair = tuple[str, str, str]
"""A language and the words of two neighbours."""


@dataclass(frozen=True, slots=True)
class Composition:
    """One utterance before it is spoken, the same in every language.

    Args:
        template: name of its template.
        slots: places of the template.
        units: what stands in each of them.
    """

    template: str
    slots: tuple[Slot, ...]
    units: tuple[Unit, ...]

    @property
    def item(self) -> str:
        """Name that depends on what is said and on nothing else."""
        said = " ".join(unit.name for unit in self.units)
        return f"{self.template}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"

    def parts(self, lang: str) -> list[str]:
        """Prompts of the utterance in a language, in order."""
        return [part for unit in self.units for part in unit.parts(lang)]


@dataclass(frozen=True)
class Words:
    """What the prompts say.

    Args:
        texts: plain words of each (prompt, language).
    """

    texts: Mapping[tuple[str, str], str]

    def unit(self, unit: Unit, lang: str) -> str:
        """Words of a unit."""
        return " ".join(self.texts[part, lang] for part in unit.parts(lang))

    def plain(self, composition: Composition, lang: str) -> str:
        """Transcript of a composition without annotation."""
        return " ".join(self.unit(unit, lang) for unit in composition.units)

    def annotated(self, composition: Composition, lang: str) -> str:
        """Transcript with its concepts, such as ``vous avez <count> cinq > messages``."""
        words, concept = [], ""
        for slot, unit in zip(composition.slots, composition.units, strict=True):
            if concept and (slot.starts or not slot.concept):
                words.append(">")
            if slot.starts:
                words.append(f"<{slot.concept}>")
            concept = slot.concept
            words.append(self.unit(unit, lang))
        return " ".join([*words, ">"] if concept else words)

    def pairs(self, composition: Composition) -> set[Pair]:
        """Pairs of neighbours of which at least one is a value, by their words in each language.

        A neighbour is a unit; beside a value also the whole run of carriers up to the next value, because one language
        says in a prompt ("message from extension") what others say in three.
        """
        return {pair for lang in LANGUAGES for pair in self._pairs(composition, lang)}

    def _pairs(self, composition: Composition, lang: str) -> Iterator[Pair]:
        units = composition.units
        for left, right in pairwise(units):
            if left.values or right.values:
                yield lang, self.unit(left, lang), self.unit(right, lang)
        runs = [(bool(value), list(run)) for value, run in groupby(units, lambda unit: bool(unit.values))]
        for (of_values, left_run), (_, right_run) in pairwise(runs):
            ends = (left_run[-1:], right_run) if of_values else (left_run, right_run[:1])
            before, after = (" ".join(self.unit(unit, lang) for unit in end) for end in ends)
            yield lang, before, after


def plain_words(text: str, lang: str) -> str:
    """Reduce the text of a prompt to its words.

    Args:
        text: as published.
        lang: its language.

    Returns:
        Lower case; without punctuation but apostrophes and hyphens inside words; abbreviations without dots; Latin
        letters inside Russian words replaced by the Russian ones that look the same.
    """
    text = text.lower().replace("’", "'")
    text = re.sub(r"(?<=\b\w)\.(?=\w\b)", "", text)  # a.m.
    words = re.findall(r"[^\W_]+(?:['\-][^\W_]+)*", text)
    if lang == "ru":
        words = [word.translate(_LATIN_LOOKALIKES) if re.search("[а-я]", word) else word for word in words]
    return " ".join(_MISSPELT.get(word, word) for word in words)
