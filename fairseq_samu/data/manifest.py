"""The manifest: a TSV file with a row for each utterance, as the host's speech-to-text data has it.

UTF-8 with or without byte order mark, lines ending in LF or CRLF, a header, columns separated by one tab. There is no
quoting and no escaping (the host reads with ``csv.QUOTE_NONE`` and no escape character), so a quote or a backslash is a
character like any other, and no value can hold a tab or a line end. A field may have any length up to that of a line,
16 MiB. The schema stands in ``manifests/README.md``.
"""

import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Optional

from fairseq_samu.data.manifest_scan import Fault, Index, Span, parse_frames, scan, visible
from fairseq_samu.errors import FAULTS_SHOWN, ManifestError, explain

REQUIRED_COLUMNS = ("id", "audio", "n_frames")
TEXT_PAIR_COLUMNS = ("id", "src_text", "src_lang", "tgt_text", "tgt_lang")
"""A manifest of texts in two languages has these, and no audio."""


@dataclass(frozen=True, slots=True)
class Row:
    """One utterance; an optional column that the file lacks is None.

    Args:
        line: 1-based line of the file.
        id: name of the utterance, unique within a data set.
        audio: path, ``archive.zip:offset:length`` (bytes) or ``talk.wav:offset:length`` (samples); the empty string
            where the column is absent.
        n_frames: samples at 16 kHz; 0 where the column is absent.
        src_text: what is said.
        tgt_text: its translation or annotation.
        src_lang: language of the speech.
        tgt_lang: language of ``tgt_text``.
        speaker: who speaks.
        parallel_id: rows of the same value say the same thing, in any language.
        adapter: name of a model's adapter that the row goes through, such as a domain; empty for that of its language.
        extra: every other column, by name.
    """

    line: int
    id: str = ""
    audio: str = ""
    n_frames: int = 0
    src_text: Optional[str] = None
    tgt_text: Optional[str] = None
    src_lang: Optional[str] = None
    tgt_lang: Optional[str] = None
    speaker: Optional[str] = None
    parallel_id: Optional[str] = None
    adapter: Optional[str] = None
    extra: dict[str, str] = field(default_factory=dict)


_FIELDS = frozenset(f.name for f in fields(Row)) - {"line", "extra"}


class Manifest(Sequence[Row]):
    """The rows of a manifest, read from the file when they are asked for.

    Memory holds about 32 bytes a row. Reading is positioned (``os.pread``), so forked data workers may share one
    object; a pickled copy opens the file again.

    Args:
        path: the file that was read.
        index: what one pass over it found.
    """

    def __init__(self, path: str, index: Index) -> None:
        self.path = path
        self._index = index
        self._descriptor = -1

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the header, in order."""
        return self._index.columns

    @property
    def n_frames(self) -> array:
        """Samples at 16 kHz of each row; empty where the column is absent."""
        return self._index.n_frames

    @property
    def languages(self) -> list[str]:
        """The different values of ``src_lang``, in order of appearance; empty where the column is absent."""
        return self._index.languages

    @property
    def language_ids(self) -> array:
        """Index into ``languages`` of each row; empty where the column is absent."""
        return self._index.language_ids

    def src_lang(self, position: int) -> Optional[str]:
        """Language of a row without reading its line; None where the column is absent."""
        return self.languages[self.language_ids[position]] if self.languages else None

    def line(self, position: int) -> int:
        """1-based line number of a row without reading its line."""
        return self._index.lines[position]

    def where(self, position: int) -> str:
        """Place of a row as messages name it: ``file:line``."""
        return f"{self.path}:{self.line(position)}"

    def __len__(self) -> int:
        return len(self._index.offsets)

    def __iter__(self) -> Iterator[Row]:
        return (self[position] for position in range(len(self)))

    def __getitem__(self, position: int) -> Row:  # type: ignore[override]  # a slice would read every line at once
        index = self._index
        length = index.lengths[position]
        raw = os.pread(self._open(), length, index.offsets[position])
        values = raw.decode("utf-8", errors="replace").split("\t")
        if len(raw) != length or len(values) != len(index.columns):
            raise self._changed()
        return _row(index.lines[position], index.columns, values)

    def _open(self) -> int:
        """Descriptor of the file, opened at the first need and checked to be what was scanned."""
        if self._descriptor < 0:
            try:
                descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise self._changed() from error
            if Span.of(os.fstat(descriptor)) != self._index.span:
                os.close(descriptor)
                raise self._changed()
            self._descriptor = descriptor
        return self._descriptor

    def _changed(self) -> ManifestError:
        mend = "Leave a manifest alone while it is in use, and start again."
        return ManifestError(explain("", self.path, "the file that was read at the start", "changed or removed", mend))

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_descriptor": -1}

    def __del__(self) -> None:
        if getattr(self, "_descriptor", -1) >= 0:
            os.close(self._descriptor)


def _row(line: int, columns: tuple[str, ...], values: list[str]) -> Row:
    named = dict(zip(columns, values, strict=True))
    known: dict = {name: named.pop(name) for name in columns if name in _FIELDS}
    if "n_frames" in known:
        known["n_frames"] = int(known["n_frames"])
    return Row(line=line, extra=named, **known)


def read_manifest(path: str | os.PathLike[str], required: Sequence[str] = REQUIRED_COLUMNS) -> Manifest:
    """Read a manifest: one pass that checks the form of every row and remembers where each one lies.

    Blank lines at the end of the file are accepted, those between rows are faults. What the values mean (whether
    recordings exist, languages are known ...) is checked by ``fairseq-samu check``.

    Args:
        path: the TSV file.
        required: columns that must be present and filled in every row; ``n_frames`` is checked wherever it is present.

    Returns:
        The rows, in the order of the file.

    Raises:
        ManifestError: all faults of the file in one report, each as ``file:line:column: ...`` where the column counts
            the tab-separated fields from 1 (20 shown, and how many more).
    """
    shown: list[str] = []
    count = 0

    def note(fault: Fault) -> None:
        nonlocal count
        count += 1
        if count <= FAULTS_SHOWN:
            shown.append(str(fault))

    name = os.fspath(path)
    index = scan(name, required, note)
    if index is None or count:
        if count > FAULTS_SHOWN:
            shown.append(f"and {count - FAULTS_SHOWN} more")
        raise ManifestError("\n".join(shown))
    return Manifest(name, index)


def write_manifest(path: str | os.PathLike[str], rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> None:
    """Write a manifest that ``read_manifest`` reads back with the same values; the file appears whole or not at all.

    Args:
        path: the TSV file; one that exists is replaced.
        rows: a mapping from column to value for each row; None or an absent key of an optional column is written empty.
        columns: names and order of the columns.

    Raises:
        ManifestError: values that a manifest cannot hold (a tab, a line end, a NUL, a bad ``n_frames``, an empty
            ``id`` ...), all in one report; nothing is written then.
    """
    name = os.fspath(path)
    partial = Path(f"{name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as stream:
            faults = _write_lines(name, stream.write, rows, tuple(columns))
            stream.flush()
            os.fsync(stream.fileno())
        if faults:
            raise ManifestError("\n".join(faults))
        partial.replace(name)
    except OSError as error:
        mend = "Check the folder, its permissions and the space left."
        raise ManifestError(explain("", visible(name, 200), "writable", error.strerror, mend)) from error
    finally:
        partial.unlink(missing_ok=True)


def _write_lines(
    name: str, write: Callable[[str], object], rows: Iterable[Mapping[str, object]], columns: tuple[str, ...]
) -> list[str]:
    """Write header and rows while they are sound; returns the worded faults, cut to what is shown."""
    faults = [_value_fault(f"{name}:1:{at}", "header", c) for at, c in enumerate(columns, 1)]
    if len(set(columns)) != len(columns) or not columns or not all(columns):
        faults.append(explain(f"{name}:1:1", "header", "different, non-empty names", " ".join(columns), "Rename them."))
    shown = [fault for fault in faults if fault]
    count, line = len(shown), 1
    write("\t".join(columns) + "\n" if not shown else "")
    for line, row in enumerate(rows, 2):
        values = {c: "" if row.get(c) is None else str(row[c]) for c in columns}
        found = list(_row_faults(name, line, row, values))
        count += len(found)
        shown.extend(found[: FAULTS_SHOWN - len(shown)])
        if not count:
            write("\t".join(values.values()) + "\n")
    if line == 1:
        shown.append(explain(name, "rows", "at least one", "none", "A manifest without rows cannot be read."))
    return [*shown, f"and {count - FAULTS_SHOWN} more"] if count > FAULTS_SHOWN else shown


def _row_faults(name: str, line: int, row: Mapping[str, object], values: Mapping[str, str]) -> Iterator[str]:
    for column, (key, value) in enumerate(values.items(), 1):
        where = f"{name}:{line}:{column}"
        fault = _value_fault(where, key, value)
        if fault:
            yield fault
        elif key == "n_frames" and parse_frames(value) is None:
            yield explain(where, key, "a positive number of samples", visible(value), "It counts samples at 16 kHz.")
        elif key in REQUIRED_COLUMNS and not value:
            yield explain(where, key, "filled in every row", "", "Give it a value.")
    for key in row.keys() - values.keys():
        yield explain(f"{name}:{line}", visible(str(key)), "one of the columns", "not written", "Name it in `columns`.")
    if not any(values.values()) and len(values) == 1:
        yield explain(f"{name}:{line}", "row", "a line with text", "blank", "Leave the row out.")


def _value_fault(where: str, key: str, value: str) -> str:
    """Worded fault of a value that one field of a line cannot hold, or the empty string."""
    if any(c in value for c in "\t\n\r\0"):
        mend = "Replace tabs, line ends and NUL by spaces."
        return explain(where, key, "text without tab, line end and NUL", visible(value), mend)
    if not value.isprintable() and any("\ud800" <= c <= "\udfff" for c in value):
        return explain(where, key, "text that UTF-8 can hold", visible(value), "Decode it with its real encoding.")
    return ""
