"""What is measured of every system alike: its time, its memory, its products, and where its time goes."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
RESET_PEAK = Path("/proc/self/clear_refs")


class MeasuringWorker:
    """Base of the workers.

    Attributes:
        clock: tells the seconds.
        products: matrix products that were recorded.

    Args:
        clock: ``wall``, or ``cpu`` for a machine with other work: the process's own time, divided by its threads.
    """

    def __init__(self, clock: str = "wall") -> None:
        import torch

        threads = torch.get_num_threads()
        self.clock = time.perf_counter if clock == "wall" else lambda: time.process_time() / threads
        self.products: Counter[Any] = Counter()

    def record_products(self, task: str = "train") -> int:
        """Record the matrix products of a task; returns their floating-point operations."""
        from benchmarks.measuring.products import ProductRecorder, operations

        with ProductRecorder() as recorder:
            getattr(self, task)()
        self.products = recorder.products
        return operations(self.products)

    def time_products(self) -> float:
        """Seconds that the recorded products take alone."""
        from benchmarks.measuring.products import time_alone

        return time_alone(self.products, self.clock)

    def forget_peak(self) -> None:
        """Start the measurement of memory anew."""
        import gc

        gc.collect()
        RESET_PEAK.write_text("5")

    def peak_bytes(self) -> int:
        """Most memory that the process held since :meth:`forget_peak`."""
        return _read_status("VmHWM")

    def held_bytes(self) -> int:
        """Memory that the process holds now."""
        return _read_status("VmRSS")

    def profile(self, task: str) -> list[tuple[str, float]]:
        """Where the time goes: the ten heaviest operations of a task, in percent."""
        from torch.profiler import ProfilerActivity, profile

        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            getattr(self, task)()
        events = sorted(profiler.key_averages(), key=lambda event: -event.self_cpu_time_total)
        total = sum(event.self_cpu_time_total for event in events)
        return [(event.key, 100.0 * event.self_cpu_time_total / total) for event in events[:10]]


def _read_status(name: str) -> int:
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
