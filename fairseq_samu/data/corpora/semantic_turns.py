"""Turns of annotated dialogues, cut into the segments that spoken language understanding is trained on.

A turn is a sequence of words, times (``Sync``) and concepts that open and close. It is cut as by the ``media_prepare``
of SpeechBrain's MEDIA recipe: a time ends a segment that has words; one inside a concept waits for the end of that
concept, and is forgotten where the concept goes on behind it; silence before the first words is left out. A concept is
written when its first words come, so that one without words is not written. Unlike there, a concept that opens inside
another, or is never closed, is a fault of its turn.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple
from xml.etree.ElementTree import Element

from fairseq_samu.concepts import CLOSE, escape

OPEN, END, TEXT, SYNC = "open", "end", "text", "sync"
"""Kinds of events: a concept opens (its name) or ends, words, a time."""

NO_CONCEPT = ("", "null")
"""How words outside of any concept are marked."""

Event = tuple[str, str]
"""Kind and value."""


class Piece(NamedTuple):
    """A part of a turn.

    Args:
        start: in seconds.
        end: in seconds.
        text: annotated text; has words.
    """

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker says before the other one does.

    Args:
        pieces: in order; none where nothing is said.
        fault: why its annotation cannot be used; empty where it can.
    """

    pieces: tuple[Piece, ...] = ()
    fault: str = ""


def cut_turn(
    events: Iterable[Event], start: float, end: float, normalise: Callable[[str], str], at_times: bool = True
) -> Turn:
    """Cut a turn into pieces.

    Args:
        events: of the turn, in order.
        start: of the turn in seconds.
        end: of the turn in seconds.
        normalise: spelling of the corpus to the one that is learned, single spaces between words.
        at_times: cut at its times; without, the turn is one piece.

    Returns:
        The pieces, or the fault.
    """
    cutter = _Cutter(start, normalise)
    for kind, value in events:
        if kind == TEXT:
            cutter.add_words(value)
        elif kind == OPEN:
            if cutter.opened:
                return Turn(fault="concept inside a concept")
            cutter.opened, cutter.name = True, "" if value in NO_CONCEPT else value
        elif kind == END:
            if not cutter.opened:
                return Turn(fault="end of a concept that is not open")
            cutter.close()
        elif at_times:
            time = seconds(value)
            if math.isnan(time):
                return Turn(fault="time that is no number")
            cutter.meet_time(time)
    if cutter.opened:
        return Turn(fault="concept that is not closed")
    cutter.cut(end)
    return Turn(tuple(cutter.pieces))


class _Cutter:
    """The words that have come since the last cut."""

    def __init__(self, start: float, normalise: Callable[[str], str]) -> None:
        self.pieces: list[Piece] = []
        self.opened, self.name = False, ""  # a concept is open, and its name where it has one
        self._start, self._normalise = start, normalise
        self._words: list[str] = []
        self._tagged = False  # the tag of the open concept is written
        self._waiting: float | None = None  # a time inside of the open concept

    def add_words(self, text: str) -> None:
        """Take words, with the tag of their concept before the first of them."""
        words = self._normalise(text)
        if not words:
            return
        if self.name and not self._tagged:
            self._words.append(f"<{self.name}>")
            self._tagged = True
        self._words.append(escape(words))
        self._waiting = None

    def meet_time(self, time: float) -> None:
        """Cut, or remember to, or begin later where nothing has been said."""
        if not self._words:
            self._start = time
        elif self._tagged:
            self._waiting = time
        else:
            self.cut(time)

    def close(self) -> None:
        """End the open concept."""
        if self._tagged:
            self._words.append(CLOSE)
        self.opened, self.name, self._tagged = False, "", False
        if self._waiting is not None:
            self.cut(self._waiting)
            self._waiting = None

    def cut(self, time: float) -> None:
        """End a piece where there are words for one."""
        if self._words:
            self.pieces.append(Piece(self._start, time, " ".join(self._words)))
        self._words, self._start = [], time


def events_between(element: Element) -> Iterator[Event]:
    """Read the events of an element whose children are marks between words.

    Args:
        element: ``Turn`` of Transcriber's format with ``SemDebut`` (its ``concept``), ``SemFin`` and ``Sync`` (its
            ``time``), or a ``transcription`` with ``Sync``. Other children are passed over, the text behind them not.

    Yields:
        The events.
    """
    yield TEXT, element.text or ""
    for mark in element:
        if mark.tag == "SemDebut":
            yield OPEN, mark.get("concept", "")
        elif mark.tag == "SemFin":
            yield END, ""
        elif mark.tag == "Sync":
            yield SYNC, mark.get("time", "")
        yield TEXT, mark.tail or ""


def seconds(text: str | None) -> float:
    """Read a time; not a number (NaN) where it is none."""
    try:
        value = float(text or "")
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
