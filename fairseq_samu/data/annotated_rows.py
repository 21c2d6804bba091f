"""Rows of spoken language understanding: ``tgt_text`` is annotated text, ``src_text`` the same words without tags."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Optional

from fairseq_samu.concepts import concept_of, find_annotation_faults, relax_text, tokenize
from fairseq_samu.data.manifest import Manifest, Row
from fairseq_samu.data.manifest_scan import visible
from fairseq_samu.errors import explain

COLUMN = "tgt_text"


def annotated_text(row: Row, prefixes: Mapping[str, str]) -> Optional[str]:
    """Annotated text of a row, with relaxed names and single spaces.

    Args:
        row: of a manifest.
        prefixes: see ``concepts.relax_name``; empty for the names as they are.

    Returns:
        None where the manifest has no such column.
    """
    text = getattr(row, COLUMN)
    return None if text is None else relax_text(" ".join(text.split()), prefixes)


def find_row_faults(
    manifest: Manifest,
    positions: Iterable[int],
    prefixes: Mapping[str, str],
    labels: Optional[Collection[str]] = None,
) -> Iterator[str]:
    """Find everything that keeps rows from being learnt.

    Args:
        manifest: with a column of annotated text.
        positions: which rows.
        prefixes: see :func:`annotated_text`.
        labels: all that a model can write; None where any will do.

    Returns:
        A fault a time, with file and line.
    """
    known = None if labels is None else {name for name in map(concept_of, labels) if name is not None}
    for position in positions:
        text = annotated_text(manifest[position], prefixes)
        if not text:
            yield empty_fault(manifest, position)
            continue
        for fault in find_annotation_faults(text, known):
            yield f"{manifest.where(position)}: {fault}"
        unknown = [token for token in find_unknown(text, labels) if concept_of(token) is None]
        if unknown:
            mend = "Replace the characters, or prepare the labels from this manifest too."
            value = " ".join(map(visible, unknown))
            yield explain(manifest.where(position), COLUMN, "written in the labels of the model", value, mend)


def find_unknown(text: str, labels: Optional[Collection[str]]) -> list[str]:
    """List what a text has beside the labels, each once and in order; nothing where ``labels`` is None."""
    return [] if labels is None else [token for token in dict.fromkeys(tokenize(text)) if token not in labels]


def empty_fault(manifest: Manifest, position: int) -> str:
    """Word the fault of a row without annotated text in a manifest that has the column."""
    mend = "Fill it in, or leave the column out where annotations are not known."
    return explain(manifest.where(position), COLUMN, "filled in every row", "", mend)
