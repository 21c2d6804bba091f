"""`fairseq-samu check`: lint manifests; exit 0 and a count, or exit 1 and every fault as `file:line:column: ...`."""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from fairseq_samu.data.audio import SAMPLE_RATE
from fairseq_samu.data.manifest_lint import AUDIO_CHECKS, LintOptions, ManifestCount, lint_manifests

_LOG_SECONDS = 30.0


def add_parser(subparsers: Any) -> None:
    """Register the verb."""
    parser = subparsers.add_parser("check", help="lint manifests", description=__doc__)
    add = parser.add_argument
    add("manifests", nargs="+", metavar="MANIFEST", help="TSV file; ids must differ across all that are given")
    add("--audio-root", type=Path, help="folder that relative audio paths start from [the folder of each manifest]")
    add(
        "--audio",
        choices=AUDIO_CHECKS,
        default="decode",
        help="read recordings to their end, believe their headers, or leave them alone [%(default)s]",
    )
    add("--no-audio", action="store_const", const="none", dest="audio", help="the same as --audio none")
    add("--language", action="append", default=[], metavar="CODE", help="accept this code too; may be repeated")
    add(
        "--tolerance-seconds",
        type=_seconds,
        default=0.01,
        metavar="SECONDS",
        help="by how much n_frames may differ from the recording [%(default)s]",
    )
    add("--limit", type=_count, metavar="N", help="show this many faults and count the rest [all]")
    add("--jobs", type=_count, default=usable_cores(), metavar="N", help="threads that read recordings [%(default)s]")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Check manifests, print faults to standard error and counts to standard output.

    Args:
        args: as the parser of :func:`add_parser` gives them.

    Returns:
        0 where there is no fault, otherwise 1.
    """
    options = LintOptions(args.audio, args.audio_root, frozenset(args.language), args.tolerance_seconds, args.jobs)
    with _Screen(args.limit) as screen:
        counts = lint_manifests(list(dict.fromkeys(args.manifests)), options, screen.fault, screen.progress)
    for count in counts:
        print(describe(count))
    if len(counts) > 1:
        print(describe(_total(counts)))
    return 1 if screen.faults else 0


def describe(count: ManifestCount) -> str:
    """One line of what a manifest holds: rows, hours, languages and faults."""
    languages = ", ".join(f"{name} {rows}" for name, rows in sorted(count.languages.items()) if name != "?")
    parts = [f"{count.rows} rows"]
    if count.samples:
        parts.append(f"{count.samples / SAMPLE_RATE / 3600:.2f} hours")
    parts.append(f"languages: {languages}" if languages else "no language column")
    parts.append(f"{count.faults} faults" if count.faults else "no faults")
    return f"{count.path}: {'; '.join(parts)}"


def usable_cores() -> int:
    """Number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _total(counts: list[ManifestCount]) -> ManifestCount:
    total = ManifestCount("all together")
    for count in counts:
        total.rows += count.rows
        total.samples += count.samples
        total.faults += count.faults
        total.languages += count.languages
    return total


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, but is {number}")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be 0 or more, but is {number}")
    return number


class _Screen:
    """Standard error: faults as they are found, a bar on a terminal, a line now and then in a log."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.faults = 0
        self.bar: Any = None
        self.logged = time.monotonic()

    def __enter__(self) -> "_Screen":
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()
        if self.limit is not None and self.faults > self.limit:
            self._write(f"and {self.faults - self.limit} more")

    def fault(self, text: str) -> None:
        """Show a fault, or count it where enough have been shown."""
        self.faults += 1
        if self.limit is None or self.faults <= self.limit:
            self._write(text)

    def progress(self, done: int, total: int) -> None:
        """Say how many rows are done."""
        if sys.stderr.isatty():
            if self.bar is None:
                from tqdm import tqdm

                self.bar = tqdm(total=total, unit=" rows", file=sys.stderr, leave=False)
            self.bar.update(done - self.bar.n)
        elif time.monotonic() - self.logged > _LOG_SECONDS:
            self.logged = time.monotonic()
            self._write(f"checked {done} of {total} rows")

    def _write(self, text: str) -> None:
        # A name of a file may hold bytes that are no text.
        safe = text.encode("utf-8", "backslashreplace").decode()
        if self.bar is None:
            print(safe, file=sys.stderr)
        else:
            self.bar.write(safe, file=sys.stderr)
