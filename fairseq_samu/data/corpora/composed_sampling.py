"""Which compositions there are, and which of them are held out: combinations that training never has."""

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache

from fairseq_samu.data.corpora.composed_templates import LANGUAGES, TEMPLATES, VALUES, Slot, Unit, parse_template
from fairseq_samu.data.corpora.composed_texts import SALT, Composition, Words
from fairseq_samu.data.corpora.splits import hash_order, normalise_for_leaks
from fairseq_samu.errors import ConfigError, explain

HELD_OUT_SHARE = 0.3
TEST_SHARE, VALID_SHARE = 0.175, 0.075
_TRIES = 400  # draws in a row without a new composition after which a template counts as used up


@cache
def _held_values(neighbour: str, values: str, before: bool) -> frozenset[str]:
    names = [unit.name for unit in VALUES[values]]
    count = min(len(names) - 1, max(1, round(HELD_OUT_SHARE * len(names))))
    return frozenset(hash_order(names, f"{SALT}/{neighbour}/{values}/{before}")[:count])


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
    stands in training. Each unit of them does stand there, beside others.

    Args:
        words: what the prompts say.
        utterances: compositions of all splits together.

    Returns:
        Compositions by split.

    Raises:
        ConfigError: where there are not as many.
    """
    test, valid = round(TEST_SHARE * utterances), round(VALID_SHARE * utterances)
    unknown: set[str] = set()
    while True:
        held, train = _choose(words, test + valid, utterances - test - valid, unknown)
        new = _units(held) - _units(train)
        if not new:
            break
        unknown |= new
    # Evenly out of each template, so that validation has every concept.
    by_template = sorted(range(len(held)), key=lambda at: held[at].template)
    chosen = {by_template[at * len(held) // valid] for at in range(valid)}
    return {
        "train": train,
        "valid": [held[at] for at in sorted(chosen)],
        "test": [composition for at, composition in enumerate(held) if at not in chosen],
    }


def _choose(
    words: Words, held_out: int, training: int, unknown: Collection[str]
) -> tuple[list[Composition], list[Composition]]:
    """Compositions of the held-out splits, without the units that training would not know, and of training."""
    seen: set[str] = set()

    def is_new(composition: Composition) -> bool:
        texts = {normalise_for_leaks(words.plain(composition, lang)) for lang in LANGUAGES}
        if texts & seen:
            return False
        seen.update(texts)
        return True

    held = _by_turns(held_out, True, lambda c: not _units([c]) & set(unknown) and is_new(c))
    banned = {pair for composition in held for pair in words.pairs(composition)}
    return held, _by_turns(training, False, lambda c: not banned & words.pairs(c) and is_new(c))


def _units(compositions: Iterable[Composition]) -> set[str]:
    return {unit.name for composition in compositions for unit in composition.units}


def _by_turns(wanted: int, held_out: bool, accept: Callable[[Composition], bool]) -> list[Composition]:
    rng = random.Random(f"{SALT}/{held_out}")
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
