"""The dialogue lists of Fish Fillets: Lua files of ``dialogId("id", "font", "English")`` and ``dialogStr("text")``."""

import re
from dataclasses import dataclass

_STRING = r'"((?:[^"\\]|\\.)*)"'
_CALL = re.compile(
    rf"^\s*dialog(?:Id\(\s*{_STRING}\s*,\s*{_STRING}\s*,\s*{_STRING}|Str\(\s*{_STRING})\s*\)", re.M | re.S
)
_ESCAPE = re.compile(r"\\(.)", re.S)


@dataclass(frozen=True, slots=True)
class Line:
    """A spoken line.

    Args:
        name: its id within the level.
        font: font of its subtitle, by which the game tells the speakers apart.
        english: the English original.
        text: the translation; None where the file has none.
    """

    name: str
    font: str
    english: str
    text: str | None = None


def parse_dialogs(content: str) -> list[Line]:
    """Read a file of dialogues.

    Args:
        content: the file. A call may span lines; what stands behind ``--`` at the start of a line is a comment.

    Returns:
        The lines in the order of the file; of two with one id the first.
    """
    lines: dict[str, Line] = {}
    last: Line | None = None
    for match in _CALL.finditer(content):
        name, font, english, text = (None if part is None else _unescape(part) for part in match.groups())
        if name is not None:
            last = Line(name, font or "", english or "")
            last = None if name in lines else lines.setdefault(name, last)
        elif last is not None and text is not None:
            lines[last.name] = Line(last.name, last.font, last.english, text)
            last = None
    return list(lines.values())


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: " " if match[1] in "n\n" else match[1], text)
