"""A decoder's folder with the weights that a translation model has given it, for another model to begin with.

python tuned_decoder.py --decoder DECODER --checkpoint CHECKPOINT --output FOLDER
"""

import argparse
import shutil
from pathlib import Path
from typing import Any

from torch import Tensor

from fairseq_samu.checkpoints.decoder_vocabulary import SENTENCEPIECE_NAMES
from fairseq_samu.checkpoints.safe_loading import plain, read_torch_file
from fairseq_samu.checkpoints.saving import save_whole

PREFIX = "decoder."
EMBEDDING = "decoder.embed_tokens.weight"
OUTPUT = "decoder.output_projection.weight"


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decoder", type=Path, required=True, help="folder that the model's decoder was read from")
    parser.add_argument("--checkpoint", type=Path, required=True, help="of the translation model")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in ("dict.txt", *SENTENCEPIECE_NAMES):
        if (arguments.decoder / name).is_file():
            shutil.copy(arguments.decoder / name, arguments.output / name)
    whole = read_torch_file(arguments.decoder / "model.pt")
    tuned = read_torch_file(arguments.checkpoint)["model"]
    kept = {"cfg": plain(whole.get("cfg")), "model": replace_decoder(whole["model"], tuned)}
    save_whole(kept, str(arguments.output / "model.pt"))


def replace_decoder(model: dict[str, Tensor], tuned: dict[str, Tensor]) -> dict[str, Any]:
    """Put the tuned tensors in the place of the decoder's.

    Args:
        model: tensors by name of a text model.
        tuned: of a translation model with that decoder.

    Raises:
        SystemExit: names or sizes differ.
    """
    parts = {name: tensor for name, tensor in tuned.items() if name.startswith(PREFIX)}
    wrong = [name for name, tensor in parts.items() if name not in model or model[name].shape != tensor.shape]
    if wrong or not parts:
        raise SystemExit(f"the checkpoint's decoder is another one: {', '.join(wrong) or 'it has none'}")
    replaced = {**model, **{name: tensor.to(model[name].dtype) for name, tensor in parts.items()}}
    if OUTPUT in replaced:  # the host saves the one matrix under both of its names
        replaced[OUTPUT] = replaced[EMBEDDING]
    return replaced


if __name__ == "__main__":
    main()
