"""A process with one system in it, that does one measured thing at a time when told to."""

import multiprocessing
import os
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
RESET_PEAK = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Arm:
    """A system with its settings.

    Attributes:
        name: in tables.
        system: ``fairseq``, ``huggingface`` or ``ours``.
        size: name of the sizes.
        trim: whether the vocabulary is trimmed.
        dtype: precision of the model.
        batches: ``one`` batch of similar lengths, or ``random`` or ``sorted`` batches of an epoch of real lengths.
        options: of the system.
        clock: ``wall``, or ``cpu`` for a machine with other work: the process's own time, divided by its threads.
    """

    name: str
    system: str
    size: str
    trim: bool = False
    dtype: str = "float32"
    batches: str = "one"
    options: dict[str, bool] = field(default_factory=dict)
    clock: str = "wall"


class Worker:
    """Measures one arm inside a process of its own.

    Args:
        arm: what to build.
    """

    def __init__(self, arm: Arm) -> None:
        import torch

        from benchmarks.translation.sizes import SIZES
        from benchmarks.translation.weights import random_state
        from benchmarks.translation.work import one_batch, real_batches

        torch.manual_seed(1)
        sizes = SIZES[arm.size]
        state = random_state(sizes, arm.trim)
        self.sizes = sizes.with_trimmed_vocabulary() if arm.trim else sizes
        self.system = _find_system(arm.system)(self.sizes, state, **arm.options)
        del state
        self.system.to(getattr(torch, arm.dtype))
        one = arm.batches == "one"
        self.batches = [one_batch(self.sizes)] if one else real_batches(self.sizes, arm.batches == "sorted")
        for batch in self.batches:
            self.system.prepare(batch)
        self.optimizer = torch.optim.Adam(self.system.tuned(), lr=0.0)
        self.products: Counter[Any] = Counter()
        threads = torch.get_num_threads()
        self.clock = time.perf_counter if arm.clock == "wall" else lambda: time.process_time() / threads

    def train(self) -> dict[str, float]:
        """Train once on every batch, at a learning rate of 0, so that every repetition does the same.

        Returns:
            Seconds taken, seconds of audio, mean loss of a token.
        """
        self.system.model.train()
        losses, tokens = 0.0, 0
        begun = self.clock()
        for batch in self.batches:
            self.optimizer.zero_grad()
            loss = self.system.loss(batch)
            loss.backward()
            self.optimizer.step()
            losses += loss.item()
            tokens += int(batch.target.ne(1).sum())
        taken = self.clock() - begun
        return {"seconds": taken, "audio": sum(batch.seconds for batch in self.batches), "loss": losses / tokens}

    def decode(self) -> dict[str, Any]:
        """Translate the first batch.

        Returns:
            Seconds taken, best hypotheses.
        """
        self.system.model.eval()
        begun = self.clock()
        found = self.system.decode(self.batches[0], self.sizes.max_tokens)
        return {"seconds": self.clock() - begun, "hypotheses": found}

    def count_parameters(self) -> dict[str, int]:
        """Count all and the tuned parameters."""
        parameters = list(self.system.model.parameters())
        return {"all": sum(p.numel() for p in parameters), "tuned": sum(p.numel() for p in self.system.tuned())}

    def record_products(self) -> int:
        """Record the matrix products of a training step; returns their floating-point operations."""
        from benchmarks.translation.products import ProductRecorder, operations

        with ProductRecorder() as recorder:
            self.train()
        self.products = recorder.products
        return operations(self.products)

    def time_products(self) -> float:
        """Seconds that the recorded products take alone."""
        from benchmarks.translation.products import time_alone

        return time_alone(self.products, self.clock)

    def forget_peak(self) -> None:
        """Start the measurement of memory anew."""
        import gc

        gc.collect()
        RESET_PEAK.write_text("5")

    def peak_bytes(self) -> int:
        """Most memory that the process held since :meth:`forget_peak`."""
        (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def profile(self, task: str) -> list[tuple[str, float]]:
        """Where the time goes: the ten heaviest operations of a training step or a decoding, in percent."""
        from torch.profiler import ProfilerActivity, profile

        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            getattr(self, task)()
        events = sorted(profiler.key_averages(), key=lambda event: -event.self_cpu_time_total)
        total = sum(event.self_cpu_time_total for event in events)
        return [(event.key, 100.0 * event.self_cpu_time_total / total) for event in events[:10]]


def _find_system(name: str) -> Any:
    """Import one system, for the others take seconds."""
    if name == "fairseq":
        from benchmarks.translation.fairseq_peer import FairseqPeer

        return FairseqPeer
    if name == "huggingface":
        from benchmarks.translation.huggingface_peer import HuggingFacePeer

        return HuggingFacePeer
    from benchmarks.translation.ours import OurSystem

    return OurSystem


def _serve(connection: Connection, arm: dict[str, Any], threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    try:
        worker = Worker(Arm(**arm))
        connection.send(("done", None))
        while (call := connection.recv()) is not None:
            connection.send(("done", getattr(worker, call[0])(*call[1:])))
    except Exception as error:
        import traceback

        connection.send(("failed", f"{arm['name']}: {error!r}\n{traceback.format_exc()}"))


class RemoteWorker:
    """The handle of a worker in another process.

    Args:
        arm: what it measures.
        threads: that it uses.
    """

    def __init__(self, arm: Arm, threads: int) -> None:
        os.environ.update(OMP_NUM_THREADS=str(threads), OMP_WAIT_POLICY="passive", HF_HUB_OFFLINE="1")
        self.arm = arm
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, asdict(arm), threads), daemon=True)
        self._process.start()
        self._receive()

    def call(self, name: str, *arguments: Any) -> Any:
        """Have the worker run a method.

        Raises:
            RuntimeError: it failed, with its traceback.
        """
        self._connection.send((name, *arguments))
        return self._receive()

    def close(self) -> None:
        """End the process and free its memory."""
        self._connection.send(None)
        self._process.join()

    def _receive(self) -> Any:
        try:
            state, value = self._connection.recv()
        except EOFError:
            raise RuntimeError(f"{self.arm.name}: the process died, of too little memory maybe") from None
        if state == "failed":
            raise RuntimeError(value)
        return value
