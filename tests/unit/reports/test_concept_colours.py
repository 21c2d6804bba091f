"""Colours of concepts: stable, legible, and apart for every kind of colour vision."""

from itertools import combinations

import numpy as np
import pytest

from fairseq_samu.reports.colours import contrast
from fairseq_samu.reports.concept_colours import (
    DARK_CARD,
    DARK_EDGES,
    DARK_TINT,
    LIGHT_CARD,
    LIGHT_EDGES,
    LIGHT_TINT,
    NUM_COLOURS,
    NUM_LOOKS,
    assign_looks,
    look_rules,
    tint,
)

MODES = [
    pytest.param(LIGHT_EDGES, LIGHT_CARD, LIGHT_TINT, ("1b2733", "536271", "a3341b"), id="light"),
    pytest.param(DARK_EDGES, DARK_CARD, DARK_TINT, ("e4ebf2", "9fb0c0", "ff9b80"), id="dark"),
]
# Machado, Oliveira and Fernandes, 2009, severity 1.0, on linear red, green and blue.
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
TO_XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]


def lab_of(colour, vision):
    """CIE L*a*b* of what an eye of some kind sees."""
    parts = np.array(colour) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    xyz = np.array(TO_XYZ) @ np.clip(np.array(vision) @ linear, 0, 1) / [0.95047, 1.0, 1.08883]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize(("edges", "card", "share", "inks"), MODES)
def test_colours_are_apart_for_every_eye(edges, card, share, inks, vision):
    seen = [lab_of(edge, VISION[vision]) for edge in edges]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 15


@pytest.mark.parametrize(("edges", "card", "share", "inks"), MODES)
def test_lines_stand_out_and_words_are_legible(edges, card, share, inks):
    assert min(contrast(edge, card) for edge in edges) >= 3
    for ink in inks:
        colour = tuple(bytes.fromhex(ink))
        assert min(contrast(colour, tint(edge, card, share)) for edge in edges) >= 4.5
        assert f"#{ink}" in page_css()


def page_css():
    """What pages have in common."""
    from importlib.resources import files

    return (files("fairseq_samu.reports") / "page.css").read_text("utf-8")


def test_cards_are_those_of_the_page():
    assert "--card:#fff;" in page_css() and "--card:#161d27;" in page_css()
    assert DARK_CARD == (0x16, 0x1D, 0x27)


def test_a_set_of_concepts_always_has_the_same_looks():
    names = [f"concept-{i}" for i in range(20)]
    looks = assign_looks(names)
    assert assign_looks(reversed(names)) == assign_looks([*names, *names]) == looks
    more = assign_looks(names, ["another", "concept-3"])
    assert {name: more[name] for name in names} == looks
    assert more["another"] not in looks.values()


def test_colours_are_used_up_before_one_comes_again():
    looks = assign_looks(f"concept-{i}" for i in range(NUM_LOOKS))
    assert sorted(looks.values()) == list(range(NUM_LOOKS))
    few = assign_looks(f"concept-{i}" for i in range(NUM_COLOURS))
    assert len({look % NUM_COLOURS for look in few.values()}) == NUM_COLOURS


def test_more_concepts_than_looks_share_them():
    looks = assign_looks(f"concept-{i}" for i in range(2 * NUM_LOOKS + 1))
    assert set(looks.values()) == set(range(NUM_LOOKS))


def test_every_look_has_its_rule():
    rules = look_rules()
    for look in range(NUM_LOOKS):
        # its line, its light and its dark colours
        assert rules.count(f".k{look},") + rules.count(f".k{look}{{") == 3
