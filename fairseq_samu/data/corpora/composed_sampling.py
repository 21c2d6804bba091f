"""Which compositions there are, and which of them are held out: combinations that training never has."""

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from fairseq_samu.data.corpora.composed_templates import LANGUAGES, TEMPLATES, VALUES, Slot, Unit, parse_template
from fairseq_samu.data.corpora.splits import hash_order, normalise_for_leaks
from fairseq_samu.errors import ConfigError, explain

HELD_OUT_SHARE = 0.3
TEST_SHARE, VALID_SHARE = 0.175, 0.075
_SALT = "composed-prompts"
_TRIES = 400  # draws in a row without a new composition after which a template counts as used up

Pair = tuple[str, str, str]
"""A language and the words of two neighbouring units."""


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
        """Pairs of neighbouring units of which at least one is a value, by their words in each language."""
        return {
            (lang, self.unit(left, lang), self.unit(right, lang))
            for left, right in pairwise(composition.units)
            if left.values or right.values
            for lang in LANGUAGES
        }


@cache
def _held_values(neighbour: str, values: str, before: bool) -> frozenset[str]:
    names = [unit.name for unit in VALUES[values]]
    count = min(len(names) - 1, max(1, round(HELD_OUT_SHARE * len(names))))
    return frozenset(hash_order(names, f"{_SALT}/{neighbour}/{values}/{before}")[:count])


def is_held_out(left: Unit, right: Unit) -> bool:
    """Say whether a pair of neighbouring units may stand in the held-out splits only.

    For each unit that can stand on one side, three in ten values of each list, by the order of a hash, are held out.

    Args:
        left: a carrier or value.
        right: what follows it; one of the two is a value.

    Returns:
        True for the held-out splits, False for training.
    """
    if right.values:
        return right.name in _held_values(left.name, right.values, True)
    return left.name in _held_values(right.name, left.values, False)


def draw(template: str, slots: Sequence[Slot], held_out: bool, rng: random.Random) -> Composition | None:
    """Draw a composition all of whose pairs are held out, or none of them.

    Args:
        template: name of the template.
        slots: its places.
        held_out: which of the two.
        rng: draws.

    Returns:
        The composition; None where the draw came to a dead end.
    """
    units: list[Unit] = []
    for slot in slots:
        choices: Sequence[Unit] = slot.choices
        if units and (units[-1].values or slot.concept):
            choices = [unit for unit in choices if is_held_out(units[-1], unit) == held_out]
        if not choices:
            return None
        units.append(rng.choice(choices))
    return Composition(template, tuple(slots), tuple(units))


def compose(words: Words, utterances: int) -> dict[str, list[Composition]]:
    """Choose the compositions of each split, all templates by turns.

    No two compositions have equal words in any language, and no pair of the held-out splits (:meth:`Words.pairs`)
    stands in training.

    Args:
        words: what the prompts say.
        utterances: compositions of all splits together.

    Returns:
        Compositions by split.

    Raises:
        ConfigError: where there are not as many.
    """
    test, valid = round(TEST_SHARE * utterances), round(VALID_SHARE * utterances)
    seen: set[str] = set()

    def is_new(composition: Composition) -> bool:
        texts = {normalise_for_leaks(words.plain(composition, lang)) for lang in LANGUAGES}
        if texts & seen:
            return False
        seen.update(texts)
        return True

    held = _by_turns(test + valid, True, is_new)
    banned = set().union(*map(words.pairs, held)) if held else set()
    train = _by_turns(utterances - test - valid, False, lambda c: not banned & words.pairs(c) and is_new(c))
    # Templates come by turns, so that a stride takes each of them for validation.
    stride = max(1, len(held) // max(1, valid))
    chosen = set(range(0, len(held), stride)) if valid else set()
    chosen = set(sorted(chosen)[:valid])
    return {
        "train": train,
        "valid": [held[at] for at in sorted(chosen)],
        "test": [composition for at, composition in enumerate(held) if at not in chosen],
    }


def _by_turns(wanted: int, held_out: bool, accept: Callable[[Composition], bool]) -> list[Composition]:
    rng = random.Random(f"{_SALT}/{held_out}")
    found: list[Composition] = []
    for composition in _endless(held_out, accept, rng):
        if len(found) == wanted:
            return found
        found.append(composition)
    if len(found) < wanted:
        mend = "Ask for fewer with --utterances."
        raise ConfigError(explain("--utterances", "compositions", f"at least {wanted}", len(found), mend))
    return found


def _endless(held_out: bool, accept: Callable[[Composition], bool], rng: random.Random) -> Iterator[Composition]:
    """Compositions, one a template and turn, until all templates are used up."""
    open_templates = {name: tuple(parse_template(text)) for name, text in TEMPLATES.items()}
    while open_templates:
        for name, slots in list(open_templates.items()):
            for _ in range(_TRIES):
                composition = draw(name, slots, held_out, rng)
                if composition and accept(composition):
                    yield composition
                    break
            else:
                del open_templates[name]
