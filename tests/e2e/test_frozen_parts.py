"""Twenty updates with weight decay by the real command line: what is frozen keeps its bits, what is tuned moves."""

import pytest

from fairseq_samu.checkpoints.key_report import fingerprint
from tests.e2e.training import ENCODER, read_checkpoint, run, train_command

pytest.importorskip("fairseq", reason="training needs the host")


def group_of(name):
    if name.startswith("head."):
        return "head"
    for index in range(ENCODER["num_layers"]):
        if f".layers.{index}." in name:
            return f"layer.{index}"
    return "rest"


def hashes(state):
    groups = {}
    for name, tensor in state.items():
        groups.setdefault(group_of(name), {})[name] = tensor
    return {group: fingerprint(tensors) for group, tensors in groups.items()}


def train(corpus, folder, updates, **options):
    run(train_command(corpus, folder, max_update=updates, weight_decay=0.1, **options))
    return read_checkpoint(folder / "checkpoint_last.pt")["model"]


@pytest.mark.parametrize(
    ("num_tuned_layers", "still"), [(1, ["layer.0", "layer.1"]), (0, ["layer.0", "layer.2", "rest"])]
)
def test_frozen_parts_keep_their_bits(corpus, tmp_path, num_tuned_layers, still):
    before = train(corpus, tmp_path / "before", 1, num_tuned_layers=num_tuned_layers, lr=0.0)
    after = train(corpus, tmp_path / "after", 20, num_tuned_layers=num_tuned_layers)
    first, last = hashes(before), hashes(after)
    assert [group for group in still if first[group] != last[group]] == []
    extractor = [name for name in before if "extractor" in name or "conv" in name]
    assert extractor
    assert fingerprint({name: before[name] for name in extractor}) == fingerprint(
        {name: after[name] for name in extractor}
    )
    moving = ["head."] + ([".layers.2."] if num_tuned_layers else [])
    tuned = [name for name in before if any(part in name for part in moving)]
    # the pooling's bias shifts all scores alike, so the loss gives it no gradient; it has nothing to decay from either
    unmoved = [name for name in tuned if before[name].equal(after[name]) and not name.startswith("head.pooling")]
    assert tuned and not unmoved


@pytest.mark.parametrize("precision", [{}, {"bf16": True}, {"bf16": True, "memory_efficient_bf16": True}])
def test_an_encoder_that_rests_keeps_its_bits(corpus, tmp_path, precision):
    resting = {"head_only_updates": 20, **precision}
    before = train(corpus, tmp_path / "before", 1, lr=0.0, **resting)
    after = train(corpus, tmp_path / "after", 6, lr=0.01, **resting)
    first, last = hashes(before), hashes(after)
    assert [group for group in first if first[group] != last[group]] == ["head"]
