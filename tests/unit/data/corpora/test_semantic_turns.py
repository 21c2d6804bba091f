import xml.etree.ElementTree as ET

import pytest

from fairseq_samu.data.corpora.dialogue_xml import read_xml
from fairseq_samu.data.corpora.semantic_turns import END, OPEN, SYNC, TEXT, cut_turn, events_between


def cut(*events, at_times=True):
    return cut_turn(events, 0.0, 9.0, lambda text: " ".join(text.split()), at_times)


def pieces(*events, **options):
    turn = cut(*events, **options)
    assert turn.fault == ""
    return [tuple(piece) for piece in turn.pieces]


def test_a_time_between_concepts_ends_a_piece():
    events = [(TEXT, "je veux"), (SYNC, "2.5"), (OPEN, "nombre"), (TEXT, "deux"), (END, ""), (TEXT, "chambres")]
    assert pieces(*events) == [(0.0, 2.5, "je veux"), (2.5, 9.0, "<nombre> deux > chambres")]
    assert pieces(*events, at_times=False) == [(0.0, 9.0, "je veux <nombre> deux > chambres")]


def test_silence_before_the_first_words_is_left_out():
    assert pieces((SYNC, "1.0"), (TEXT, "\n "), (SYNC, "1.5"), (TEXT, "oui")) == [(1.5, 9.0, "oui")]
    assert pieces((TEXT, "oui"), (SYNC, "4"), (TEXT, "  ")) == [(0.0, 4.0, "oui")]
    assert pieces((SYNC, "1.0"), (TEXT, " ")) == []


def test_a_time_inside_a_concept_waits_for_its_end():
    inside = [(OPEN, "a"), (TEXT, "x"), (SYNC, "3")]
    assert pieces(*inside, (END, ""), (TEXT, "y")) == [(0.0, 3.0, "<a> x >"), (3.0, 9.0, "y")]
    # The concept goes on behind the time: nothing can be cut there.
    assert pieces(*inside, (TEXT, "z"), (END, ""), (TEXT, "y")) == [(0.0, 9.0, "<a> x z > y")]
    # Before its first words a concept is not there yet.
    assert pieces((TEXT, "w"), (OPEN, "a"), (SYNC, "3"), (TEXT, "x"), (END, "")) == [
        (0.0, 3.0, "w"),
        (3.0, 9.0, "<a> x >"),
    ]


def test_words_of_no_concept_and_concepts_of_no_words():
    assert pieces((OPEN, "null"), (TEXT, "euh"), (END, ""), (OPEN, "a"), (TEXT, " "), (END, "")) == [(0.0, 9.0, "euh")]


def test_brackets_of_the_text_are_escaped():
    assert pieces((OPEN, "a"), (TEXT, "x > y"), (END, "")) == [(0.0, 9.0, r"<a> x \> y >")]


@pytest.mark.parametrize(
    "events, fault",
    [
        ([(OPEN, "a"), (TEXT, "x"), (OPEN, "b")], "concept inside a concept"),
        ([(OPEN, "null"), (OPEN, "b")], "concept inside a concept"),
        ([(TEXT, "x"), (END, "")], "end of a concept that is not open"),
        ([(OPEN, "a"), (TEXT, "x")], "concept that is not closed"),
        ([(TEXT, "x"), (SYNC, "later")], "time that is no number"),
        ([(TEXT, "x"), (SYNC, "nan")], "time that is no number"),
    ],
)
def test_faults(events, fault):
    assert cut(*events).fault == fault
    assert cut(*events).pieces == ()


def test_events_of_transcribers_format():
    turn = ET.fromstring(
        '<Turn>a<Sync time="1"/>b<Event desc="i"/>c<SemDebut concept="x" valeur="v"/>d<Who nb="1"/><SemFin/>e</Turn>'
    )
    events = [event for event in events_between(turn) if event != (TEXT, "")]
    assert events == [
        (TEXT, "a"),
        (SYNC, "1"),
        (TEXT, "b"),
        (TEXT, "c"),
        (OPEN, "x"),
        (TEXT, "d"),
        (END, ""),
        (TEXT, "e"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<a>né</a>'.encode("iso-8859-1"),
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<a>né</a>'.encode(),  # declares what it is not
        '\ufeff<?xml version="1.0" encoding="UTF-8"?>\n<a>né</a>'.encode(),
        '?xml version="1.0" encoding="UTF-8"?>\n<a>né</a>'.encode(),
        'x<?xml version="1.0" encoding="UTF-8"?>\n<a>né</a>'.encode(),
        "<a>né</a>".encode(),
    ],
)
def test_files_of_either_encoding_and_with_a_damaged_start_are_read(tmp_path, content):
    (tmp_path / "a.xml").write_bytes(content)
    assert read_xml(tmp_path / "a.xml").text == "né"


def test_what_is_no_xml_is_refused(tmp_path):
    for content in (b"", b"words", b"<a><b></a>"):
        (tmp_path / "a.xml").write_bytes(content)
        with pytest.raises(ET.ParseError):
            read_xml(tmp_path / "a.xml")
