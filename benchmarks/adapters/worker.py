"""One system in a process of its own; runs in both environments."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.measuring.machine import find_versions
from benchmarks.measuring.process import RemoteWorker
from benchmarks.measuring.worker import MeasuringWorker

PEER_PACKAGES = ("peft", "transformers", "accelerate", "torch", "numpy")


@dataclass(frozen=True)
class Arm:
    """A system with its settings.

    Attributes:
        name: in tables.
        system: ``huggingface`` or ``ours``.
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
        folder: the common weights and the batch.
        clock: see :class:`benchmarks.measuring.worker.MeasuringWorker`.
    """

    def __init__(self, arm: Arm, size: str, folder: Path, clock: str = "wall") -> None:
        super().__init__(clock)
        import torch

        from benchmarks.adapters.sizes import SIZES
        from benchmarks.adapters.work import load_batch

        torch.manual_seed(1)
        self.system = _find_system(arm.system)(SIZES[size], folder, **arm.options)
        self.batch = load_batch(folder)
        self.system.prepare(self.batch)
        # steps of no size: every repetition does the same
        self.optimizer = torch.optim.AdamW(self.system.tuned(), lr=0.0, weight_decay=0.0)

    def train(self) -> dict[str, float]:
        """Train once on the batch: forward, loss, backward, optimizer.

        Returns:
            Seconds taken, seconds of audio, loss.
        """
        self.system.model.train()
        begun = self.clock()
        self.optimizer.zero_grad()
        loss = self.system.loss(self.batch)
        loss.backward()
        self.optimizer.step()
        value = loss.item()
        return {"seconds": self.clock() - begun, "audio": self.batch.seconds, "loss": value}

    def gradient_norm(self) -> float:
        """Norm of the gradients of the last step."""
        return float(self.system.gradient_norm())

    def unmasked_loss(self, whole_windows: bool) -> float:
        """Loss of ours where padding counts as silence."""
        return float(self.system.unmasked_loss(self.batch, whole_windows).item())

    def frames(self, *options: Any) -> Any:
        """Frames (B, T, D) of the encoder as an array, as many as the batch is long."""
        from benchmarks.adapters.work import SAMPLES_A_FRAME

        self.system.model.eval()
        length = self.batch.wave.size(1) // SAMPLES_A_FRAME
        return self.system.frames(self.batch, *options)[:, :length].numpy()

    def count_parameters(self) -> dict[str, int]:
        """Count the tuned parameters."""
        return {"tuned": sum(parameter.numel() for parameter in self.system.tuned())}

    def saved_bytes(self) -> int:
        """Size of what is kept of a training to use it later, all files of it."""
        with TemporaryDirectory() as folder:
            self.system.save(Path(folder))
            return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())

    def versions(self) -> dict[str, str]:
        """Versions of the packages in this environment."""
        return find_versions(PEER_PACKAGES)


def _find_system(name: str) -> Any:
    """Import one system; the other may not be there."""
    if name == "huggingface":
        from benchmarks.adapters.huggingface_peer import HuggingFacePeer

        return HuggingFacePeer
    from benchmarks.adapters.ours import OurSystem

    return OurSystem


def build(arm: dict[str, Any], size: str, folder: str, clock: str) -> Worker:
    """Make the worker of an arm; called in its process."""
    return Worker(Arm(**arm), size, Path(folder), clock)


def start(arm: Arm, size: str, folder: Path, clock: str, threads: int, peer_python: str) -> RemoteWorker:
    """Start the process of an arm, in its environment."""
    settings = {"arm": asdict(arm), "size": size, "folder": str(folder), "clock": clock}
    python = {"python": peer_python} if arm.system == "huggingface" else {}
    return RemoteWorker(arm.name, "benchmarks.adapters.worker:build", settings, threads, **python)
