"""One compressor in a process of its own."""

import ctypes
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring.process import RemoteWorker
from benchmarks.measuring.worker import MeasuringWorker

RESIDENT = Path("/proc/self/statm")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Arm:
    """A compressor with its settings.

    Attributes:
        name: in tables.
        system: ``ours``, ``matrix``, ``loop`` or ``numbers`` (the loop in Python alone).
        function: ``avg``, ``weighted`` or ``softmax`` (shrinking alone), ``segment`` or ``global`` (looking back with
            the first frame of each segment as its query).
        at_once: of the matrix, see :class:`benchmarks.compressor.matrix_peer.MatrixCompressor`.
        dtype: precision of frames and weights.
        fast_products: of ours: linear layers compute by oneDNN where that is the faster library, as the models are
            built; False: by torch's own choice, as the peers' do.
    """

    name: str
    system: str
    function: str
    at_once: bool = True
    dtype: str = "float32"
    fast_products: bool = False


class Worker(MeasuringWorker):
    """Measures one arm inside a process of its own.

    Args:
        arm: what to build.
        size: name of the sizes.
        clock: see :class:`benchmarks.measuring.worker.MeasuringWorker`.
    """

    def __init__(self, arm: Arm, size: str, clock: str = "wall") -> None:
        super().__init__(clock)
        import torch

        from benchmarks.compressor.sizes import SIZES
        from benchmarks.compressor.systems import build_compressor

        self.sizes = SIZES[size]
        self.dtype = getattr(torch, arm.dtype)
        self.compressor = build_compressor(arm, self.sizes).to(self.dtype)
        self.case = (1, 1)
        self.resident: int | None = None

    def choose(self, frames: int, rows: int) -> None:
        """Compress batches of so many frames and rows from now on."""
        self.case = (frames, rows)

    def forward(self) -> dict[str, float]:
        """Compress a batch without gradients, as in decoding; see :meth:`both`."""
        import torch

        with torch.no_grad():
            return self._compress(backward=False)

    def both(self) -> dict[str, float]:
        """Compress a batch and go back.

        The batch is made anew, so that a process that waits holds nothing.

        Returns:
            Seconds taken, norms of the output and of the gradients of frames and weights, and the number of segments.
        """
        return self._compress(backward=True)

    def extra_bytes(self, task: str) -> int:
        """Memory that a task takes beyond that of the batch.

        Measured apart from the time: the allocator hands back what it kept of earlier runs first.
        """
        self.resident = 0
        getattr(self, task)()
        found = self.peak_bytes() - self.resident
        self.resident = None
        return found

    def _compress(self, backward: bool) -> dict[str, float]:
        from benchmarks.compressor.work import make_batch

        batch = make_batch(*self.case, self.sizes.dim, self.sizes.labels).to(self.dtype)
        batch.frames.requires_grad_(backward)
        self.compressor.zero_grad()
        if self.resident is not None:
            give_back_memory()
            self.forget_peak()
            self.resident = resident_bytes()
        begun = self.clock()
        found, outside = self.compressor(batch.frames, batch.logits, batch.padding_mask)
        if backward:
            found.backward(batch.incoming)
        taken = self.clock() - begun
        if self.resident is not None:
            return {}
        gradients = [weight.grad for weight in self.compressor.parameters() if weight.grad is not None]
        return {
            "seconds": taken,
            "segments": int((~outside).sum()),
            "output": _norm([found.detach().masked_fill(outside[:, :, None], 0.0)]),
            "gradient": _norm([batch.frames.grad] if backward else []),
            "weight_gradient": _norm(gradients),
        }


def give_back_memory() -> None:
    """Have the allocator hand back what is free, where it can: what it keeps would hide what is taken next."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def resident_bytes() -> int:
    """Memory that the process holds now."""
    return int(RESIDENT.read_text().split()[1]) * PAGE


def _norm(tensors: list[Any]) -> float:
    """Norm over all tensors, in double precision, a row at a time to hold little."""
    return float(sum(row.double().square().sum() for tensor in tensors for row in tensor)) ** 0.5


def build(arm: dict[str, Any], size: str, clock: str) -> Worker:
    """Make the worker of an arm; called in its process."""
    return Worker(Arm(**arm), size, clock)


def start(arm: Arm, size: str, clock: str, threads: int) -> RemoteWorker:
    """Start the process of an arm."""
    settings = {"arm": asdict(arm), "size": size, "clock": clock}
    return RemoteWorker(arm.name, "benchmarks.compressor.worker:build", settings, threads)
