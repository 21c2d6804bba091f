"""Options that every benchmark has on its command line."""

import argparse
from collections.abc import Iterable
from pathlib import Path


def add_common_arguments(
    parser: argparse.ArgumentParser, sizes: Iterable[str], size: str, output: str, parts: Iterable[str], threads: int
) -> None:
    """Add the options.

    Args:
        parser: of a benchmark.
        sizes: that there are.
        size: the default one.
        output: default folder of what is written.
        parts: all that there are, which is the default.
        threads: default for every system.
    """
    parser.add_argument("--size", choices=sorted(sizes), default=size)
    parser.add_argument("--output", type=Path, default=Path(output))
    parser.add_argument("--threads", type=int, default=threads, help="of every system")
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall", help="cpu: time of the process, for a machine that is busy"
    )
    parser.add_argument(
        "--alone", action="store_true", help="one system in memory at a time, where they do not fit together"
    )
    parser.add_argument("--rounds", type=int, default=0, help="repetitions; 0 takes the size's own")
    parser.add_argument("--parts", default=",".join(parts), help=f"comma-separated: {', '.join(parts)}")
