"""Colour scales whose order shows in grey too, so that no kind of colour vision is needed to read them."""

from collections.abc import Sequence

Colour = tuple[int, int, int]

NUM_STEPS = 20
"""A step of a scale from 0 to 100 is five per cent wide; the figure itself stands in the cell."""

# One hue, and lightness falls (on white paper) or rises (on dark) from each stop to the next.
LIGHT_STOPS: tuple[Colour, ...] = ((239, 246, 251), (170, 209, 231), (74, 152, 201), (22, 93, 150), (8, 43, 86))
DARK_STOPS: tuple[Colour, ...] = ((24, 35, 49), (22, 68, 110), (34, 118, 170), (101, 182, 219), (216, 241, 252))

INK: Colour = (0, 0, 0)  # with white the only pair of which one always has a contrast above 4.5
PAPER: Colour = (255, 255, 255)


def step_of(percent: float) -> int:
    """Find the step of the scale, 0 to ``NUM_STEPS``, for a value in per cent; values outside are clipped."""
    return max(0, min(NUM_STEPS, round(percent / 100 * NUM_STEPS)))


def colour_at(stops: Sequence[Colour], share: float) -> Colour:
    """Interpolate between stops.

    Args:
        stops: at least two colours, evenly spaced over the scale.
        share: place on the scale, 0 to 1.

    Returns:
        Red, green and blue, 0 to 255.
    """
    place = share * (len(stops) - 1)
    left = min(int(place), len(stops) - 2)
    part = place - left
    red, green, blue = (
        round(low + (high - low) * part) for low, high in zip(stops[left], stops[left + 1], strict=True)
    )
    return red, green, blue


def contrast(one: Colour, other: Colour) -> float:
    """Contrast ratio of WCAG 2.2, from 1 (none) to 21 (black on white)."""
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def readable_on(background: Colour) -> Colour:
    """Choose ink or paper, whichever stands out more on a background."""
    return max((INK, PAPER), key=lambda colour: contrast(colour, background))


def to_hex(colour: Colour) -> str:
    """Write a colour as ``#rrggbb``."""
    return "#" + "".join(f"{part:02x}" for part in colour)


def scale_rules(stops: Sequence[Colour]) -> str:
    """Write the CSS of a scale: ``.q0`` to ``.q20`` fill a cell, ``.v0`` to ``.v20`` the figure on it."""
    rules = []
    for step in range(NUM_STEPS + 1):
        fill = colour_at(stops, step / NUM_STEPS)
        rules.append(f".q{step}{{fill:{to_hex(fill)}}}.v{step}{{fill:{to_hex(readable_on(fill))}}}")
    return "".join(rules)


def _luminance(colour: Colour) -> float:
    parts = [part / 255 for part in colour]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
