"""The plot of a compressed utterance: everything below its moment, nothing taken for markup."""

from xml.etree import ElementTree

import numpy as np
import pytest

from fairseq_samu.reports.colours import contrast
from fairseq_samu.reports.compression_plot import LONGEST_LABEL, compression_svg, plot_rules
from fairseq_samu.reports.concept_colours import DARK_CARD, LIGHT_CARD
from tests.unit.parsed_page import EVIL
from tests.unit.reports.compressed import compressed


def parsed(row):
    return ElementTree.fromstring(compression_svg(row))


def test_every_frame_has_its_label_and_its_segment():
    frames = [box for box in parsed(compressed()).iter("rect") if box.find("title") is not None]
    assert [box.get("x") for box in frames] == [f"{110 + 12 * i + 0.5:g}" for i in range(10)]
    # segments in turn q5 and q10, blanks pale, what was dropped hatched
    looks = ["q5", "q5", "empty", "empty", "q5", "q5", "q5", "dropped", "q10", "q10"]
    assert [box.get("class") for box in frames] == looks
    assert frames[4].findtext("title") == "frame 4, 0.08 s: b, segment 2"
    assert frames[7].findtext("title") == "frame 7, 0.14 s: blank, dropped"


def test_segments_begin_at_their_boundaries_with_label_and_query():
    image = parsed(compressed())
    bounds = [path.get("d") for path in image.iter("path") if path.get("d").endswith("V210")]
    assert bounds == ["M110 50V210", "M134 50V210", "M158 50V210", "M206 50V210"]
    labels = [(text.get("transform"), text[0].tail) for text in image.iter("text") if text.get("transform")]
    assert labels == [
        ("translate(120 188) rotate(-90)", "a"),
        ("translate(168 188) rotate(-90)", "b"),
        ("translate(216 188) rotate(-90)", "c"),
    ]
    dots = [(dot.get("cx"), dot.findtext("title")) for dot in image.iter("circle")]
    assert dots[:2] == [("116", "query of segment 0: frame 0"), ("140", "query of segment 1: frame 2")]
    assert [x for x, _ in dots[2:]] == ["164", "212"]


def test_means_have_no_query():
    image = parsed(compressed(keeps_first=False))
    assert not list(image.iter("circle")) and "queries" not in [text.text for text in image.iter("text")]


def test_attention_is_drawn_relative_to_the_highest_of_its_row():
    drawn = {
        path.get("class"): path.get("d") for path in parsed(compressed()).iter("path") if path.get("class")[0] == "q"
    }
    # rows begin at 240; 0.25 of 0.75 is step 7, 0.4 of 0.6 step 13; neighbours of one step are one box
    assert drawn == {
        "q7": "M122 240h12v12h-12z",
        "q13": "M158 276h12v12h-12z",
        "q20": "M110 240h12v12h-12zM134 252h24v12h-24zM110 264h120v12h-120zM206 276h12v12h-12z",
    }


def test_own_frames_are_outlined():
    outlines = [
        p.get("d") for p in parsed(compressed()).iter("path") if p.get("class") == "axis" and "h-" in p.get("d")
    ]
    assert outlines == [
        "M110 240h24v12h-24z",
        "M134 252h24v12h-24z",
        "M158 264h36v12h-36z",
        "M206 276h24v12h-24z",
    ]


def test_the_wave_is_scaled_to_its_loudest_sample():
    (path,) = [path.get("d") for path in parsed(compressed()).iter("path") if path.get("class") == "wave"]
    points = path.strip("MZ").split("L")
    assert len(points) == 2 * 4 * 10
    # middle 80, half 30: the first frame at 0.5 is the upper end, the second at -0.25 half of the lower part
    assert points[0] == "111.5 50.0" and points[4] == "123.5 95.0" and points[8] == "135.5 80.0"
    assert "nan" not in compression_svg(compressed(wave=np.zeros(3200, dtype=np.float32)))


def test_the_clock():
    times = [
        (text.get("x"), text.text) for text in parsed(compressed()).iter("text") if (text.text or "").endswith(" s")
    ]
    assert times == [("110.0", "0 s")]
    longer = parsed(compressed(wave=np.ones(16000, dtype=np.float32)))
    times = [(text.get("x"), text.text) for text in longer.iter("text") if (text.text or "").endswith(" s")]
    assert times == [("110.0", "0 s"), ("170.0", "0.5 s"), ("230.0", "1 s")]


def test_what_comes_from_outside_is_no_markup_and_long_labels_are_cut():
    row = compressed(id=EVIL, labels=[EVIL, *["▁" + "x" * 50] * 9])
    image = parsed(row)
    assert EVIL in image.get("aria-label")
    texts = ["".join(text.itertext()) for text in image.iter("text")]
    assert "_" + "x" * (LONGEST_LABEL - 2) + "…" in texts
    assert EVIL in [title.text for title in image.iter("title")]


@pytest.mark.parametrize(("rules", "card"), list(zip(plot_rules(), (LIGHT_CARD, DARK_CARD), strict=True)))
def test_what_has_no_figure_stands_out_from_its_ground(rules, card):
    for name in ("wave", "kept"):
        colour = rules.partition(f".{name}{{fill:#")[2][:6]
        assert contrast(tuple(bytes.fromhex(colour)), card) >= 3
    assert ".dropped{" in rules and ".q5{" in rules and ".q10{" in rules
