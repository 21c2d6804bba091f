"""`fairseq-samu prepare concept-labels`: the characters and concept tags of annotated manifests, one a line."""

import argparse
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fairseq_samu.concepts import concept_of, read_prefix_map
from fairseq_samu.data.annotated_rows import COLUMN, annotated_text, find_row_faults
from fairseq_samu.data.concept_labels import LABELS_FILE, collect_labels, write_labels
from fairseq_samu.data.corpora.names import split_names
from fairseq_samu.data.language_codes import canonical_language
from fairseq_samu.data.manifest import Manifest, read_manifest
from fairseq_samu.errors import ConfigError, ManifestError, explain, report_all

logger = logging.getLogger(__name__)
DESCRIPTION = (
    "Write the labels that `dual_slu` learns to write: the concept tags of tgt_text, `>`, `_` for the space, and the "
    "characters, one a line and in the order of their ids. Annotations are checked first, and nothing is written where "
    f"one is at fault. `dual_slu` finds a file named {LABELS_FILE} in its data folder. For several languages, or "
    "to tune on another one later, give the training manifests of all of them at once."
)


def add_parser(commands: Any) -> None:
    """Register the command among those of `fairseq-samu prepare`."""
    parser = commands.add_parser("concept-labels", help="list the labels of annotated text", description=DESCRIPTION)
    parser.add_argument(
        "--manifest", nargs="+", type=Path, required=True, metavar="FILE", help="manifests to train on, with tgt_text"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=f"such as DATA/{LABELS_FILE}")
    parser.add_argument(
        "--prefix-map",
        type=Path,
        metavar="FILE",
        help="names of concepts that become others (relax mode): FULL,NEW or BEGINNING*,NEW in each line",
    )
    parser.add_argument("--languages", default="", help="languages of speech to read, by commas; empty: all")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Check annotations and write their labels.

    Args:
        args: as the parser of :func:`add_parser` gives them.

    Returns:
        0.

    Raises:
        SamuError: where annotations, files or options do not serve.
    """
    prefixes = read_prefix_map(args.prefix_map) if args.prefix_map else {}
    languages = split_names(args.languages)
    columns = (COLUMN, "src_lang") if languages else (COLUMN,)
    manifests = [read_manifest(path, columns) for path in args.manifest]
    chosen = list(zip(manifests, _choose_rows(manifests, languages), strict=True))
    faults = [fault for manifest, rows in chosen for fault in find_row_faults(manifest, rows, prefixes)]
    if faults:
        raise ManifestError(report_all(faults))

    def texts() -> Iterator[str]:
        for manifest, rows in chosen:
            yield from (annotated_text(manifest[row], prefixes) or "" for row in rows)

    labels = collect_labels(texts())
    write_labels(args.output, labels)
    concepts = [name for name in map(concept_of, labels) if name is not None]
    if not concepts:
        logger.warning("no text has a concept; is the annotated text in `%s`?", COLUMN)
    if prefixes and not set(prefixes.values()) & set(concepts):
        logger.warning("%s changes no concept of these manifests", args.prefix_map)
    rows = sum(len(rows) for _, rows in chosen)
    print(f"{args.output}: {len(labels)} labels, {len(concepts)} of them concepts, from {rows} rows")
    return 0


def _choose_rows(manifests: Sequence[Manifest], languages: Sequence[str]) -> list[Sequence[int]]:
    """Positions, in each manifest, of the rows in some languages; all rows where none are named."""
    if not languages:
        return [range(len(manifest)) for manifest in manifests]
    wanted = {canonical_language(code) or code for code in languages}
    codes = [[canonical_language(code) or code for code in manifest.languages] for manifest in manifests]
    absent = sorted(wanted - {code for listed in codes for code in listed})
    if absent:
        rule = f"among those of the manifests ({' '.join(sorted({code for listed in codes for code in listed}))})"
        raise ConfigError(explain("--languages", "language", rule, ", ".join(absent), "Change it."))
    return [
        [row for row, language in enumerate(manifest.language_ids) if listed[language] in wanted]
        for manifest, listed in zip(manifests, codes, strict=True)
    ]
