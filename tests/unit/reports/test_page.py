"""The parts that pages have in common."""

import base64

import pytest

from fairseq_samu.reports.page import audio_element, build_document, list_signature, select_element, take_in_turn
from tests.unit.parsed_page import EVIL, Page


def test_a_document_has_its_own_style_and_script_and_nothing_from_elsewhere():
    text = build_document(EVIL, EVIL, ["<section>one</section>"], "retrieval_page", ".own-rule{color:red}")
    page = Page(text)
    assert page.tags.count("script") == page.tags.count("style") == page.tags.count("section") == 1
    assert page.text.count("alert('x')") == 3  # title, heading, introduction
    assert ".own-rule{color:red}" in text and "--paper" in text and ".found" in text
    assert page.addresses == []


@pytest.mark.parametrize(
    ("start", "kind"), [(b"OggS", "ogg"), (b"RIFF", "wav"), (b"fLaC", "flac"), (b"ID3\x04", "mpeg")]
)
def test_audio_is_embedded_as_what_it_is(start, kind):
    (audio,) = Page(audio_element(start + b"123", EVIL)).find("audio")
    assert audio["src"] == f"data:audio/{kind};base64,{base64.b64encode(start + b'123').decode()}"
    assert audio["aria-label"] == EVIL


def test_choices_are_no_markup():
    page = Page(select_element("kind", EVIL, [("", "all"), (EVIL, EVIL)]))
    assert [option["value"] for option in page.find("option")] == ["", EVIL]
    assert page.tags == ["label", "select", "option", "option"]


def test_signatures_are_no_markup():
    page = Page("".join(list_signature({EVIL: EVIL})))
    assert page.tags == ["footer", "h2", "dl", "dt", "dd"]


def test_groups_take_turns():
    items = [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("c", 6)]
    assert take_in_turn(items, 9) == [1, 4, 5, 2, 6, 3]
    assert take_in_turn(items, 4) == [1, 4, 5, 2]
    assert take_in_turn(items, 0) == take_in_turn(items, -1) == take_in_turn([], 5) == []
