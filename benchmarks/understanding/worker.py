"""One system in a process of its own; runs in both environments."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measuring.machine import find_versions
from benchmarks.measuring.process import RemoteWorker
from benchmarks.measuring.worker import MeasuringWorker

PEER_PACKAGES = ("speechbrain", "torch", "transformers", "numpy")


@dataclass(frozen=True)
class Arm:
    """A system with its settings.

    Attributes:
        name: in tables.
        system: ``speechbrain`` or ``ours``.
        options: of the system.
    """

    name: str
    system: str
    options: dict[str, Any] = field(default_factory=dict)


class Worker(MeasuringWorker):
    """Measures one arm inside a process of its own.

    Args:
        arm: what to build.
        size: name of the sizes.
        folder: the common weights.
        clock: see :class:`benchmarks.measuring.worker.MeasuringWorker`.
    """

    def __init__(self, arm: Arm, size: str, folder: Path, clock: str = "wall") -> None:
        super().__init__(clock)
        import torch

        from benchmarks.understanding.sizes import SIZES
        from benchmarks.understanding.work import make_batch

        torch.manual_seed(1)
        self.system = _find_system(arm.system)(SIZES[size], folder, **arm.options)
        self.batch = make_batch(SIZES[size])
        if arm.system == "ours":
            self.system.prepare(self.batch)
        self._log_probs: Any = None

    def train(self) -> dict[str, float]:
        """Train once on the batch: forward, loss, backward, optimizer.

        Returns:
            Seconds taken, seconds of audio, loss.
        """
        self.system.train()
        begun = self.clock()
        self.system.optimizer.zero_grad()
        loss = self.system.loss(self.batch)
        loss.backward()
        self.system.optimizer.step()
        value = loss.item()
        return {"seconds": self.clock() - begun, "audio": self.batch.seconds, "loss": value}

    def gradient_norm(self) -> float:
        """Norm of the gradients of the last step."""
        return float(self.system.gradient_norm())

    def greedy(self) -> dict[str, Any]:
        """Decode the batch by best path, from the wave."""
        return self._decode(lambda: self.system.greedy(self.batch))

    def beam(self) -> dict[str, Any]:
        """Decode the batch by beam search, from the wave."""
        return self._decode(lambda: self.system.search(self.batch, self.system.log_probs(self.batch)))

    def search(self) -> dict[str, Any]:
        """Search alone, over log-probabilities that are there."""
        if self._log_probs is None:
            self.system.model.eval()
            self._log_probs = self.system.log_probs(self.batch)
        return self._decode(lambda: self.system.search(self.batch, self._log_probs))

    def count_parameters(self) -> dict[str, int]:
        """Count the parameters of encoder and tagging head, and the tuned ones."""
        found: dict[str, int] = self.system.count_parameters()
        return found

    def versions(self) -> dict[str, str]:
        """Versions of the packages in this environment."""
        return find_versions(PEER_PACKAGES)

    def _decode(self, decode: Any) -> dict[str, Any]:
        self.system.model.eval()
        begun = self.clock()
        labels = decode()
        return {"seconds": self.clock() - begun, "audio": self.batch.seconds, "labels": labels}


def _find_system(name: str) -> Any:
    """Import one system; the other is not there."""
    if name == "speechbrain":
        from benchmarks.understanding.speechbrain_peer import SpeechBrainPeer

        return SpeechBrainPeer
    from benchmarks.understanding.ours import OurSystem

    return OurSystem


def build(arm: dict[str, Any], size: str, folder: str, clock: str) -> Worker:
    """Make the worker of an arm; called in its process."""
    return Worker(Arm(**arm), size, Path(folder), clock)


def start(arm: Arm, size: str, folder: Path, clock: str, threads: int, peer_python: str) -> RemoteWorker:
    """Start the process of an arm, in its environment."""
    settings = {"arm": asdict(arm), "size": size, "folder": str(folder), "clock": clock}
    python = {"python": peer_python} if arm.system == "speechbrain" else {}
    return RemoteWorker(arm.name, "benchmarks.understanding.worker:build", settings, threads, **python)
