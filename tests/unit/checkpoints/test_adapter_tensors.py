"""Adapters among a model's tensors: found by part, name and place; what stands around them is hashed."""

import pytest
import torch

from fairseq_samu.checkpoints.adapter_tensors import (
    base_fingerprint,
    base_tensors,
    find_size_faults,
    name_in_model,
    placement_of,
    split_adapters,
)

STATE = {
    "encoder.layers.0.attention_adapter.be.down.weight": torch.zeros(2, 4),
    "encoder.layers.0.attention_adapter.ro.down.weight": torch.ones(2, 4),
    "encoder.layers.0.ffn_adapter.down.up.bias": torch.ones(4),  # an adapter called `down`
    "encoder.layers.0.layer_adapter.ffn_adapter.up.bias": torch.ones(4),  # one called as a place is
    "decoder.layers.11.layer_adapter.up.bias": torch.ones(3),  # one without a name
    "encoder.layers.0.fc1.weight": torch.zeros(4, 4),
    "decoder.layers.0.fc1.weight": torch.ones(4, 4),
    "decoder.embed_tokens.weight": torch.arange(18.0).view(9, 2),
    "decoder.added_tags": torch.zeros(1, 2),
    "length_adapter.layers.0.up.weight": torch.zeros(2),
    "text_encoder.layer_norm.bias": torch.zeros(2),
}


def test_adapters_are_found_and_named_back():
    found = split_adapters(STATE)
    places = {name: {part: list(tensors) for part, tensors in parts.items()} for name, parts in found.items()}
    assert places == {
        "be": {"encoder": ["layers.0.attention_adapter.down.weight"]},
        "ro": {"encoder": ["layers.0.attention_adapter.down.weight"]},
        "down": {"encoder": ["layers.0.ffn_adapter.up.bias"]},
        "ffn_adapter": {"encoder": ["layers.0.layer_adapter.up.bias"]},
        "": {"decoder": ["layers.11.layer_adapter.up.bias"]},
    }
    assert found["ro"]["encoder"]["layers.0.attention_adapter.down.weight"].sum() == 8
    again = {
        name_in_model(part, tensor, name) for name, parts in found.items() for part in parts for tensor in parts[part]
    }
    assert again == {name for name in STATE if "length" not in name and "_adapter." in name}
    assert placement_of(found[""]["decoder"]) == "one" and placement_of(found["be"]["encoder"]) == "two"


def test_the_base_is_all_else_of_a_part():
    assert list(base_tensors(STATE, "encoder")) == ["layers.0.fc1.weight"]
    decoder = base_tensors(STATE, "decoder")
    assert set(decoder) == {"layers.0.fc1.weight", "embed_tokens.weight"}
    assert torch.equal(decoder["embed_tokens.weight"], torch.arange(8.0).view(4, 2))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("encoder.layers.0.attention_adapter.be.down.weight", False),
        ("text_encoder.layer_norm.bias", False),
        ("decoder.layers.0.fc1.weight", False),
        ("encoder.layers.0.fc1.weight", True),
    ],
)
def test_what_a_fingerprint_tells(name, changes):
    before = base_fingerprint(STATE, "encoder", "float32")
    after = base_fingerprint({**STATE, name: STATE[name] + 1e-3}, "encoder", "float32")
    assert (before != after) == changes


def test_a_trimmed_vocabulary_is_the_same_base():
    trimmed = {**STATE, "decoder.embed_tokens.weight": torch.arange(18.0).view(9, 2)[[0, 1, 2, 3, 6]]}
    del trimmed["decoder.added_tags"]
    assert base_fingerprint(trimmed, "decoder", "float32") == base_fingerprint(STATE, "decoder", "float32")
    tuned = {**STATE, "decoder.embed_tokens.weight": STATE["decoder.embed_tokens.weight"] + 1e-3}
    assert base_fingerprint(tuned, "decoder", "float32") != base_fingerprint(STATE, "decoder", "float32")


def test_a_base_is_compared_in_the_type_that_training_rounded_it_to():
    whole = {"encoder.fc1.weight": torch.tensor([1.0, 1.0 + 2**-20])}
    rounded = {"encoder.fc1.weight": torch.tensor([1.0, 1.0])}
    assert base_fingerprint(whole, "encoder", "float32") != base_fingerprint(rounded, "encoder", "float32")
    assert base_fingerprint(whole, "encoder", "float16") == base_fingerprint(rounded, "encoder", "float16")


def test_sizes_that_differ_are_told_in_one_line():
    own = {"a.down.weight": (2, 4), "a.up.weight": (4, 2)}
    assert find_size_faults(own, dict(own), "be.safetensors", "encoder") == []
    others = {"a.down.weight": (2, 5), "b.up.weight": (4, 2)}
    (fault,) = find_size_faults(own, others, "be.safetensors", "encoder")
    assert "\n" not in fault and fault.startswith("be.safetensors: `sizes of the encoder's adapter` must be")
    assert "b.up.weight (4, 2) in the file only; a.up.weight (4, 2) in the model only; and 1 more" in fault
