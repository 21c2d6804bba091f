"""Rows on which the study measures what its runs still know of sentences.

    python measured_rows.py prompts --manifest prompts/test.tsv --parts prompts.tsv --languages fr,it --output rows.tsv
    python measured_rows.py compositions --manifest test.tsv --count 100 --languages fr,it --output rows.tsv

`prompts` keeps the held-out prompts that are no part of any composition, since those parts are trained on.
`compositions` keeps the compositions that come first, in each of the languages, without their annotation.
"""

import argparse
from collections.abc import Collection, Iterable
from pathlib import Path

from fairseq_samu.data.manifest import Row, read_manifest, write_manifest

COLUMNS = ("id", "audio", "n_frames", "src_text", "src_lang", "parallel_id")
TARGET = ("tgt_text", "tgt_lang")


def leave_out_parts(rows: Iterable[Row], parts: Collection[str]) -> list[Row]:
    """Keep the prompts that are no part of a composition.

    Args:
        rows: of one split of the prompts.
        parts: ``parallel_id`` of the prompts of that split that are parts.
    """
    return [row for row in rows if row.parallel_id not in parts]


def first_compositions(rows: Iterable[Row], languages: Collection[str], count: int) -> list[Row]:
    """Keep the compositions that come first, of those that are there in every language.

    Args:
        rows: of the composed corpus.
        languages: of the speech.
        count: how many compositions at most.
    """
    by_item: dict[str, list[Row]] = {}
    for row in rows:
        if row.src_lang in languages:
            by_item.setdefault(row.parallel_id or "", []).append(row)
    whole = [members for members in by_item.values() if len(members) == len(languages)]
    return [row for members in whole[:count] for row in members]


def read_parts(path: Path, split: str) -> set[str]:
    """Prompts of a split that are parts of compositions, from the corpus' prompts.tsv."""
    lines = [line.split("\t") for line in path.read_text("utf-8").splitlines()]
    prompt, origin = lines[0].index("prompt"), lines[0].index("prompt_split")
    return {cells[prompt] for cells in lines[1:] if cells[origin] == split}


def main() -> None:
    """Write the manifest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", choices=("prompts", "compositions"))
    parser.add_argument("--manifest", type=Path, required=True, help="where the rows are from")
    parser.add_argument("--parts", type=Path, help="prompts.tsv of the composed corpus, for prompts")
    parser.add_argument("--languages", required=True, help="of the speech, comma-separated")
    parser.add_argument("--count", type=int, default=100, help="how many compositions [%(default)s]")
    parser.add_argument("--output", type=Path, required=True, help="manifest to write")
    arguments = parser.parse_args()
    if arguments.rows == "prompts" and not arguments.parts:
        parser.error("prompts need --parts")
    languages = arguments.languages.split(",")
    listed = list(read_manifest(arguments.manifest, required=COLUMNS))
    if arguments.rows == "prompts":
        spoken = [row for row in listed if row.src_lang in languages]
        kept = leave_out_parts(spoken, read_parts(arguments.parts, arguments.manifest.stem))
    else:
        kept = first_compositions(listed, languages, arguments.count)
    columns = [*COLUMNS, *(TARGET if arguments.rows == "prompts" else ())]
    write_manifest(arguments.output, [{name: getattr(row, name) for name in columns} for row in kept], columns)


if __name__ == "__main__":
    main()
