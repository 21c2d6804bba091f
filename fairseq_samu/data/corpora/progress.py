"""Progress of long work: a bar on a terminal, a line now and then in a log."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

logger = logging.getLogger(__name__)
SECONDS_BETWEEN_LINES = 10.0

Thing = TypeVar("Thing")


def show_progress(things: Iterable[Thing], total: int | None, title: str) -> Iterator[Thing]:
    """Pass things on and show how many have gone by.

    Args:
        things: what is worked through.
        total: how many there are, where that is known.
        title: what is being done, such as ``encode prompts``.

    Yields:
        The things, unchanged.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(things, total=total, desc=title, unit="", dynamic_ncols=True)
        return
    start = last = time.monotonic()
    count = 0
    for count, thing in enumerate(things, 1):
        yield thing
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            logger.info("%s: %d of %s, %.0f s", title, count, total or "?", now - start)
    logger.info("%s: %d done in %.0f s", title, count, time.monotonic() - start)
