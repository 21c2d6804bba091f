"""A colour for each concept: told apart without seeing red or green, and never the only mark of a concept.

Concepts of one colour differ by the line at their side, and every concept shows its name.
"""

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence

from fairseq_samu.reports.colours import Colour, colour_at, to_hex

# On dark cards those of Okabe and Ito (Wong, Points of view: Color blindness, Nature Methods 8, 2011); on white ones of
# the same families that are dark enough to stand out and differ in lightness too.
LIGHT_EDGES: tuple[Colour, ...] = (
    (176, 140, 4),
    (9, 106, 225),
    (26, 162, 150),
    (69, 56, 19),
    (10, 67, 121),
    (147, 82, 20),
    (219, 29, 99),
)
DARK_EDGES: tuple[Colour, ...] = (
    (240, 228, 66),
    (86, 180, 233),
    (0, 158, 115),
    (230, 159, 0),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
LINES = ("solid", "double", "dashed", "dotted")
NUM_COLOURS = len(LIGHT_EDGES)
NUM_LOOKS = NUM_COLOURS * len(LINES)

LIGHT_CARD: Colour = (255, 255, 255)
DARK_CARD: Colour = (22, 29, 39)
"""What concepts lie on: ``--card`` of page.css."""
LIGHT_TINT, DARK_TINT = 0.14, 0.19


def assign_looks(names: Iterable[str], more: Iterable[str] = ()) -> dict[str, int]:
    """Give each concept a look; colours are used equally often, so that a set of concepts always gets the same ones.

    Args:
        names: concepts of the references, which do not change with the system.
        more: concepts that only hypotheses have; they do not change the looks of the others.

    Returns:
        Name to number of a look, below ``NUM_LOOKS``; names share looks where there are more.
    """
    used: Counter[int] = Counter()
    looks: dict[str, int] = {}
    for name in [*sorted(set(names)), *sorted(set(more))]:
        if name in looks:
            continue
        wanted = zlib.crc32(name.encode("utf-8", "surrogatepass"))
        colour = min(range(NUM_COLOURS), key=lambda place: (used[place], (place - wanted) % NUM_COLOURS))
        looks[name] = colour + NUM_COLOURS * (used[colour] % len(LINES))
        used[colour] += 1
    return looks


def tint(edge: Colour, card: Colour, share: float) -> Colour:
    """Mix a share of a colour into that of a card, to lie below the words of a concept."""
    return colour_at((card, edge), share)


def look_rules() -> str:
    """Write the CSS of all looks, ``.k0`` and so on: the variables ``--tint``, ``--edge`` and ``--side``."""
    sides = [f"{_selector(range(i * NUM_COLOURS, (i + 1) * NUM_COLOURS))}{{--side:{x}}}" for i, x in enumerate(LINES)]
    dark = _colour_rules(DARK_EDGES, DARK_CARD, DARK_TINT)
    light = _colour_rules(LIGHT_EDGES, LIGHT_CARD, LIGHT_TINT)
    return f"{''.join(sides)}{light}@media(prefers-color-scheme:dark){{{dark}}}"


def _colour_rules(edges: Sequence[Colour], card: Colour, share: float) -> str:
    return "".join(
        f"{_selector(range(place, NUM_LOOKS, NUM_COLOURS))}"
        f"{{--tint:{to_hex(tint(edge, card, share))};--edge:{to_hex(edge)}}}"
        for place, edge in enumerate(edges)
    )


def _selector(looks: Iterable[int]) -> str:
    return ",".join(f".k{look}" for look in looks)
