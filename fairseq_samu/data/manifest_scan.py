"""One pass over the bytes of a manifest: where its rows lie, and every fault of its form.

Only a few numbers a row are kept, so that a million rows take some tens of megabytes; the texts stay in the file.
"""

import os
import stat
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple, Optional

from fairseq_samu.errors import ManifestError, explain

MAX_LINE_BYTES = 1 << 24
"""No utterance comes near it; a file without line ends must not be read into memory as one line."""

MAX_COLUMNS = 256

MAX_FRAMES = 2**31 - 1
"""Longest recording in samples: 37 hours at 16 kHz."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WIDE_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class Fault(NamedTuple):
    """One broken rule and its place; printed as ``file:line:column: what and how to mend it``."""

    path: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.text}"


class Span(NamedTuple):
    """Which bytes were read, to notice a file that was replaced afterwards."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Span":
        """Take the span from what the system says of an open file."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)


@dataclass
class Index:
    """What is kept of a manifest in memory: numbers by row, and the names of its languages.

    Args:
        columns: names of the header.
        span: size, time and inode of the file that was read.
        offsets: first byte of each row.
        lengths: bytes of each row without its line end.
        lines: 1-based line number of each row.
        n_frames: samples at 16 kHz of each row; empty where the column is absent.
        languages: the different values of ``src_lang``, in order of appearance.
        language_ids: index into ``languages`` of each row; empty where the column is absent.
    """

    columns: tuple[str, ...]
    span: Span
    offsets: array = field(default_factory=lambda: array("q"))
    lengths: array = field(default_factory=lambda: array("i"))
    lines: array = field(default_factory=lambda: array("q"))
    n_frames: array = field(default_factory=lambda: array("q"))
    languages: list[str] = field(default_factory=list)
    language_ids: array = field(default_factory=lambda: array("i"))


def visible(value: str, width: int = 60) -> str:
    """Show a value inside a message on one line: unprintable characters escaped, long values cut."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value[: width + 1])
    return shown if len(value) <= width else f"{shown[:width]}..."


def parse_frames(text: str) -> Optional[int]:
    """Read a number of samples: plain digits, from 1 to ``MAX_FRAMES``; None for anything else."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    number = int(text)
    return number if 0 < number <= MAX_FRAMES else None


@contextmanager
def open_regular(path: str) -> Iterator[BinaryIO]:
    """Open a manifest for reading bytes; whatever the system says against it becomes a ManifestError."""
    try:
        mode = Path(path).stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a directory" if stat.S_ISDIR(mode) else "no regular file"
            raise ManifestError(explain(visible(path, 200), "manifest", "a file", kind, "Give the path of a TSV file."))
        with Path(path).open("rb") as stream:
            yield stream
    except (OSError, ValueError) as error:
        if isinstance(error, ManifestError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        mend = "Check the path and its permissions."
        raise ManifestError(explain(visible(path, 200), "manifest", "a readable file", reason, mend)) from error


def scan(path: str, required: Sequence[str], on_fault: Callable[[Fault], None]) -> Optional[Index]:
    """Read a manifest once and report every fault of its form.

    Args:
        path: the TSV file.
        required: columns that must be present and filled in every row.
        on_fault: called with each fault, in the order of the file.

    Returns:
        The index of the rows without fault, or None where the header is at fault and no row can be understood.

    Raises:
        ManifestError: the file cannot be opened or read at all.
    """
    with open_regular(path) as stream:
        return _Scanner(path, required, on_fault).run(stream)


def scan_header(path: str) -> tuple[str, ...]:
    """Names of the columns; empty where the header is at fault.

    Raises:
        ManifestError: the file cannot be opened or read at all.
    """
    with open_regular(path) as stream:
        return _Scanner(path, (), lambda fault: None).header(stream) or ()


class _Scanner:
    """The state of one pass; separate from Index so that what is kept is plain to see."""

    def __init__(self, path: str, required: Sequence[str], on_fault: Callable[[Fault], None]) -> None:
        self.path = path
        self.required = tuple(required)
        self.on_fault = on_fault
        self.line = 0
        self.blank_since = 0
        self.language_index: dict[str, int] = {}

    def header(self, stream: BinaryIO) -> Optional[tuple[str, ...]]:
        self.header_line = self._read_line(stream)
        return self._header(self.header_line)

    def run(self, stream: BinaryIO) -> Optional[Index]:
        columns = self.header(stream)
        if columns is None:
            return None
        self.columns = columns
        self.index = Index(columns, Span.of(os.fstat(stream.fileno())))
        # Looked up once, not a million times.
        self.frames_at = columns.index("n_frames") if "n_frames" in columns else -1
        self.language_at = columns.index("src_lang") if "src_lang" in columns else -1
        self.filled = [columns.index(name) for name in self.required]
        self._rows(stream, len(self.header_line))
        if not self.index.offsets and (self.line <= 1 or self.blank_since == 2):
            self._fault(1, explain("", "manifest", "a header and at least one row", "a header only", "Add rows."), 1)
        return self.index

    def _fault(self, column: int, text: str, line: int = 0) -> None:
        self.on_fault(Fault(self.path, line or self.line, column, text))

    def _read_line(self, stream: BinaryIO) -> bytes:
        """Next line with its end; of a line that is too long, only the beginning, the rest is passed over."""
        raw = stream.readline(MAX_LINE_BYTES)
        self.line += bool(raw)
        return raw

    def _header(self, raw: bytes) -> Optional[tuple[str, ...]]:
        if not raw:
            self.line = 1
            self._fault(1, explain("", "manifest", "a header and at least one row", "empty", "Add a header and rows."))
            return None
        if raw[:2] in _WIDE_MARKS:
            self._fault(1, explain("", "encoding", "UTF-8", _WIDE_MARKS[raw[:2]], "Save the file as UTF-8."))
            return None
        text = self._decode(_strip_end(raw.removeprefix(BYTE_ORDER_MARK)))
        if text is None:
            return None
        columns = tuple(text.split("\t"))
        if len(columns) > MAX_COLUMNS or len(raw) == MAX_LINE_BYTES:
            self._fault(1, explain("", "header", f"at most {MAX_COLUMNS} columns", "longer", "Check the first line."))
            return None
        faults = list(self._header_faults(columns))
        for column, fault in faults:
            self._fault(column, fault)
        return None if faults else columns

    def _header_faults(self, columns: tuple[str, ...]) -> Iterator[tuple[int, str]]:
        for position, name in enumerate(columns, 1):
            if not name.strip():
                yield position, explain("", "header", "a name in every column", "", "Name the column or remove it.")
            elif name in columns[: position - 1]:
                yield position, explain("", "header", "different names", visible(name), "Remove the second column.")
        for name in self.required:
            if name not in columns:
                mend = f"The first line names the columns, separated by tabs; add `{name}`."
                yield 1, explain("", "header", f"a list of columns with `{name}`", visible(" ".join(columns)), mend)

    def _decode(self, body: bytes) -> Optional[str]:
        """Text of a line, or None and a fault where it is no plain UTF-8 text."""
        for byte, name in ((b"\0", "a NUL byte"), (b"\r", "a carriage return")):
            at = body.find(byte)
            if at >= 0:
                mend = "Lines end in LF or CRLF, and UTF-8 text has no NUL: save the file as plain UTF-8."
                self._fault(body.count(b"\t", 0, at) + 1, explain("", "line", "text of one line", name, mend))
                return None
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError as error:
            bad = body[error.start : error.end].hex(" ")
            column = body.count(b"\t", 0, error.start) + 1
            self._fault(column, explain("", "encoding", "UTF-8", f"byte {bad}", "Save the file as UTF-8."))
            return None

    def _rows(self, stream: BinaryIO, offset: int) -> None:
        while raw := self._read_line(stream):
            start, offset = offset, offset + len(raw)
            if len(raw) == MAX_LINE_BYTES and not raw.endswith(b"\n"):
                offset += _skip_line(stream)
                rule = f"a line of at most {MAX_LINE_BYTES >> 20} MiB"
                self._fault(1, explain("", "row", rule, "longer", "Check that lines end in LF or CRLF."))
                continue
            body = _strip_end(raw)
            if not body:
                self.blank_since = self.blank_since or self.line
                continue
            self._blank_lines()
            text = self._decode(body)
            if text is not None:
                self._row(text.split("\t"), start, len(body))

    def _blank_lines(self) -> None:
        """Blank lines at the end of a file lose nothing; between rows they may be rows that were cut."""
        if self.blank_since:
            last = self.line - 1
            value = "blank" if last == self.blank_since else f"blank down to line {last}"
            self._fault(1, explain("", "line", "a row", value, "Remove it or restore its row."), self.blank_since)
            self.blank_since = 0

    def _row(self, fields: list[str], start: int, length: int) -> None:
        columns, index = self.columns, self.index
        if len(fields) != len(columns):
            column = min(len(fields), len(columns)) + 1
            mend = "Put one tab between columns, and none into a text."
            self._fault(column, explain("", "row", f"{len(columns)} tab-separated fields", len(fields), mend))
            return
        frames = parse_frames(fields[self.frames_at]) if self.frames_at >= 0 else 0
        empty = [at for at in self.filled if not fields[at] and at != self.frames_at]
        if frames is None:
            mend = "It counts samples at 16 kHz; re-run `fairseq-samu prepare`."
            value = visible(fields[self.frames_at])
            self._fault(self.frames_at + 1, explain("", "n_frames", "a positive number of samples", value, mend))
        for at in empty:
            self._fault(at + 1, explain("", columns[at], "filled in every row", "", "Fill it or remove the row."))
        if empty or frames is None:
            return
        index.offsets.append(start)
        index.lengths.append(length)
        index.lines.append(self.line)
        if self.frames_at >= 0:
            index.n_frames.append(frames)
        if self.language_at >= 0:
            index.language_ids.append(self._language(fields[self.language_at]))

    def _language(self, name: str) -> int:
        number = self.language_index.get(name)
        if number is None:
            number = self.language_index[name] = len(self.language_index)
            self.index.languages.append(name)
        return number


def _strip_end(raw: bytes) -> bytes:
    """A line without its LF or CRLF; nothing else ends a line, so U+2028 or U+0085 may stand in a text."""
    body = raw[:-1] if raw.endswith(b"\n") else raw
    return body[:-1] if body.endswith(b"\r") else body


def _skip_line(stream: BinaryIO) -> int:
    """Pass over the rest of a line in pieces; returns its bytes."""
    passed = 0
    while piece := stream.readline(MAX_LINE_BYTES):
        passed += len(piece)
        if piece.endswith(b"\n"):
            break
    return passed
