"""Cosines by layer: means by window, a scale that all maps share, and every figure in its cell."""

from xml.etree import ElementTree

from fairseq_samu.reports.colours import NUM_STEPS
from fairseq_samu.reports.consistency_plots import NUM_WINDOWS
from fairseq_samu.reports.layer_map import common_scale, layer_map_svg, tabulate_layers
from tests.unit.parsed_page import EVIL
from tests.unit.reports.measured import measured

LAYERS = {
    0: [measured(100, layer=0, cosine=0.5), measured(200, layer=0, cosine=-0.1)],
    11: [measured(100, layer=11, cosine=0.25), measured(200, layer=11, cosine=None)],
}


def cells(svg):
    """Title of each cell to its figure and the classes of its boxes."""
    return {
        group.findtext("title"): (group.findtext("text"), [box.get("class") for box in group.findall("rect")])
        for group in ElementTree.fromstring(svg).iter("g")
    }


def test_every_layer_has_its_cells():
    # 0.5 is 0.7 of 0.8 above the least: step 17.5, to the even one; -0.1: 2.5; 0.25: 11.25
    assert cells(layer_map_svg(LAYERS, "a", (-0.2, 0.6))) == {
        "layer 0, update 100: 0.5000, mean of 1": ("0.50", ["q18"]),
        "layer 0, update 200: -0.1000, mean of 1": ("-0.10", ["q2", "own"]),
        "layer 11, update 100: 0.2500, mean of 1": ("0.25", ["q11"]),
        "layer 11, update 200: not known": ("–", ["empty"]),
    }


def test_the_last_layer_is_above_and_updates_go_to_the_right():
    svg = ElementTree.fromstring(layer_map_svg(LAYERS, "a", (-0.2, 0.6)))
    places = {
        g.findtext("title"): (float(g.find("rect").get("x")), float(g.find("rect").get("y"))) for g in svg.iter("g")
    }
    first, later = places["layer 0, update 100: 0.5000, mean of 1"], places["layer 0, update 200: -0.1000, mean of 1"]
    above = places["layer 11, update 100: 0.2500, mean of 1"]
    assert first == (90, 86) and later == (138, 86) and above == (90, 64)


def test_many_updates_are_drawn_as_means_of_windows():
    log = [measured(i, layer=3, cosine=i / 100) for i in range(1, 2 * NUM_WINDOWS + 1)]
    windows, rows = tabulate_layers({3: log})
    assert windows[0] == [1, 2] and len(windows) == NUM_WINDOWS
    assert (round(rows[3][0].mean, 6), rows[3][0].number) == (0.015, 2)
    assert "layer 3, update 1 to 2: 0.0150, mean of 2" in cells(layer_map_svg({3: log}, "a", (0, 0.5)))


def test_a_scale_holds_zero_and_the_figures_of_all_maps():
    other = {0: [measured(1, layer=0, cosine=0.9)]}
    assert common_scale([LAYERS]) == (-0.1, 0.5)
    assert common_scale([LAYERS, other]) == (-0.2, 1.0)
    assert common_scale([other]) == (0.0, 0.9)
    assert common_scale([]) == (0.0, 1.0)
    figures = [text.text for text in ElementTree.fromstring(layer_map_svg(other, "a", (-0.2, 1.0))).iter("text")]
    assert {"-0.2", "0.4", "1"} <= set(figures)


def test_the_ends_of_the_scale_are_its_first_and_last_colour():
    ends = {0: [measured(1, layer=0, cosine=-0.2), measured(2, layer=0, cosine=0.6)]}
    looks = [boxes[0] for _, boxes in cells(layer_map_svg(ends, "a", (-0.2, 0.6))).values()]
    assert looks == ["q0", f"q{NUM_STEPS}"]


def test_a_title_is_no_markup():
    svg = ElementTree.fromstring(layer_map_svg(LAYERS, EVIL, (-0.2, 0.6)))
    assert EVIL in svg.get("aria-label") and EVIL in [text.text for text in svg.iter("text")]
