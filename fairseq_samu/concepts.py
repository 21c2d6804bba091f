r"""Annotated text: words with concept tags, as ``je veux <nombre> deux > <chambre-type> chambres doubles >``.

A tag ``<name>`` opens a concept and a bare ``>`` closes it; both are words of their own, and words outside belong to no
concept. Literal ``<``, ``>`` and a backslash in the text stand behind a backslash. What the host's dictionary writes
for its own symbols (``<s>``, ``<pad>``, ``</s>``, ``<unk>``) is text and never a tag.

As CTC labels (arXiv:2406.12141): each tag one, ``>`` one, ``_`` for the space, and one for each other character. Where
a character cannot be a label as it is, a backslash makes it one: ``\<``, ``\>``, ``\_``, a doubled backslash, and
``\u00a0`` for what is invisible.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from fairseq_samu.errors import ConfigError, explain, report_all

CLOSE = ">"
SPACE = "_"
RESERVED = frozenset({"s", "pad", "/s", "unk"})
"""Names that no concept can have: the host's dictionary writes its own symbols with them."""

_PART = re.compile(
    r"\\(?P<literal>[<>\\])"
    r"|(?P<reserved><(?:s|pad|/s|unk)>)"
    r"|<(?P<tag>[^\s<>\\\x00-\x1f\x7f-\x9f\ud800-\udfff]+)>"
    r"|(?P<close>>)"
    r"|(?P<stray>[<\\])"
    r"|(?P<plain>[^<>\\]+)"
)
_INVISIBLE = re.compile(r"\\u([0-9a-f]{4,6})")
_NOT_SHOWN = frozenset({"Cc", "Cf", "Cs"})
_TOKENS_OF = {" ": SPACE, SPACE: f"\\{SPACE}"}
_TEXT_OF = {token: text for text, token in _TOKENS_OF.items()}


@dataclass(frozen=True)
class Concept:
    """A concept and the words that it holds.

    Args:
        name: as between ``<`` and ``>``.
        words: plain, without escapes; may be empty.
    """

    name: str
    words: tuple[str, ...]

    @property
    def value(self) -> str:
        """The words with spaces between them."""
        return " ".join(self.words)


def extract_concepts(text: str) -> list[Concept]:
    """Read the concepts of annotated text, however damaged, as a hypothesis may be.

    A tag closes a concept that is open, the end of the text closes, a ``>`` without an open concept says nothing, and
    words outside are left out. A tag is seen wherever it stands, also within a word.

    Args:
        text: annotated text.

    Returns:
        Concepts in order; none for a text without tags.
    """
    return [concept for concept, _ in locate_concepts(text)]


def locate_concepts(text: str) -> list[tuple[Concept, slice]]:
    """As :func:`extract_concepts`, each with the part of the text that holds its words; its tag, where it has none."""
    found: list[tuple[Concept, slice]] = []
    opened, words = None, ""
    for part in [*_PART.finditer(text), None]:
        if part is not None and part.lastgroup not in ("tag", "close"):
            words += part[part.lastgroup or 0]
            continue
        if opened is not None:
            held = text[opened.end() : part.start() if part else len(text)]
            begin, end = opened.end() + len(held) - len(held.lstrip()), opened.end() + len(held.rstrip())
            place = slice(begin, end) if words.strip() else slice(*opened.span())
            found.append((Concept(opened["tag"], tuple(words.split())), place))
        opened, words = (part if part and part["tag"] else None), ""
    return found


def strip_tags(text: str) -> str:
    """Leave the words of annotated text: plain, without escapes, single spaces between them."""
    return " ".join("".join(" " if kind in ("tag", "close") else part for kind, part in _parts(text)).split())


def has_tag(text: str) -> bool:
    """Whether a concept opens anywhere in a text."""
    return any(kind == "tag" for kind, _ in _parts(text))


def is_open(text: str) -> bool:
    """Whether the last concept of a text has no closer, so that words put behind it would become its own."""
    return [kind for kind, _ in _parts(text) if kind in ("tag", "close")][-1:] == ["tag"]


def escape(text: str) -> str:
    """Write plain text so that nothing in it is read as a tag or a closer."""
    return re.sub(r"[<>\\]", r"\\\g<0>", text)


def unescape(text: str) -> str:
    """Undo :func:`escape`."""
    return re.sub(r"\\([<>\\])", r"\g<1>", text)


def tokenize(text: str) -> list[str]:
    """Cut annotated text into CTC labels.

    Args:
        text: any text at all.

    Returns:
        Labels, none of which is empty, holds white space, or is a symbol of the host; :func:`join_tokens` gives the
        very same text back.
    """
    tokens: list[str] = []
    for found in _PART.finditer(text):
        if found.lastgroup in ("tag", "literal"):
            tokens.append(found[0])
        else:
            tokens.extend(_token_of(character) for character in found[0])
    return tokens


def join_tokens(tokens: Iterable[str]) -> str:
    """Undo :func:`tokenize`; what is no label stays as it is."""
    return "".join(_text_of(token) for token in tokens)


def is_label(token: str) -> bool:
    """Whether :func:`tokenize` can give this label."""
    return tokenize(join_tokens([token])) == [token]


def concept_of(token: str) -> str | None:
    """Name of the concept that a label opens; None for any other label."""
    found = _PART.fullmatch(token)
    return found["tag"] if found else None


def find_annotation_faults(text: str, known: Collection[str] | None = None) -> list[str]:
    """Check annotated text of a data set, where every concept is closed, apart and not empty.

    Args:
        text: annotated text.
        known: names that there are; None where any will do.

    Returns:
        Worded faults in the order of their places, for a caller to put file and line in front.
    """
    return [*_faults(text, known)]


def relax_text(text: str, prefixes: Mapping[str, str]) -> str:
    """Write annotated text with names of concepts without their specifiers, all else as it was.

    Args:
        text: annotated text.
        prefixes: see :func:`relax_name`.
    """
    if not prefixes:
        return text
    return _PART.sub(lambda found: f"<{relax_name(found['tag'], prefixes)}>" if found["tag"] else found[0], text)


def relax_name(name: str, prefixes: Mapping[str, str]) -> str:
    """Find the name of a concept without its specifier.

    Args:
        name: full name.
        prefixes: from a full name, or from its beginning with ``*`` behind, to the name that it becomes. The full name
            goes before beginnings, and a longer beginning before a shorter one.

    Returns:
        The name to use; the same where nothing fits.
    """
    if name in prefixes:
        return prefixes[name]
    fitting = [key for key in prefixes if key.endswith("*") and name.startswith(key[:-1])]
    return prefixes[max(fitting, key=len)] if fitting else name


def read_prefix_map(path: str | PathLike[str]) -> dict[str, str]:
    """Read which names of concepts become which, such as the list by which MEDIA's ``full`` mode becomes ``relax``.

    Args:
        path: UTF-8 text; in each line a full name, or its beginning with ``*`` behind, a tab or a comma, and the new
            name: ``temps-date*,temps-date``.

    Returns:
        For :func:`relax_text`.

    Raises:
        ConfigError: the file cannot be read, or with all lines that are at fault.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
        mend = "Give a file with a full and a new name in each line."
        raise ConfigError(explain("", "prefix map", "a readable text file", f"{path} ({reason})", mend)) from error
    prefixes: dict[str, str] = {}
    faults = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        names = [name.strip() for name in line.split("\t" if "\t" in line else ",")]
        where, mend = f"{path}:{number}", "Write FULL,NEW or BEGINNING*,NEW."
        if len(names) != 2 or not _is_name(names[0].removesuffix("*")) or not _is_name(names[1]):
            faults.append(explain(where, "line", "two names of concepts", line.strip(), mend))
        elif prefixes.setdefault(*names) != names[1]:
            faults.append(explain(where, names[0], f"mapped once, to {prefixes[names[0]]}", names[1], mend))
    if faults or not prefixes:
        raise ConfigError(report_all(faults or [explain(str(path), "lines", "at least one", "none", "Fill the file.")]))
    return prefixes


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Kind (a group of ``_PART``) and text of each part; names without their brackets, literals without backslash."""
    for found in _PART.finditer(text):
        kind = found.lastgroup or ""
        yield kind, found[kind]


def _is_name(name: str) -> bool:
    return concept_of(f"<{name}>") == name and not name.startswith("/")


def _token_of(character: str) -> str:
    if character in _TOKENS_OF:
        return _TOKENS_OF[character]
    if character.isspace() or unicodedata.category(character) in _NOT_SHOWN:
        return f"\\u{ord(character):04x}"
    return character


def _text_of(token: str) -> str:
    found = _INVISIBLE.fullmatch(token)
    if found and int(found[1], 16) <= 0x10FFFF:
        return chr(int(found[1], 16))
    return _TEXT_OF.get(token, token)


def _faults(text: str, known: Collection[str] | None) -> Iterator[str]:
    opened, words = "", ""
    for found in _PART.finditer(text):
        kind, shown = found.lastgroup or "", found[0]
        if kind == "stray":
            yield explain(
                "", shown, "written behind a backslash where it is no tag", _around(text, found), "Escape it."
            )
        if kind == "reserved":
            yield explain("", "concept", "of another name", shown, "The dictionary writes it for its own symbols.")
        if kind not in ("tag", "close"):
            words += found[kind]
            continue
        if text[found.start() - 1 : found.start()].strip() or text[found.end() : found.end() + 1].strip():
            mend = "Put spaces around it, or a backslash before it where it is text."
            yield explain("", shown, "a word of its own", _around(text, found), mend)
        if kind == "tag":
            yield from _faults_of_tag(found["tag"], opened, known)
        elif not opened:
            yield explain("", CLOSE, "behind a tag that it closes", _around(text, found), "Remove it or add the tag.")
        elif not words.strip():
            yield explain("", f"<{opened}>", "around words", "empty", "Remove the tag or fill it.")
        opened, words = found["tag"] or "", ""
    if opened:
        yield explain("", f"<{opened}>", f"closed by a {CLOSE}", "open at the end", f"Add the {CLOSE}.")


def _faults_of_tag(name: str, opened: str, known: Collection[str] | None) -> Iterator[str]:
    if opened:
        mend = f"Write {CLOSE} before it; concepts do not nest."
        yield explain("", f"<{opened}>", f"closed by a {CLOSE} before the next tag", f"followed by <{name}>", mend)
    if name.startswith("/"):
        yield explain(
            "", "concept", "of a name without / in front", f"<{name}>", f"A concept ends with a bare {CLOSE}."
        )
    elif known is not None and name not in known:
        yield explain("", "concept", "one of those that are known", f"<{name}>", "Check its spelling, or add it.")


def _around(text: str, found: re.Match[str]) -> str:
    return text[max(0, found.start() - 15) : found.end() + 15]
