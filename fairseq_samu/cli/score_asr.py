"""Score recognition: word and character error rate with signatures, by language, with intervals and tests."""

import argparse
import sys
from pathlib import Path
from typing import Any

from fairseq_samu.cli.alignment_files import add_alignment_option, write_alignments
from fairseq_samu.cli.compared_systems import describe_systems
from fairseq_samu.cli.retrieve import write_json
from fairseq_samu.cli.score_inputs import (
    add_input_options,
    add_resampling_options,
    check_resamples,
    list_systems,
    read_hypotheses,
    read_test_set,
)
from fairseq_samu.cli.scored_rows import name_languages
from fairseq_samu.reports.recognition_tables import tabulate_comparison, tabulate_system, tabulate_systems
from fairseq_samu.scoring.recognition import METRICS, RecognitionPlan, score_recognition
from fairseq_samu.scoring.recognition_summary import describe_comparison, describe_summary, summarise_recognition
from fairseq_samu.scoring.text_normalisers import NONE, TEXT_NORMALISERS, combine_text_normalisers

DESCRIPTION = "recognition: WER, CER, by language"
EPILOG = (
    "Rates are 100 (S + D + I) / N with unit costs, summed over the corpus; characters count the spaces between words. "
    "References and hypotheses are normalised alike: `none` compares texts as they stand, `lower` in lower case, "
    "`basic` in lower case without punctuation and symbols (an apostrophe within a word stays); `punctuation` and "
    "`accents` leave these out alone. The signature names it: compare figures of one signature only."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `score asr`."""
    add = parser.add_argument
    add_input_options(parser, of_speech=True)
    add(
        "--normalise",
        default=NONE.name,
        metavar="NAME[,NAME]",
        help=f"form by which texts are compared, of {' '.join(TEXT_NORMALISERS)} [%(default)s]",
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
    test_set = read_test_set(arguments, files[0], may_be_blank=True, of_speech=True)
    languages = name_languages(test_set.pairs)
    summaries = {}
    for file in [*files, *([baseline] if baseline else [])]:
        scores = score_recognition(read_hypotheses(file, test_set), test_set.references, plan)
        summaries[file.name] = summarise_recognition(scores, languages, plan)
    systems = describe_systems(summaries, files, baseline, describe_summary, describe_comparison)
    result = {**systems[files[0].name], "references": test_set.source}
    if len(systems) > 1:
        result["systems"] = systems
    # files first: the reader of a table may leave early (`| head`)
    if arguments.json:
        write_json(arguments.json, result)
    write_alignments(arguments.alignments, files[0], test_set, summaries[files[0].name].overall)
    # standard output is either a table or JSON
    print(format_tables(systems, arguments.markdown), file=sys.stderr if str(arguments.json) == "-" else sys.stdout)
    return 0


def plan_of(arguments: argparse.Namespace) -> RecognitionPlan:
    """What to compare, as the command line says."""
    return RecognitionPlan(
        normalise=combine_text_normalisers([name.strip() for name in arguments.normalise.split(",")]),
        num_resamples=check_resamples(arguments.resamples),
        seed=arguments.seed,
    )


def format_tables(systems: dict[str, dict[str, Any]], markdown: bool) -> str:
    """Tables, tests, signatures and notes as text or Markdown.

    Args:
        systems: described scores by name.
        markdown: give Markdown.
    """
    first = next(iter(systems.values()))
    tables = tabulate_system(first) if len(systems) == 1 else tabulate_systems(systems)
    comparisons = {name: result["comparison"] for name, result in systems.items() if "comparison" in result}
    if comparisons:
        tables.append(tabulate_comparison(comparisons))
    parts = [table.as_markdown() if markdown else table.as_text() for table in tables if table.rows]
    closing = [f"{METRICS[metric]}: {text}" for metric, text in first["signature"].items()]
    closing += [f"note: {note}" for note in first["notes"]]
    return "\n\n".join([*parts, "\n".join(f"- {line}" if markdown else line for line in closing)])
