"""One checkpoint whose weights are the mean of those of the last epochs.

python average.py --folder CHECKPOINTS --last 5 --output averaged.pt
"""

import argparse
import re
from pathlib import Path
from typing import Any

import torch

from fairseq_samu.checkpoints.safe_loading import read_torch_file
from fairseq_samu.checkpoints.saving import save_whole

_EPOCH = re.compile(r"checkpoint(\d+)\.pt")
_OF_THE_TRAINING = ("last_optimizer_state", "optimizer_history")


def main() -> None:
    """Write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="folder of checkpoint1.pt, checkpoint2.pt ...")
    parser.add_argument("--last", type=int, default=5, help="how many of them [%(default)s]")
    parser.add_argument("--output", type=Path, required=True, help="file to write")
    arguments = parser.parse_args()
    paths = find_last(arguments.folder, arguments.last)
    save_whole(average([read_torch_file(path) for path in paths]), str(arguments.output))
    print(f"{arguments.output}: mean of {', '.join(path.name for path in paths)}")


def find_last(folder: Path, count: int) -> list[Path]:
    """Checkpoints of the last epochs, in their order.

    Raises:
        SystemExit: there are fewer.
    """
    epochs = {int(match[1]): path for path in folder.glob("*.pt") if (match := _EPOCH.fullmatch(path.name))}
    if not 0 < count <= len(epochs):
        raise SystemExit(f"{folder}: {count} checkpoints of epochs are needed, and there are {len(epochs)}")
    return [epochs[epoch] for epoch in sorted(epochs)[-count:]]


def average(states: list[dict[str, Any]]) -> dict[str, Any]:
    """Average the weights of checkpoints in double precision; all else is that of the last, without its optimizer.

    Args:
        states: contents of at least one file of the host; their models have the same names.

    Raises:
        SystemExit: the names differ.
    """
    models = [state["model"] for state in states]
    if any(model.keys() != models[-1].keys() for model in models):
        raise SystemExit("the checkpoints are of different models")
    mean = {
        name: torch.stack([model[name].double() for model in models]).mean(dim=0).to(tensor.dtype)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in models[-1].items()
    }
    kept = {name: value for name, value in states[-1].items() if name not in _OF_THE_TRAINING}
    return {**kept, "model": mean}


if __name__ == "__main__":
    main()
