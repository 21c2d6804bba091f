"""The file of CTC labels, one a line: tags, ``>``, ``_`` for the space, then characters (``fairseq_samu.concepts``)."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from fairseq_samu.concepts import CLOSE, SPACE, concept_of, is_label, tokenize
from fairseq_samu.data.manifest_scan import visible
from fairseq_samu.data.whole_file import write_whole
from fairseq_samu.errors import ConfigError, explain, report_all

LABELS_FILE = "labels.txt"
"""Name by which a task finds the file in its data folder."""


def collect_labels(texts: Iterable[str]) -> list[str]:
    """List the labels that texts are written in.

    Args:
        texts: annotated.

    Returns:
        Tags by name, ``>``, ``_``, and the other labels by code point; ``>`` and ``_`` are always there.
    """
    found: set[str] = {CLOSE, SPACE}
    for text in texts:
        found.update(tokenize(text))
    tags = sorted(token for token in found if concept_of(token) is not None)
    return [*tags, CLOSE, SPACE, *sorted(found - {*tags, CLOSE, SPACE})]


def require_labels(labels: Sequence[str], where: str) -> None:
    """Refuse what is no list of labels; any order will do.

    Args:
        labels: one an entry.
        where: name of the file that they come from.

    Raises:
        ConfigError: with all faults, each with its line.
    """
    faults = []
    first: dict[str, int] = {}
    mend = "Write it again with `fairseq-samu prepare concept-labels`."
    for line, label in enumerate(labels, 1):
        if not is_label(label):
            rule = "a tag, a character, or an escape of one"
            faults.append(explain(f"{where}:{line}", "label", rule, visible(label), mend))
        elif first.setdefault(label, line) != line:
            rule = f"there once, in line {first[label]}"
            faults.append(explain(f"{where}:{line}", "label", rule, label, mend))
    meanings = {CLOSE: "closes a concept", SPACE: "is the space"}
    for label, meaning in meanings.items():
        if label not in first:
            faults.append(explain(where, "labels", f"with {label}, which {meaning},", "without", mend))
    if faults:
        raise ConfigError(report_all(faults))


def read_labels(path: str | os.PathLike[str]) -> list[str]:
    """Read a file of labels.

    Args:
        path: UTF-8, one label a line; their order is that of the ids.

    Returns:
        The labels in the order of the file.

    Raises:
        ConfigError: the file cannot be read, or with all lines that are at fault.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = f"byte {error.start} is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
        mend = "Check the path, or write it with `fairseq-samu prepare concept-labels`."
        raise ConfigError(explain("", "labels", "a readable text file", f"{path} ({reason})", mend)) from error
    lines = text.removesuffix("\n").replace("\r\n", "\n").removesuffix("\r").split("\n")
    require_labels(lines, os.fspath(path))
    return lines


def write_labels(path: str | os.PathLike[str], labels: Sequence[str]) -> None:
    """Write a file of labels; it appears whole or not at all.

    Args:
        path: the file; one that exists is replaced, and its folder is made.
        labels: as :func:`collect_labels` gives them.

    Raises:
        ConfigError: these are no labels, or the file cannot be written.
    """
    require_labels(labels, os.fspath(path))
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, "".join(f"{label}\n" for label in labels).encode("utf-8"))
    except OSError as error:
        mend = "Check the folder, its permissions and the space left."
        raise ConfigError(
            explain("", "labels", "a file that can be written", f"{path} ({error.strerror})", mend)
        ) from error
