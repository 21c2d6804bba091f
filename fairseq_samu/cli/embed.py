"""`fairseq-samu embed`: write the table of a teacher's sentence embeddings, from which training takes its targets."""

import argparse
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fairseq_samu.data.manifest import read_manifest
from fairseq_samu.errors import ManifestError, explain
from fairseq_samu.teachers.encoder import SPECS, build_sentence_encoder
from fairseq_samu.teachers.precomputed import PrecomputedEncoder
from fairseq_samu.teachers.table import EmbeddingTable
from fairseq_samu.teachers.table_building import TableOptions, fill_table
from fairseq_samu.teachers.table_files import DTYPES
from fairseq_samu.teachers.texts import normalise_text

logger = logging.getLogger(__name__)

TEXT_TABLE_COLUMN = "text"
TRAINING_SPLIT = "train"
_LOG_SECONDS = 10.0
TEACHERS = """teachers: `use`, 16 languages, and `e5`, about 100, are installed as packages; `sentence-transformers:DIR`
is a local directory such as LaBSE's, with modules.json; `npy:FILE.npy` holds vectors (N, D) made elsewhere, line i of
FILE.txt the text of row i."""


def add_parser(subparsers: Any) -> None:
    """Register the verb."""
    parser = subparsers.add_parser("embed", help="embed texts with a teacher", description=__doc__, epilog=TEACHERS)
    add = parser.add_argument
    add("inputs", nargs="+", metavar="MANIFEST", help="manifests, and tables of texts (such as texts.tsv) in any order")
    add(
        "--text-column",
        type=_names,
        default=["src_text"],
        metavar="NAMES",
        help="columns of the manifests, separated by commas; of a table of texts it is `text` [src_text]",
    )
    add("--teacher", required=True, metavar="SPEC", help=f"one of {SPECS}")
    add("--output", type=Path, required=True, metavar="DIR", help="folder of the table; what it lacks is added")
    add("--dtype", choices=DTYPES, default="float32", help="how vectors are stored [%(default)s]")
    add(
        "--center",
        action="store_true",
        help="subtract the mean over the training texts at look-up: those of files called train*, or with split=train",
    )
    add("--normalize", action="store_true", help="scale to length 1 at look-up, after centring")
    add("--shard-size", type=_count, default=8192, metavar="N", help="texts a file; a kill loses no more [%(default)s]")
    add("--batch-size", type=_count, default=64, metavar="N", help="texts given to the teacher at once [%(default)s]")
    add("--device", default="cpu", help="torch device of teachers that run on torch [%(default)s]")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Embed the texts that the table lacks.

    Args:
        args: as the parser of :func:`add_parser` gives them.

    Returns:
        0.

    Raises:
        ManifestError: an input is at fault, or lacks a column.
        TeacherError: the teacher is unknown or not installed, or the table was made by another one.
    """
    start = time.monotonic()
    texts = gather_texts(list(dict.fromkeys(args.inputs)), args.text_column)
    encoder = build_sentence_encoder(args.teacher, device=args.device)
    if isinstance(encoder, PrecomputedEncoder):
        encoder.require(texts)  # all that it lacks in one report, not those of the first batch
    options = TableOptions(args.teacher, args.dtype, args.center, args.normalize, args.shard_size, args.batch_size)
    with _Progress() as progress:
        fill_table(args.output, texts, encoder, options, progress.show)
    table = EmbeddingTable.open(args.output)
    new = "none" if progress.new == 0 else str(progress.new)
    seconds = time.monotonic() - start
    print(
        f"{args.output}: {len(table)} texts ({new} of them new), {table.dim} dimensions, "
        f"fingerprint {table.fingerprint}, {seconds:.1f} s"
    )
    return 0


def gather_texts(paths: list[str], columns: list[str]) -> dict[str, bool]:
    """Collect the different texts of manifests and tables of texts.

    Args:
        paths: TSV files; one with a column ``text`` and none called ``audio`` is a table of texts.
        columns: the columns to read of a manifest.

    Returns:
        Normalised texts, each with whether it stands in a training set: a file called train*, or, where the file has a
        column ``split``, a row in which that is ``train``.

    Raises:
        ManifestError: a file is at fault, lacks a column, or no text is found.
    """
    texts: dict[str, bool] = {}
    empty = 0
    for path in paths:
        for text, is_training in _texts_of(path, columns):
            empty += not text
            if text:
                texts[text] = texts.get(text, False) or is_training
    if empty:
        logger.warning("%d empty texts have no embedding; rows that have no other text cannot be trained on", empty)
    if not texts:
        mend = "Name the column that holds texts with --text-column."
        raise ManifestError(explain(", ".join(paths), "input", "one with texts", "without any", mend))
    return texts


def _texts_of(path: str, columns: list[str]) -> Iterator[tuple[str, bool]]:
    manifest = read_manifest(path, required=())
    if TEXT_TABLE_COLUMN in manifest.columns and "audio" not in manifest.columns:
        columns = [TEXT_TABLE_COLUMN]
    for name in columns:
        if name not in manifest.columns:
            mend = "Name another with --text-column."
            raise ManifestError(explain(path, "text column", f"one of {', '.join(manifest.columns)}", name, mend))
    by_row = "split" in manifest.columns
    is_training = Path(path).name.startswith(TRAINING_SPLIT)
    for row in manifest:
        if by_row:
            is_training = row.extra["split"] == TRAINING_SPLIT
        for name in columns:
            value = row.extra[name] if name in row.extra else getattr(row, name)
            yield normalise_text(str(value)), is_training


def _names(text: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise argparse.ArgumentTypeError("must name a column")
    return names


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, but is {number}")
    return number


class _Progress:
    """A bar on a terminal, a line now and then in a log."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.first = -1
        self.new = 0
        self.logged = self.start = time.monotonic()

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def show(self, done: int, total: int) -> None:
        """Take up how many texts of how many have embeddings."""
        if self.first < 0:
            self.first = done
            logger.info("%d texts, of which %d have embeddings already", total, done)
        self.new = done - self.first
        if sys.stderr.isatty():
            if self.bar is None:
                from tqdm import tqdm

                self.bar = tqdm(total=total, initial=done, desc="embed", unit=" texts", dynamic_ncols=True)
            self.bar.update(done - self.bar.n)
        elif self.new and time.monotonic() - self.logged > _LOG_SECONDS:
            self.logged = time.monotonic()
            rate = self.new / (self.logged - self.start)
            logger.info("embedded %d of %d texts, %.0f a second", done, total, rate)
