"""Score understanding: error rates over tagged characters, words, concepts and concepts with values, with tests."""

import argparse
import sys
from pathlib import Path
from typing import Any

from fairseq_samu.cli.alignment_files import add_alignment_option, write_alignments
from fairseq_samu.cli.compared_systems import describe_systems
from fairseq_samu.cli.retrieve import write_json
from fairseq_samu.cli.score_inputs import (
    TestSet,
    add_input_options,
    add_resampling_options,
    check_resamples,
    list_systems,
    read_hypotheses,
    read_test_set,
)
from fairseq_samu.cli.scored_rows import name_languages
from fairseq_samu.concepts import find_annotation_faults, read_prefix_map
from fairseq_samu.reports.understanding_tables import tabulate_comparison, tabulate_system, tabulate_systems
from fairseq_samu.scoring.generate_output import name_rows
from fairseq_samu.scoring.understanding import METRICS, UnderstandingPlan, score_understanding
from fairseq_samu.scoring.understanding_summary import describe_comparison, describe_summary, summarise_understanding
from fairseq_samu.scoring.value_normalisers import IDENTITY, NORMALISERS, combine_normalisers

DESCRIPTION = "understanding: ChER, WER, CER, CVER, tables by concept"
EPILOG = (
    "Texts are annotated: je veux <nombre> deux > chambres. All rates are 100 (S + D + I) / N with unit costs, summed "
    "over the corpus; of equally short edits those with the most matches are counted. ChER: CTC labels (each tag, each "
    "`>` and each character one). WER: words without tags. CER: opening tags. CVER: tag and value as one unit. A rate "
    "without any unit in the references is null."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `score slu`."""
    add = parser.add_argument
    add_input_options(parser)
    add(
        "--prefix-map",
        type=Path,
        metavar="FILE",
        help="compare concepts without specifier (relax mode): lines FULL,NEW or BEGINNING*,NEW",
    )
    add(
        "--normaliser",
        default=IDENTITY.name,
        metavar="NAME[,NAME]",
        help=f"form by which values are compared in CVER and entity F1, of {' '.join(NORMALISERS)} [%(default)s]",
    )
    add_alignment_option(parser)
    add_resampling_options(parser)
    add("--json", type=Path, metavar="FILE", help="write the scores there; - for standard output")
    add("--markdown", action="store_true", help="print the tables in Markdown")


def run(arguments: argparse.Namespace) -> int:
    """Score, print and write.

    Args:
        arguments: as the parser of :func:`add_options` gives them.

    Returns:
        0.

    Raises:
        SamuError: the inputs do not fit each other; the message says where.
    """
    files, baseline = list_systems(arguments)
    plan = plan_of(arguments)
    test_set = read_test_set(arguments, files[0], may_be_blank=True)
    languages = name_languages(test_set.pairs)
    summaries = {}
    for file in [*files, *([baseline] if baseline else [])]:
        scores = score_understanding(read_hypotheses(file, test_set), test_set.references, plan)
        summaries[file.name] = summarise_understanding(scores, languages, plan)
    systems = describe_systems(summaries, files, baseline, describe_summary, describe_comparison)
    result = {**systems[files[0].name], "references": test_set.source, "notes": notes_of(test_set)}
    if len(systems) > 1:
        result["systems"] = systems
    # files first: the reader of a table may leave early (`| head`)
    if arguments.json:
        write_json(arguments.json, result)
    write_alignments(arguments.alignments, files[0], test_set, summaries[files[0].name].overall)
    # standard output is either a table or JSON
    printed = format_tables(systems, result["notes"], arguments.markdown)
    print(printed, file=sys.stderr if str(arguments.json) == "-" else sys.stdout)
    return 0


def plan_of(arguments: argparse.Namespace) -> UnderstandingPlan:
    """What to compare, as the command line says."""
    return UnderstandingPlan(
        prefixes=read_prefix_map(arguments.prefix_map) if arguments.prefix_map else {},
        normalise=combine_normalisers([name.strip() for name in arguments.normaliser.split(",")]),
        num_resamples=check_resamples(arguments.resamples),
        seed=arguments.seed,
    )


def notes_of(test_set: TestSet) -> list[str]:
    """What a reader must know of the references; they are scored as they stand."""
    faults = {row: find_annotation_faults(text) for row, text in enumerate(test_set.references)}
    faulty = [row for row, found in faults.items() if found]
    if not faulty:
        return []
    named = f"{name_rows(map(test_set.number, faulty))} (counted from 0)"
    return [f"references that are not well annotated are read leniently: {named}, the first: {faults[faulty[0]][0]}"]


def format_tables(systems: dict[str, dict[str, Any]], notes: list[str], markdown: bool) -> str:
    """Tables, tests, signatures and notes as text or Markdown.

    Args:
        systems: described scores by name.
        notes: for the reader.
        markdown: give Markdown.
    """
    first = next(iter(systems.values()))
    tables = tabulate_system(first) if len(systems) == 1 else [tabulate_systems(systems)]
    comparisons = {name: result["comparison"] for name, result in systems.items() if "comparison" in result}
    if comparisons:
        tables.append(tabulate_comparison(comparisons))
    parts = [table.as_markdown() if markdown else table.as_text() for table in tables if table.rows]
    closing = [f"{METRICS[metric]}: {text}" for metric, text in first["signature"].items()]
    closing += [f"note: {note}" for note in notes]
    return "\n\n".join([*parts, "\n".join(f"- {line}" if markdown else line for line in closing)])
