"""Gathers what `score` compares: references of a test set with their languages, and every system's hypotheses."""

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from fairseq_samu.cli.named_files import split_named_file
from fairseq_samu.cli.scored_rows import Pair, select_languages, split_pairs
from fairseq_samu.data.manifest import read_manifest
from fairseq_samu.errors import ConfigError, SamuError, explain
from fairseq_samu.scoring.generate_output import (
    GenerateOutput,
    is_generate_output,
    name_rows,
    order_rows,
    read_generate_output,
    read_lines,
)
from fairseq_samu.scoring.paired_bootstrap import NUM_RESAMPLES, SEED

UNKNOWN = "<<unk>>"
"""What the host writes in a reference for tokens that the vocabulary lacks."""
LEAST_RESAMPLES = 40


@dataclass(frozen=True)
class TestSet:
    """References, and which rows are of which pair.

    Attributes:
        references: one a row.
        pairs: rows by name such as ``fr-en``, in order of appearance.
        source: where the references are from, for the result.
        names: of the rows in the manifest; empty without one.
        rows: their places in the manifest where they are a part of it; None for all.
        whole: rows of the manifest where they are a part of it.
    """

    references: list[str]
    pairs: dict[str, Pair]
    source: str
    names: list[str] = field(default_factory=list)
    rows: Optional[list[int]] = None
    whole: int = 0

    @property
    def count(self) -> int:
        """Rows of the whole test set, whose numbers an output names."""
        return len(self.references) if self.rows is None else self.whole

    def number(self, place: int) -> int:
        """Number of a reference's row in the whole test set."""
        return place if self.rows is None else self.rows[place]


@dataclass(frozen=True)
class SystemFile:
    """Where a system's hypotheses are.

    Attributes:
        name: of the system in tables.
        paths: its files.
        is_text: plain text with one hypothesis a line; otherwise output of `fairseq-generate`.
    """

    name: str
    paths: list[Path]
    is_text: bool

    @property
    def where(self) -> str:
        """The files, for messages."""
        return ", ".join(map(str, self.paths))

    def read(self) -> GenerateOutput:
        """Read hypotheses by row, and references where the output has them."""
        if self.is_text:
            return GenerateOutput(dict(enumerate(read_lines(self.paths[0], may_be_blank=True))))
        return read_generate_output(self.paths)


def add_input_options(parser: argparse.ArgumentParser, of_speech: bool = False) -> None:
    """Add the options that say which texts to compare, those of :func:`list_systems` and :func:`read_test_set`.

    Args:
        parser: takes them.
        of_speech: the texts are transcripts.
    """
    add = parser.add_argument
    columns = "src_text as reference, src_lang" if of_speech else "tgt_text as reference, src_lang and tgt_lang"
    add("--reference", type=Path, metavar="FILE", help="references as plain UTF-8 text, one a line")
    add("--manifest", type=Path, metavar="TSV", help=f"test manifest: {columns} by row")
    add(
        "--languages",
        default="",
        metavar="CODE[,CODE]",
        help="score only the rows of --manifest whose src_lang is one of these, as the tasks' own --languages decodes",
    )
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--hypothesis", type=Path, metavar="FILE", help="hypotheses as plain UTF-8 text, one a line")
    files = "output of fairseq-generate; the parts of a split run together"
    one.add_argument("--generate", type=Path, nargs="+", metavar="FILE", help=files)
    add("--name", default="system", help="name of that system in tables [%(default)s]")
    add(
        "--system",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="a further system, as output of fairseq-generate or plain text; may be repeated",
    )
    base = parser.add_mutually_exclusive_group()
    base.add_argument(
        "--baseline-hypothesis", type=Path, metavar="FILE", help="plain text that others are tested against"
    )
    base.add_argument(
        "--baseline-generate", type=Path, nargs="+", metavar="FILE", help="the same as output of fairseq-generate"
    )
    pair = "" if of_speech else ", or the pair (fr-en),"
    add("--language", metavar="CODE", help=f"language of the texts (en){pair} where no manifest tells it")


def add_resampling_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of intervals and tests."""
    add = parser.add_argument
    add(
        "--resamples",
        type=int,
        default=NUM_RESAMPLES,
        metavar="N",
        help="bootstrap resamples, 0 for none [%(default)s]",
    )
    add("--seed", type=int, default=SEED, help="of the resampling [%(default)s]")


def check_resamples(count: int) -> int:
    """Give the number of resamples back.

    Raises:
        ConfigError: it is too small for an interval.
    """
    if count < 0 or 0 < count < LEAST_RESAMPLES:
        mend = "An interval of 95 % needs them."
        raise ConfigError(explain("", "--resamples", f"0, or {LEAST_RESAMPLES} and more", count, mend))
    return count


def list_systems(arguments: argparse.Namespace) -> tuple[list[SystemFile], Optional[SystemFile]]:
    """The systems to score, and the baseline where there is one.

    Raises:
        ConfigError: there is no system, or two have one name.
    """
    systems = []
    if arguments.hypothesis:
        systems.append(SystemFile(arguments.name, [arguments.hypothesis], True))
    if arguments.generate:
        systems.append(SystemFile(arguments.name, arguments.generate, False))
    for text in arguments.system:
        name, path = split_named_file("--system", text)
        systems.append(SystemFile(name, [path], not is_generate_output(path)))
    if not systems:
        mend = "Give --generate FILE, --hypothesis FILE or --system NAME=FILE."
        raise ConfigError(explain("", "hypotheses", "of one system at least", "of none", mend))
    baseline = None
    if arguments.baseline_hypothesis:
        baseline = SystemFile("baseline", [arguments.baseline_hypothesis], True)
    if arguments.baseline_generate:
        baseline = SystemFile("baseline", arguments.baseline_generate, False)
    names = [system.name for system in [*systems, *([baseline] if baseline else [])]]
    if len(set(names)) != len(names):
        mend = "Use --name for the one of --generate or --hypothesis."
        raise ConfigError(explain("", "names of systems", "different", ", ".join(names), mend))
    return systems, baseline


def read_test_set(
    arguments: argparse.Namespace, first: SystemFile, may_be_blank: bool = False, of_speech: bool = False
) -> TestSet:
    """Read references and languages.

    Args:
        arguments: ``reference``, ``manifest`` and ``language`` of the command line.
        first: the system whose T- lines serve where neither file is given.
        may_be_blank: the references of a file may all be empty.
        of_speech: transcripts are compared: ``src_text`` of a manifest, by the language of the speech.

    Raises:
        SamuError: there are no references, or not one for each row of the manifest.
    """
    rows = None
    if arguments.manifest:
        required = () if arguments.reference else ("src_text" if of_speech else "tgt_text",)
        rows = list(read_manifest(arguments.manifest, required=required))
    if arguments.reference:
        references, source = read_lines(arguments.reference, may_be_blank), str(arguments.reference)
        if rows is not None and len(rows) != len(references):
            rule = f"as many as {arguments.manifest} has rows ({len(rows)})"
            raise SamuError(explain(str(arguments.reference), "lines", rule, len(references), "Use the same test set."))
    elif rows is not None:
        references = [(row.src_text if of_speech else row.tgt_text) or "" for row in rows]
        source = str(arguments.manifest)
    else:
        references, source = _references_of(first), f"T- lines of {first.where}"
    chosen = select_languages(arguments, rows)
    if rows is not None and chosen is not None:
        whole, rows = len(rows), [rows[place] for place in chosen]
        references = [references[place] for place in chosen]
    else:
        whole = 0
    names = [row.id for row in rows or []]
    pairs = split_pairs(rows, len(references), arguments.language, of_speech)
    return TestSet(references, pairs, source, names, chosen, whole)


def read_hypotheses(system: SystemFile, test_set: TestSet) -> list[str]:
    """Read a system's hypotheses in the order of rows, one for each.

    Raises:
        SamuError: there are more or fewer; counts, or the rows of an output of `fairseq-generate`, are named.
    """
    found, count = system.read().hypotheses, test_set.count
    if system.is_text and len(found) != count:
        mend = f"Each line must belong to the same line of the references, those of {test_set.source}."
        raise SamuError(explain(system.where, "lines", f"as many as references ({count})", len(found), mend))
    return order_rows(found, count, system.where, test_set.rows)


def _references_of(system: SystemFile) -> list[str]:
    found = system.read()
    if not found.references:
        mend = "Give --manifest TSV or --reference FILE."
        raise SamuError(explain(system.where, "references", "given, or in T- lines", "absent", mend))
    count = 1 + max(*found.references, *found.hypotheses)
    order_rows(found.hypotheses, count, system.where)
    missing = [row for row in range(count) if row not in found.references]
    if missing:
        mend = "Give --manifest TSV or --reference FILE."
        raise SamuError(
            explain(system.where, "T- lines", f"one for each of {count} rows", f"absent for row {missing[0]}", mend)
        )
    unknown = [row for row in range(count) if UNKNOWN in found.references[row]]
    if unknown:
        mend = "Give --manifest TSV or --reference FILE: a T- line is what the vocabulary can write of a reference."
        value = f"{UNKNOWN} in {name_rows(unknown)}"
        raise SamuError(explain(system.where, "T- lines", "the references in full", value, mend))
    return [found.references[row] for row in range(count)]
