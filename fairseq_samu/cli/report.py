"""`fairseq-samu report`: turn results into one HTML file with plots and playable recordings."""

import argparse
from pathlib import Path
from typing import Any

from fairseq_samu.data.audio import read_audio_bytes
from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.reports.inputs import read_neighbours, read_scores, read_train_log
from fairseq_samu.reports.retrieval_page import build_page, choose_recordings
from fairseq_samu.teachers.table_files import write_atomically


def add_parser(subparsers: Any) -> None:
    """Register the verb."""
    parser = subparsers.add_parser("report", help="turn results into a page", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    retrieval = kinds.add_parser("retrieval", help="retrieval of texts by recordings")
    add = retrieval.add_argument
    add("--json", type=Path, required=True, help="scores that `retrieve --json` wrote")
    add("--neighbours", type=Path, help="what `retrieve --neighbours` wrote; without it there are no recordings")
    add("--train-log", type=Path, help="log of fairseq-train with --log-format json")
    add("--manifest", type=Path, help="the test manifest; its folder is where audio paths start")
    add("--audio-root", type=Path, help="folder that relative audio paths start from [that of the manifest]")
    add("--baseline", action="append", default=[], metavar="NAME=FILE", help="scores of another model; may be repeated")
    add("--max-recordings", type=int, default=60, metavar="N", help="recordings on the page [%(default)s]")
    add("--output", type=Path, required=True, help="the HTML file to write")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Write the page.

    Args:
        args: as the parser of :func:`add_parser` gives them.

    Returns:
        0.

    Raises:
        SamuError: an input is malformed; the message says where.
    """
    scores = read_scores(args.json)
    baselines = {name: read_scores(path) for name, path in map(_split_baseline, args.baseline)}
    epochs = read_train_log(args.train_log) if args.train_log else None
    recordings = read_neighbours(args.neighbours) if args.neighbours else []
    chosen = choose_recordings(recordings, max(0, args.max_recordings))
    root = args.audio_root or (args.manifest.parent if args.manifest else Path())
    page = build_page(
        scores, baselines, epochs, chosen, lambda spec: read_audio_bytes(spec, root, str(args.neighbours))
    )
    args.output.parent.mkdir(parents=True, exist_ok=True)
    # whole or not at all: a script takes the page's presence for a finished stage
    with write_atomically(args.output) as temporary:
        temporary.write_text(page, "utf-8")
    print(f"{args.output}: {len(chosen)} of {len(recordings)} recordings, {len(page) / 1e6:.1f} MB")
    return 0


def _split_baseline(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise ConfigError(explain("", "--baseline", "NAME=FILE", text, "Example: --baseline untrained=untrained.json"))
    return name, Path(path)
