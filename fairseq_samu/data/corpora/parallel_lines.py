"""Parallel text as it is published: two files with a text a line, or one with two columns, plain or packed by gzip."""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fairseq_samu.data.corpora.names import split_names
from fairseq_samu.data.corpora.writer import clean_cell
from fairseq_samu.errors import ConfigError, ManifestError, explain, report_all

_PIECE = 1 << 20  # bytes read at once where lines are counted


@dataclass(frozen=True, slots=True)
class TextFiles:
    """Files that belong together.

    Args:
        name: what ids of their rows begin with.
        source: texts in the language that is translated, or both texts in two columns.
        target: their translations; None where ``source`` holds both.
    """

    name: str
    source: Path
    target: Path | None


@dataclass(frozen=True, slots=True)
class TextPair:
    """Two texts of a line.

    Args:
        place: ``train.en:17``, the same as its id.
        source: text, cleaned of control characters and superfluous spaces.
        target: its translation, likewise.
        fault: why it cannot be used; empty where it can.
    """

    place: str
    source: str = ""
    target: str = ""
    fault: str = ""


def name_files(sources: str, targets: str, root: Path | None, option: str) -> list[TextFiles]:
    """Pair the files of an option.

    Args:
        sources: file names, by commas; those of tables with two columns end in ``.tsv`` or ``.tsv.gz``.
        targets: file names, by commas, one for each source that is no table.
        root: folder that relative names start from.
        option: name of the option of the sources, for messages.

    Returns:
        The files, in their order, with names that tell them apart.

    Raises:
        ConfigError: a file is missing, or the names do not pair up.
    """
    paths = [Path(root or "", name) for name in split_names(sources)]
    waiting = [Path(root or "", name) for name in split_names(targets)]
    needed = sum(not _is_table(path) for path in paths)
    faults = []
    if needed != len(waiting):
        rule = f"as many names as files of {option} that are no .tsv, {needed}"
        mend = "Name files that belong together in one order, or a .tsv with two columns alone."
        faults.append(explain("", option.replace("source", "target"), rule, len(waiting), mend))
    mend = f"Relative names start at '{root or '.'}'."
    faults += [
        explain(option, str(path), "an existing file", "missing", mend)
        for path in (*paths, *waiting)
        if not path.is_file()
    ]
    if faults:
        raise ConfigError(report_all(faults))
    labels = [path.name.removesuffix(".gz") for path in paths]
    named = []
    for number, (path, label) in enumerate(zip(paths, labels, strict=True), 1):
        unique = label if labels.count(label) == 1 else f"{number}-{label}"
        named.append(TextFiles(unique, path, None if _is_table(path) else waiting.pop(0)))
    return named


def count_pairs(files: Sequence[TextFiles]) -> int:
    """Count the lines of files that belong together.

    Args:
        files: as :func:`name_files` gives them.

    Returns:
        Number of pairs.

    Raises:
        ManifestError: two files differ in length, so that no line can be trusted; or one cannot be read.
    """
    total, faults = 0, []
    for each in files:
        count = _count_lines(each.source)
        total += count
        other = count if each.target is None else _count_lines(each.target)
        if other != count:
            rule = f"of as many lines as {each.source}, {count}"
            faults.append(explain("", str(each.target), rule, other, "Name files that belong together line by line."))
    if faults:
        raise ManifestError(report_all(faults))
    return total


def read_pairs(files: Sequence[TextFiles]) -> Iterator[TextPair]:
    """Read pairs one at a time, those that cannot be used included, with their fault.

    Args:
        files: of equal length, as :func:`count_pairs` makes sure.

    Yields:
        Pairs in the order of the files.

    Raises:
        ManifestError: a file cannot be read.
    """
    for each in files:
        with _opened(each.source) as source:
            if each.target is None:
                for number, line in enumerate(source, 1):
                    yield _pair(f"{each.name}:{number}", line.split(b"\t"))
                continue
            with _opened(each.target) as target:
                for number, lines in enumerate(zip(source, target, strict=True), 1):
                    yield _pair(f"{each.name}:{number}", lines)


def _pair(place: str, cells: Sequence[bytes]) -> TextPair:
    if len(cells) != 2:
        return TextPair(place, clean_cell(b" ".join(cells).decode("utf-8", "replace")), fault="not two columns")
    try:
        source, target = (clean_cell(cell.decode("utf-8")) for cell in cells)
    except UnicodeDecodeError:
        return TextPair(place, fault="not UTF-8")
    fault = "" if source and target else "empty translation" if source else "empty text"
    return TextPair(place, source, target, fault)


def _is_table(path: Path) -> bool:
    return path.name.removesuffix(".gz").endswith(".tsv")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, unpacked; lines end at LF only, as a text may hold other separators."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            yield file  # type: ignore[misc]  # a gzip file reads like any other
    except (EOFError, zlib.error, OSError) as error:
        mend = "Copy it again."
        raise ManifestError(explain("", str(path), "readable to its end", str(error), mend)) from error


def _count_lines(path: Path) -> int:
    count, last = 0, b"\n"
    with _opened(path) as file:
        while piece := file.read(_PIECE):
            count += piece.count(b"\n")
            last = piece[-1:]
    return count + (last != b"\n")
