"""Files that show how a system's hypotheses are aligned with the references, for every kind of `score` with words."""

import argparse
from pathlib import Path

from fairseq_samu.cli.retrieve import write_whole
from fairseq_samu.cli.score_inputs import SystemFile, TestSet, read_hypotheses
from fairseq_samu.cli.scored_rows import name_languages
from fairseq_samu.scoring.alignment_blocks import AlignableScores, AlignedRow, write_blocks, write_json_lines


def add_alignment_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the files."""
    parser.add_argument(
        "--alignments",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="write the first system's alignments there: JSON lines where the name ends in .jsonl, otherwise text",
    )


def write_alignments(paths: list[Path], file: SystemFile, test_set: TestSet, scores: AlignableScores) -> None:
    """Write a system's alignments, each file in the form that its name asks for.

    Args:
        paths: the files.
        file: where the hypotheses are.
        test_set: references, with names and languages where they are known.
        scores: of all rows.
    """
    if not paths:
        return
    languages = {row: name for name, rows in name_languages(test_set.pairs).items() for row in rows}
    rows = [
        AlignedRow(
            row,
            test_set.names[row] if test_set.names else "",
            languages.get(row, ""),
            reference,
            hypothesis,
            test_set.number(row),
        )
        for row, (reference, hypothesis) in enumerate(
            zip(test_set.references, read_hypotheses(file, test_set), strict=True)
        )
    ]
    for path in paths:
        write_whole(path, (write_json_lines if path.suffix == ".jsonl" else write_blocks)(scores, rows))
