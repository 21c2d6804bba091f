"""One system in a process of its own."""

from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.measuring.process import RemoteWorker
from benchmarks.measuring.worker import MeasuringWorker


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


class Worker(MeasuringWorker):
    """Measures one arm inside a process of its own.

    Args:
        arm: what to build.
    """

    def __init__(self, arm: Arm) -> None:
        super().__init__(arm.clock)
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


def build(**arm: Any) -> Worker:
    """Make the worker of an arm; called in its process."""
    return Worker(Arm(**arm))


def start(arm: Arm, threads: int) -> RemoteWorker:
    """Start the process of an arm."""
    return RemoteWorker(arm.name, "benchmarks.translation.worker:build", asdict(arm), threads)
