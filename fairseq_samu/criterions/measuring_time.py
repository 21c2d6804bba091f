"""Time that the device spends on measuring, read without making it wait in between."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Stopwatch:
    """Adds up the seconds of the parts that it runs over.

    On a GPU events in its queue take the time, so that neither the work before a part counts nor does the part have to
    be waited for.

    Args:
        seconds: that have been spent before.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    @contextmanager
    def running(self, device: torch.device) -> Iterator[None]:
        """Count what happens inside.

        Args:
            device: that does the work.

        Yields:
            Nothing.
        """
        if device.type != "cuda":
            begin = time.perf_counter()
            yield
            self._seconds += time.perf_counter() - begin
            return
        with torch.cuda.device(device):
            first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            first.record()
            yield
            last.record()
        self._events.append((first, last))

    def read(self) -> float:
        """Seconds so far; on a GPU it waits for the last part."""
        for first, last in self._events:
            last.synchronize()
            self._seconds += first.elapsed_time(last) / 1000
        self._events = []
        return self._seconds
