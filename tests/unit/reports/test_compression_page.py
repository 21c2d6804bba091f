"""The page of compression: its parts, escaped texts, and images as files."""

from xml.etree import ElementTree

import pytest

from fairseq_samu.reports.compression_page import WEIGHTS, build_page, draw_images, list_files
from tests.unit.parsed_page import EVIL, Page
from tests.unit.reports.compressed import compressed

COUNTS = [compressed().counts(), compressed(id="b").counts()]


def page_of(rows, counts=(), scope="segment"):
    images = draw_images(rows, counts)
    return Page(build_page(rows, counts, images, [b"RIFF"] * len(rows), scope, {"checkpoint": EVIL}))


@pytest.mark.parametrize("scope", WEIGHTS)
def test_utterances_and_all_rows(scope):
    page = page_of([compressed(), compressed(id="it/2", text="")], COUNTS, scope)
    assert len(page.find("svg")) == 2 + 2 and len(page.find("audio")) == 2
    assert len(page.find("details")) == 2 and len(page.find("q")) == 1
    assert len(page.find("table")) == 2 + 2 + 1
    assert "3 (30.0 %)" in page.text and "6 (30.0 %)" in page.text
    assert page.text.count(WEIGHTS[scope]) == 2
    assert "script" not in page.tags
    assert all(address.startswith("data:audio/wav") for address in page.addresses)


def test_rows_alone():
    page = page_of([compressed(keeps_first=False)])
    assert len(page.find("svg")) == 1
    assert "ratio" not in [section.get("id") for section in page.find("section")]
    assert "query of its segment" not in page.text


def test_texts_are_no_markup():
    page = page_of([compressed(id=EVIL, text=EVIL)], COUNTS)
    assert "script" not in page.tags
    assert page.text.count(EVIL) == 4, "heading, title of the plot, text, signature"


def test_every_class_has_its_rule_for_light_and_dark():
    text = build_page([compressed()], COUNTS, draw_images([compressed()], COUNTS), [b""], "global", {})
    light, _, dark = text.partition("</style>")[0].rpartition("@media(prefers-color-scheme:dark)")
    page = Page(text)
    used = {x["class"] for kind in ("rect", "circle", "path") for x in page.find(kind) if x.get("class")}
    assert {"wave", "kept", "dropped", "bars", "axis", "empty"} <= used
    assert [name for name in used if f".{name}{{" not in light] == []
    own = used - {"axis", "empty"}  # their colours are variables of page.css
    assert [name for name in own if f".{name}{{" not in dark] == []


def test_images_are_files_too():
    files = list_files(draw_images([compressed(), compressed()], COUNTS))
    assert list(files) == ["row_1.svg", "row_2.svg", "ratios.svg", "blanks.svg"]
    for text in files.values():
        assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(" not in text
