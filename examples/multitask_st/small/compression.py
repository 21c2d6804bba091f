"""How much a trained CTC head compresses: frames and segments of every recording, as JSON.

    python compression.py --checkpoint CHECKPOINT --manifest recordings.tsv --audio-root DATA --output compression.json

A segment is a run of equal labels, blanks kept, whether the model itself compresses or not. A row of the file is
[frames, segments, pieces of the transcript]; no recording is left out.
"""

import argparse
import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch

from fairseq_samu.checkpoints.saving import PARTIAL
from fairseq_samu.ops.segmentation import find_segments


def main() -> None:
    """Write the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True, help="of the model multitask_st")
    parser.add_argument("--manifest", type=Path, required=True, help="recordings with src_text and src_lang")
    parser.add_argument("--audio-root", type=Path, required=True, help="folder that their paths start from")
    parser.add_argument("--feature-cache", default="", help="folder of cached features")
    parser.add_argument("--output", type=Path, required=True, help="file to write")
    arguments = parser.parse_args()
    counts = count_segments(arguments)
    partial = Path(f"{arguments.output}{PARTIAL}")
    partial.write_text(json.dumps(counts) + "\n")
    partial.replace(arguments.output)
    frames, segments, _ = map(sum, zip(*counts, strict=True))
    print(f"{len(counts)} recordings: {frames} frames, {segments} segments, {frames / segments:.2f} frames a segment")


def count_segments(arguments: Namespace) -> list[list[int]]:
    """Frames, segments and pieces of each recording, in the order of the manifest."""
    import fairseq_samu

    fairseq_samu.register()
    from fairseq import checkpoint_utils

    overrides = {
        "data": str(arguments.manifest.parent),
        "audio_root": str(arguments.audio_root),
        "feature_cache": arguments.feature_cache,
        "tasks": "asr",
        "joint_tasks": False,
        "extra_manifests": "",
    }
    (model,), _, task = checkpoint_utils.load_model_ensemble_and_task([str(arguments.checkpoint)], overrides)
    model.eval()
    task._model = model
    task.load_dataset(arguments.manifest.stem)
    dataset = task.dataset(arguments.manifest.stem)
    counts: dict[int, list[int]] = {}
    for batch in task.get_batch_iterator(dataset, max_sentences=32, required_batch_size_multiple=1).next_epoch_itr(
        False
    ):
        counts |= _count(model, batch)
    return [counts[row] for row in range(len(dataset))]


@torch.no_grad()
def _count(model: Any, batch: dict[str, Any]) -> dict[int, list[int]]:
    inputs = {name: value for name, value in batch["net_input"].items() if name != "prev_output_tokens"}
    output = model(**inputs)
    segments = find_segments(output.ctc_logits.argmax(dim=-1), output.padding_mask)
    frames = (~output.padding_mask).sum(dim=1)
    pieces = batch["target_lengths"] - 2  # without the tag of the language and the end
    found = zip(frames.tolist(), segments.counts.tolist(), pieces.tolist(), strict=True)
    return {int(row): list(counts) for row, counts in zip(batch["id"], found, strict=True)}


if __name__ == "__main__":
    main()
