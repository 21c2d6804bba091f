"""Texts of the Asterisk prompts as they are spoken: ``core-sounds-XX.txt`` without its stage directions and slips."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

_NOT_SPEECH = re.compile(r"silence/.*|beep|beeperr|(a|de)scending-2tone|tt-monkeys|confbridge-(join|leave)", re.ASCII)
_DIRECTION = re.compile(r"\([^()]*\)|<[^<>]*>|\[\W*\]")
_BRACKETED_WORDS = re.compile(r"\[(\w[^\[\]]*)\]")
_EMBEDDED_ID = re.compile(r"([a-z0-9]+(?:[-/][A-Za-z0-9]+)+):\s", re.ASCII)
_EDGE_DOTS = re.compile(r"^(?:\.{2,}|…)\s*|\s*(?:\.{2,}|…)$")
# The Italian file has lost the accents of some lines to question marks; these are all the words that lost one.
_LOST_ACCENTS = (("sar?", "sarà"), ("pu?", "può"), ("cos?", "così"), ("pi?", "più"), ("?", "è"))


@dataclass(frozen=True, slots=True)
class Prompt:
    """A line of a list of prompts.

    Args:
        item: Asterisk's id.
        text: what is said, cleaned; empty where ``fault`` says why there is none.
        fault: why the prompt cannot be used; empty where it can.
    """

    item: str
    text: str
    fault: str = ""


def restore_accents(text: str) -> str:
    """Put back accents that stand as ``?`` inside a sentence: ``La conferenza ? piena.`` has a verb there."""
    words = text.split(" ")
    for at, word in enumerate(words):
        for broken, mended in _LOST_ACCENTS:
            bare = word.rstrip(".,")
            # A word before its own full stop, or before more words; a question keeps its mark at the end of the text.
            if bare.casefold() == broken and (at + 1 < len(words) or bare != word):
                words[at] = mended + word[len(bare) :]
    return " ".join(words)


def clean_prompt(text: str, lang: str) -> str:
    """Reduce a prompt's text to the words that are spoken.

    Args:
        text: as in the list, without its id.
        lang: its language.

    Returns:
        The text without stage directions in brackets, without the dots that mark an open end, in single spaces.
        Words in square brackets are spoken and stay.
    """
    text = _BRACKETED_WORDS.sub(r"\1", _DIRECTION.sub(" ", text))
    text = " ".join(text.split())
    text = _EDGE_DOTS.sub("", _EDGE_DOTS.sub("", text)).strip()
    return restore_accents(text) if lang == "it" else text


def parse_prompts(content: str, lang: str, known: Collection[str]) -> list[Prompt]:
    """Read a list of prompts, ``id: text`` a line.

    Args:
        content: the file; ``;`` starts a comment.
        lang: its language.
        known: ids that have a recording in that language. An id that differs from one of them only in case is that one;
            a line that holds a second ``id: text`` with a known id is two lines.

    Returns:
        One prompt a line, those with a fault included, in the order of the file.
    """
    by_case = {item.casefold(): item for item in known}
    canonical: Callable[[str], str] = lambda item: item if item in known else by_case.get(item.casefold(), item)  # noqa: E731
    prompts: list[Prompt] = []
    taken: set[str] = set()
    merged: list[tuple[str, str]] = []
    for line in content.lstrip("\ufeff").splitlines():
        if not line.strip() or line.lstrip().startswith(";"):
            continue
        item, _, text = line.partition(":")
        pieces = _split_merged(canonical(item.strip()), text.strip(), known)
        merged += pieces[1:]
        prompts.append(_prompt(*pieces[0], lang, taken))
    prompts += [_prompt(item, text, lang, taken) for item, text in merged]
    return prompts


def _split_merged(item: str, text: str, known: Collection[str]) -> list[tuple[str, str]]:
    """Undo a lost line end: ``text of a. b-c: text of b-c`` becomes two entries; a repeated own id vanishes."""
    pieces, start, owner = [], 0, item
    for match in _EMBEDDED_ID.finditer(text):
        if match[1] in known:
            pieces.append((owner, text[start : match.start()].strip()))
            owner, start = match[1], match.end()
    pieces.append((owner, text[start:].strip()))
    return [piece for piece in pieces if piece[1]] or [(item, "")]


def _prompt(item: str, text: str, lang: str, taken: set[str]) -> Prompt:
    if _NOT_SPEECH.fullmatch(item):
        return Prompt(item, "", "not speech")
    if not text:
        return Prompt(item, "", "empty text")
    if text[0] in "[(<":
        return Prompt(item, "", "stage direction for a text")
    if item in taken:
        return Prompt(item, "", "second text of one id")
    taken.add(item)
    cleaned = clean_prompt(text, lang)
    return Prompt(item, cleaned, "" if cleaned else "empty text")
