"""Reads what is scored: the output of `fairseq-generate`, or plain text with one sentence a line."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from fairseq_samu.errors import FAULTS_SHOWN, SamuError, explain

# `D-17<tab>-0.53<tab>text` is the hypothesis of row 17, `T-17<tab>text` its reference as the vocabulary gives it back.
_HYPOTHESIS = re.compile(r"^D-(\d+)\t[^\t]*\t(.*)$")
_REFERENCE = re.compile(r"^T-(\d+)\t(.*)$")


@dataclass
class GenerateOutput:
    """Texts of `fairseq-generate` by row of the manifest.

    Attributes:
        hypotheses: the detokenised best hypothesis of each row.
        references: what the file holds as reference, after a way through the vocabulary; empty where it has none.
    """

    hypotheses: dict[int, str] = field(default_factory=dict)
    references: dict[int, str] = field(default_factory=dict)


def read_lines(path: Path, may_be_blank: bool = False) -> list[str]:
    """Read a text with one sentence a line; only a line feed (after a carriage return or not) ends a line.

    Args:
        path: the file.
        may_be_blank: lines may all be empty, as what an untrained model recognises is.

    Raises:
        SamuError: the file is empty or no UTF-8.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        mend = "Convert it to UTF-8."
        raise SamuError(explain("", str(path), "text in UTF-8", f"bytes that are not ({error})", mend)) from error
    if not (text if may_be_blank else text.strip()):
        raise SamuError(explain("", str(path), "a text with one sentence a line", "empty", "Write it again."))
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def read_generate_output(paths: Sequence[Path]) -> GenerateOutput:
    """Read hypotheses and references from one output of `fairseq-generate`, or from the parts of a split run.

    Args:
        paths: files as ``--results-path`` or the standard output of the host has them, in any order of rows.

    Raises:
        SamuError: there is no hypothesis, or a row has more than one.
    """
    found = GenerateOutput()
    twice: list[int] = []
    where = ", ".join(map(str, paths))
    for path in paths:
        for line in read_lines(path):
            for pattern, texts in ((_HYPOTHESIS, found.hypotheses), (_REFERENCE, found.references)):
                match = pattern.match(line)
                if match and texts is found.hypotheses and int(match[1]) in texts:
                    twice.append(int(match[1]))
                if match:
                    texts[int(match[1])] = match[2]
    if not found.hypotheses:
        mend = "Give what `fairseq-generate` printed, or wrote below --results-path."
        raise SamuError(explain("", where, "output of fairseq-generate", "a text without lines `D-ROW`", mend))
    if twice:
        mend = "Decode with --nbest 1, and give each part of a split run once."
        raise SamuError(explain(where, "D- lines", "one a row", f"several of {name_rows(twice)}", mend))
    return found


def is_generate_output(path: Path) -> bool:
    """Tell output of `fairseq-generate` from plain text: it has a line `D-ROW`."""
    return any(_HYPOTHESIS.match(line) for line in read_lines(path, may_be_blank=True))


def order_rows(texts: dict[int, str], count: int, where: str, wanted: Optional[Sequence[int]] = None) -> list[str]:
    """Put texts into the order of rows, each row of ``range(count)`` exactly once.

    Args:
        texts: by row.
        count: how many rows there must be.
        where: the file, for messages.
        wanted: the rows to give, of those; all when None. Texts of the others are not needed and not given.

    Raises:
        SamuError: rows are missing, or there are rows beyond; both are named.
    """
    wanted = range(count) if wanted is None else wanted
    missing = [row for row in wanted if row not in texts]
    if missing:
        mend = "Was decoding broken off, or was a row filtered? Decode again without filters."
        value = f"{len(texts)} without {name_rows(missing)}"
        raise SamuError(explain(where, "hypotheses", f"{len(wanted)}, one for each row", value, mend))
    beyond = sorted(row for row in texts if row >= count)
    if beyond:
        mend = "The references are of another data set."
        raise SamuError(explain(where, "hypotheses", f"of the {count} rows that there are", name_rows(beyond), mend))
    return [texts[row] for row in wanted]


def name_rows(rows: Iterable[int]) -> str:
    """Name rows for a message: ``rows 3, 5, 9`` or the first twenty and a count of the rest."""
    listed = sorted(set(rows))
    shown = ", ".join(map(str, listed[:FAULTS_SHOWN]))
    rest = f" and {len(listed) - FAULTS_SHOWN} more" if len(listed) > FAULTS_SHOWN else ""
    return f"row{'s' if len(listed) > 1 else ''} {shown}{rest}"
