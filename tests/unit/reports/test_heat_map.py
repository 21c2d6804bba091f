"""The heat map: every figure in its cell, legible on it, and nothing of the input taken for markup."""

import re
from xml.etree import ElementTree

import pytest

from fairseq_samu.errors import SamuError
from fairseq_samu.reports.colours import (
    DARK_STOPS,
    LIGHT_STOPS,
    NUM_STEPS,
    colour_at,
    contrast,
    readable_on,
    step_of,
    to_hex,
)
from fairseq_samu.reports.heat_grid import heat_map_style
from fairseq_samu.reports.heat_map import heat_map_svg, split_pair

SVG = "{http://www.w3.org/2000/svg}"
PAIRS = {
    "fr-en": {"r1": 61.2, "r10": 90, "pool": 86, "chance_r1": 1.16},
    "en-en": {"r1": 100.0, "r10": 100.0},
    "fr-fr": {"r1": 0, "r10": 3.25},
}


def cells(svg):
    """Title of each cell to the figure that stands in it."""
    return {
        group.findtext(f"{SVG}title"): group.findtext(f"{SVG}text")
        for group in ElementTree.fromstring(svg).iter(SVG + "g")
    }


def test_every_pair_has_its_figure():
    shown = cells(heat_map_svg(PAIRS, "r1"))
    assert shown == {
        "English speech, English text: recall at 1 100.0 %": "100.0",
        "English speech, French text: not measured": "–",
        "French speech, English text: recall at 1 61.2 %, 86 texts searched, chance 1.16 %": "61.2",
        "French speech, French text: recall at 1 0.0 %": "0.0",
    }


def test_measure_is_chosen():
    assert "90.0" in cells(heat_map_svg(PAIRS, "r10")).values()
    assert "Recall at 10, %" in heat_map_svg(PAIRS, "r10")


def test_rows_are_speech_and_columns_are_text():
    svg = ElementTree.fromstring(heat_map_svg({"fr-en": {"r1": 10}, "fr-it": {"r1": 20}}, "r1"))
    boxes = [group.find(f"{SVG}rect") for group in svg.iter(SVG + "g")]
    assert len({box.get("y") for box in boxes}) == 1
    assert len({box.get("x") for box in boxes}) == 2


def test_same_language_is_framed():
    svg = ElementTree.fromstring(heat_map_svg(PAIRS, "r1"))
    framed = [len(group.findall(f"{SVG}rect")) for group in svg.iter(SVG + "g")]
    assert framed == [2, 1, 1, 2]


def test_inline_leaves_style_to_the_page():
    svg = heat_map_svg(PAIRS, "r1", inline=True)
    assert "<style" not in svg and "xmlns" not in svg
    used = set(re.findall(r'class="([qv]\d+)"', svg))
    assert used and all(f".{name}{{" in heat_map_style() for name in used)


def test_names_are_no_markup():
    svg = heat_map_svg({"<script>-en": {"r1": 1.0, "pool": "<b>"}}, "r1")
    assert "<script" not in svg and "<b>" not in svg
    ElementTree.fromstring(svg)


@pytest.mark.parametrize("stops", [LIGHT_STOPS, DARK_STOPS])
def test_figures_are_legible_and_order_shows_without_colour(stops):
    scale = [colour_at(stops, step / NUM_STEPS) for step in range(NUM_STEPS + 1)]
    assert min(contrast(colour, readable_on(colour)) for colour in scale) > 4.5
    black = [contrast(colour, (0, 0, 0)) for colour in scale]
    assert black == sorted(black, reverse=stops is LIGHT_STOPS)


@pytest.mark.parametrize(("percent", "step"), [(0, 0), (2.4, 0), (2.6, 1), (50, 10), (100, 20), (120, 20), (-3, 0)])
def test_steps(percent, step):
    assert step_of(percent) == step


def test_contrast_and_hex_have_known_values():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert to_hex((1, 171, 255)) == "#01abff"
    assert colour_at(((0, 0, 0), (100, 50, 0)), 0.5) == (50, 25, 0)


@pytest.mark.parametrize(
    ("pairs", "measure", "message"),
    [
        ({}, "r1", "pairs"),
        ({"fr": {"r1": 1}}, "r1", "one hyphen"),
        ({"fr-en-it": {"r1": 1}}, "r1", "one hyphen"),
        ({"fr-en": {"r1": 120}}, "r1", "pairs.fr-en: `r1` must be a figure from 0 to 100"),
        ({"fr-en": {"r1": True}}, "r1", "r1"),
        ({"fr-en": {"r1": float("nan")}}, "r1", "nan"),
        ({"fr-en": {}}, "r1", "None"),
        ({"fr-en": {"r1": 1}}, "r2", "one of r1, r5"),
    ],
)
def test_faults_are_named(pairs, measure, message):
    with pytest.raises(SamuError, match=message):
        heat_map_svg(pairs, measure)


def test_pair_is_split():
    assert split_pair("en_XX-fr_XX") == ("en_XX", "fr_XX")
