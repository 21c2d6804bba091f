"""A small network with three tasks that share parts of it, and gradients computed by plain `.backward()`."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

DIM = 8
MODULES = ("acoustic_encoder", "textual_encoder", "decoder")


class SharedNetwork(nn.Module):
    """Speech passes all three modules, its transcript needs the first, text needs the other two."""

    def __init__(self, num_layers: int = 2) -> None:
        super().__init__()
        self.acoustic_encoder = nn.ModuleList(make_layer() for _ in range(num_layers))
        self.textual_encoder = nn.ModuleList(make_layer() for _ in range(num_layers))
        self.decoder = nn.ModuleList(make_layer() for _ in range(num_layers))
        self.output = nn.Linear(DIM, 5)

    def pass_through(self, module: str, x: Tensor) -> Tensor:
        for layer in getattr(self, module):
            x = layer(x)
        return x

    def loss(self, task: str, source: Tensor, target: Tensor) -> Tensor:
        """Sum over all tokens."""
        passed = {"st": MODULES, "asr": MODULES[:1], "mt": MODULES[1:]}[task]
        for module in passed:
            source = self.pass_through(module, source)
        return functional.cross_entropy(self.output(source).flatten(0, 1).float(), target.flatten(), reduction="sum")

    def probes(self) -> dict[str, list[tuple[int, Tensor]]]:
        return {
            module: [
                (number, layer.self_attn.out_proj.weight)
                for number, layer in enumerate(getattr(self, module))
                if layer.self_attn.out_proj.weight.requires_grad
            ]
            for module in MODULES
        }


def make_layer() -> nn.Module:
    return nn.TransformerEncoderLayer(DIM, 2, 16, dropout=0.0, batch_first=True, norm_first=True)


def make_network(seed: int = 1) -> SharedNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return SharedNetwork()


def make_batch(seed: int, rows: int = 4) -> dict[str, tuple[Tensor, Tensor]]:
    """Input (B, U, D) and target (B, U) of each task; lengths differ between the tasks."""
    generator = torch.Generator().manual_seed(seed)
    lengths = {"st": 5, "asr": 3, "mt": 7}
    return {
        task: (
            torch.randn(rows, length, DIM, generator=generator),
            torch.randint(5, (rows, length), generator=generator),
        )
        for task, length in lengths.items()
    }


def halves(batch: dict[str, tuple[Tensor, Tensor]]) -> list[dict[str, tuple[Tensor, Tensor]]]:
    return [{task: (x[part], y[part]) for task, (x, y) in batch.items()} for part in (slice(0, 1), slice(1, None))]


def recompute(folder: Path) -> dict[tuple[str, str, int | None], tuple[float | None, float | None]]:
    """Norms and cosines with the main task from saved weights and batches, each task by `.backward()` on a fresh copy.

    Returns:
        By task, module and layer (None = mean): norm of the gradient of the task's mean loss, and cosine.
    """
    vectors: dict[str, dict[tuple[str, int], list[float]]] = {}
    for task in ("st", "asr", "mt"):
        network = SharedNetwork()
        network.load_state_dict(torch.load(folder / "weights.pt", weights_only=True))
        size = 0
        for path in sorted(folder.glob("batch*.pt")):
            source, target = torch.load(path, weights_only=True)[task]
            network.loss(task, source, target).backward()
            size += target.numel()
        vectors[task] = {}
        for module in MODULES:
            for number, layer in enumerate(getattr(network, module)):
                gradient = layer.self_attn.out_proj.weight.grad
                if gradient is not None:
                    vectors[task][module, number] = [x / size for x in gradient.flatten().tolist()]
    found: dict[tuple[str, str, int | None], tuple[float | None, float | None]] = {}
    for task in ("asr", "mt"):
        for module in MODULES:
            norms, cosines = [], []
            for number in range(2):
                own, main = vectors[task].get((module, number)), vectors["st"][module, number]
                if own is None:
                    found[task, module, number] = (None, None)
                    continue
                product = sum(x * y for x, y in zip(own, main, strict=True))
                norms.append(math.hypot(*own))
                cosines.append(product / math.hypot(*own) / math.hypot(*main))
                found[task, module, number] = (norms[-1], cosines[-1])
            mean = (sum(norms) / len(norms), sum(cosines) / len(cosines)) if norms else (None, None)
            found[task, module, None] = mean
    return found


def save(folder: Path, network: nn.Module, batches: list[dict[str, tuple[Tensor, Tensor]]]) -> None:
    torch.save(network.state_dict(), folder / "weights.pt")
    for number, batch in enumerate(batches):
        torch.save(batch, folder / f"batch{number}.pt")
