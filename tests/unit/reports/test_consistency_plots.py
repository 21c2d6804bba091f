"""Curves of gradients: lines that hold the right figures, at hand-checked places, told apart by more than colour."""

from xml.etree import ElementTree

import pytest

from fairseq_samu.reports.consistency_plots import (
    NUM_WINDOWS,
    Arm,
    draw_curves,
    mean_by_window,
    share_of_cost,
    split_windows,
)
from tests.unit.parsed_page import EVIL
from tests.unit.reports.measured import measured

LOG = [
    measured(100, cosine=0.5, norm=0.2, main_norm=0.1),
    measured(100, task="mt", module="decoder", cosine=-0.25, norm=0.1, main_norm=0.1),
    measured(200, cosine=0.25, norm=0.1, main_norm=0.1, weight=0.5),
    measured(300, cosine=None, norm=0.1, main_norm=0.2, weight=0.0),
    measured(300, task="mt", module="decoder", cosine=0.0, norm=None, main_norm=None),
]


def lines_of(image):
    """Name in the legend to look and points of each line."""
    svg = ElementTree.fromstring(image)
    drawn = [(line.get("class"), line.get("points")) for line in svg.iter("polyline")]
    names = [text.text for text in svg.findall("text") if text.get("class") is None][1:]
    count = len(drawn) - len(names)
    return dict(zip(names, drawn[:count], strict=True)) if names else {"": drawn[0]}


def test_windows_are_runs_of_neighbours_of_like_size():
    assert split_windows([], 4) == []
    assert split_windows([3, 1, 2, 2], 4) == [[1], [2], [3]]
    assert split_windows(range(10), 4) == [[0, 1], [2, 3, 4], [5, 6], [7, 8, 9]]
    assert mean_by_window([(i, 2.0 * i) for i in range(NUM_WINDOWS * 3)])[:2] == [(1.0, 2.0), (4.0, 8.0)]


def test_cosines_by_module_on_one_axis():
    images = draw_curves([Arm("a", LOG)])["cosine"]
    assert list(images) == ["acoustic_encoder", "decoder"]
    # across 52 to 308 for updates 100 to 300; down 194 (-0.4) to 34 (0.6): 160 pixels for 1
    assert lines_of(images["acoustic_encoder"])["ASR"] == ("c1", "52.0,50.0 180.0,90.0")
    assert lines_of(images["decoder"])["MT"] == ("c5 dashed", "52.0,170.0 308.0,130.0")
    assert 'd="M52 130.0H308"' in images["decoder"].partition('class="axis" ')[2].partition('class="axis" ')[2]


def test_ratios_are_drawn_around_one():
    images = draw_curves([Arm("a", LOG)])["ratio"]
    # ratios 2, 1, 0.5 on ticks 0.5, 1, 2: the ends and the middle of 34 to 194
    assert lines_of(images["acoustic_encoder"])["ASR"][1] == "52.0,34.0 180.0,114.0 308.0,194.0"


def test_norms_stand_beside_those_of_translation():
    lines = lines_of(draw_curves([Arm("a", LOG)])["norm"]["acoustic_encoder"])
    assert list(lines) == ["ASR", "ST"]
    # 0.1 and 0.2 are the ends of the axis
    assert lines["ASR"][1] == "52.0,34.0 180.0,194.0 308.0,194.0"
    assert lines["ST"] == ("c3 dotted", "52.0,194.0 180.0,194.0 308.0,34.0")


def test_weights_hold_until_they_change_and_drops_are_marked():
    image = draw_curves([Arm("a", LOG)])["weight"]["weight"]
    lines = lines_of(image)
    # across 52 to 684, down 184 (0) to 34 (1)
    assert lines["ASR"][1] == "52.0,34.0 368.0,34.0 368.0,109.0 684.0,109.0 684.0,184.0"
    assert lines["MT"][1] == "52.0,34.0 684.0,34.0 684.0,34.0"
    assert "ASR dropped at 300" in image and "MT dropped" not in image


def test_costs_in_seconds_and_as_a_share():
    arm = Arm("a", LOG, [(100, 1000.0), (250, 2500.0), (300, 0.0)])
    # 0.25 s an update: 25 s of 1000, 50 s (measured at 200) of 2500; where no time has passed there is no share
    assert share_of_cost(arm) == [(100, 2.5), (250, 2.0)]
    assert list(draw_curves([arm])["cost"]) == ["seconds", "share"]
    assert list(draw_curves([Arm("a", LOG)])["cost"]) == ["seconds"]


def test_many_points_are_drawn_faintly_below_their_means():
    log = [measured(i, cosine=0.5 if i % 2 else 0.25) for i in range(1, 65)]
    svg = ElementTree.fromstring(draw_curves([Arm("a", log)])["cosine"]["acoustic_encoder"])
    faint, bold, _ = svg.iter("polyline")
    assert faint.get("class") == "c1 faint" and len(faint.get("points").split()) == 64
    assert bold.get("class") == "c1" and len(bold.get("points").split()) == NUM_WINDOWS
    assert {point.split(",")[1] for point in bold.get("points").split()} == {"74.0"}  # 0.375 on 0 ... 0.5, 34 to 194


def test_trainings_side_by_side_have_colours_and_tasks_have_dashes():
    images = draw_curves([Arm("one", LOG), Arm(EVIL, LOG)])
    looks = {name: look for name, (look, _) in lines_of(images["norm"]["decoder"]).items()}
    assert looks == {
        "one: MT": "c0 dashed",
        "one: ST": "c0 dotted",
        f"{EVIL}: MT": "c1 dashed",
        f"{EVIL}: ST": "c1 dotted",
    }
    ElementTree.fromstring(images["weight"]["weight"])


@pytest.mark.parametrize("field", ["cosine", "norm"])
def test_what_was_never_known_has_no_panel(field):
    assert draw_curves([Arm("a", [measured(1, **{field: None})])])[field] == {}
