"""Make the page of retrieval: recall by language, training curves, recordings with the texts that they found."""

import argparse
from pathlib import Path

from fairseq_samu.cli.named_files import split_named_file
from fairseq_samu.cli.retrieve import write_whole
from fairseq_samu.data.audio import read_audio_bytes
from fairseq_samu.reports.inputs import read_neighbours, read_scores, read_train_log
from fairseq_samu.reports.retrieval_page import build_page, choose_recordings

DESCRIPTION = "retrieval of texts by recordings"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `report retrieval`."""
    add = parser.add_argument
    add("--json", type=Path, required=True, help="scores that `retrieve --json` wrote")
    add("--neighbours", type=Path, help="what `retrieve --neighbours` wrote; without it there are no recordings")
    add("--train-log", type=Path, help="log of fairseq-train with --log-format json")
    add("--manifest", type=Path, help="the test manifest; its folder is where audio paths start")
    add("--audio-root", type=Path, help="folder that relative audio paths start from [that of the manifest]")
    add("--baseline", action="append", default=[], metavar="NAME=FILE", help="scores of another model; may be repeated")
    add("--max-recordings", type=int, default=60, metavar="N", help="recordings on the page [%(default)s]")
    add("--output", type=Path, required=True, help="the HTML file to write")


def run(args: argparse.Namespace) -> int:
    """Write the page.

    Args:
        args: as the parser of :func:`add_options` gives them.

    Returns:
        0.

    Raises:
        SamuError: an input is malformed; the message says where.
    """
    scores = read_scores(args.json)
    named = (split_named_file("--baseline", text) for text in args.baseline)
    baselines = {name: read_scores(path) for name, path in named}
    epochs = read_train_log(args.train_log) if args.train_log else None
    recordings = read_neighbours(args.neighbours) if args.neighbours else []
    chosen = choose_recordings(recordings, args.max_recordings)
    root = args.audio_root or (args.manifest.parent if args.manifest else Path())
    page = build_page(
        scores, baselines, epochs, chosen, lambda spec: read_audio_bytes(spec, root, str(args.neighbours))
    )
    write_whole(args.output, page)
    print(f"{args.output}: {len(chosen)} of {len(recordings)} recordings, {len(page) / 1e6:.1f} MB")
    return 0
