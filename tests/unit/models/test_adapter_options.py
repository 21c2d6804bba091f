"""Options of adapters: what is built by them, which faults they may have, and what is tuned by which name."""

import json

import pytest
from torch import nn

pytest.importorskip("fairseq", reason="options are the host's dataclasses")

from fairseq_samu.errors import ConfigError
from fairseq_samu.models.adapter_options import (
    AdapterOptions,
    add_adapters,
    expand_groups,
    find_adapter_faults,
    find_bottlenecks,
    group_adapter,
    list_adapter_files,
    list_adapters,
    name_adapter,
    name_also,
    tuned_adapter_groups,
)
from fairseq_samu.modules.adapter import Adapter
from fairseq_samu.modules.named_adapters import NamedAdapters
from fairseq_samu.modules.transformer_layer import TransformerLayer


def built(part="encoder", **options):
    """What stands at the places of a layer."""
    layer = TransformerLayer(8, 16, 2, pre_norm=True)
    add_adapters(AdapterOptions(**options), part, [layer], 8)
    return {name: place for name, place in layer.named_children() if name.endswith("_adapter")}


def test_nothing_by_default():
    assert find_adapter_faults(AdapterOptions(), "model") == []
    assert {type(place) for place in built().values()} == {nn.Identity}


@pytest.mark.parametrize(
    ("placement", "places"), [("two", {"attention_adapter", "ffn_adapter"}), ("one", {"layer_adapter"})]
)
@pytest.mark.parametrize(("names", "kind"), [("", Adapter), ("be, ro", NamedAdapters)])
def test_places(placement, places, names, kind):
    found = built(adapter_dim=4, adapter_placement=placement, adapter_names=names)
    assert {name for name, place in found.items() if isinstance(place, kind)} == places
    assert {type(place) for name, place in found.items() if name not in places} == {nn.Identity}
    assert {type(place) for place in built("decoder", adapter_dim=4).values()} == {nn.Identity}


def test_sizes_of_single_names():
    sizes = json.dumps({"ro": {"encoder": 6}, "ca": {"encoder": 0, "decoder": 3}})
    options = {"adapter_dim": 4, "adapter_names": "be,ro,ca", "adapter_sizes": sizes}
    assert find_adapter_faults(AdapterOptions(**options), "model") == []
    assert find_bottlenecks(AdapterOptions(**options), "encoder") == {"be": 4, "ro": 6, "ca": 0}
    assert find_bottlenecks(AdapterOptions(**options), "decoder") == {"be": 0, "ro": 0, "ca": 3}
    place = built(**options)["ffn_adapter"]
    assert place.names == ("be", "ro", "ca")
    assert {name: tensor.shape[0] for name, tensor in place.state_dict().items() if "down.weight" in name} == {
        "be.down.weight": 4,
        "ro.down.weight": 6,
    }


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"adapter_dim": -1}, "adapter_dim"),
        ({"decoder_adapter_dim": -1}, "decoder_adapter_dim"),
        ({"adapter_placement": "three"}, "adapter_placement"),
        ({"adapter_dim": 4, "adapter_names": "be,be"}, "adapter_names"),
        ({"adapter_dim": 4, "adapter_names": "be.x"}, "adapter_names"),
        ({"adapter_dim": 4, "adapter_names": "be,training"}, "adapter_names"),
        ({"adapter_dim": 4, "adapter_names": "to,be"}, "adapter_names"),
        ({"adapter_names": "be"}, "adapter_names"),
        ({"adapter_dim": 4, "tuned_adapters": "be"}, "tuned_adapters"),
        ({"adapter_dim": 4, "adapter_names": "be,ro", "tuned_adapters": "ca"}, "tuned_adapters"),
        ({"adapter_dim": 4, "adapter_names": "be", "adapter_sizes": "{"}, "adapter_sizes"),
        ({"adapter_dim": 4, "adapter_names": "be", "adapter_sizes": '{"be": 4}'}, "adapter_sizes"),
        ({"adapter_dim": 4, "adapter_names": "be", "adapter_sizes": '{"be": {"all": 4}}'}, "adapter_sizes"),
        ({"adapter_dim": 4, "adapter_names": "be", "adapter_sizes": '{"be": {"encoder": -4}}'}, "adapter_sizes"),
        ({"adapter_dim": 4, "adapter_names": "be", "adapter_sizes": '{"be": {"encoder": true}}'}, "adapter_sizes"),
        ({"adapter_dim": 4, "adapter_names": "be", "adapter_sizes": '{"ro": {"encoder": 4}}'}, "adapter_sizes"),
        ({"adapter_dim": 4, "adapter_names": "be,ro", "adapter_sizes": '{"ro": {"encoder": 0}}'}, "adapter_names"),
    ],
)
def test_faults(options, named):
    (fault,) = find_adapter_faults(AdapterOptions(**options), "model")
    assert f"`{named}` must be" in fault


def test_sizes_that_cannot_be_read_are_no_sizes():
    with pytest.raises(ConfigError, match="`adapter_sizes` must be JSON"):
        find_bottlenecks(AdapterOptions(adapter_names="be", adapter_sizes="[]"), "encoder")


@pytest.mark.parametrize(
    ("parameter", "name"),
    [
        ("layers.0.attention_adapter.down.weight", ""),
        ("layers.0.attention_adapter.be.down.weight", "be"),
        ("encoder.layers.11.layer_adapter.my_adapter.up.bias", "my_adapter"),
        ("layers.0.ffn_adapter.down.down.weight", "down"),
    ],
)
def test_name_of_a_parameter(parameter, name):
    assert name_adapter(parameter) == name
    assert group_adapter("decoder", parameter) == ("decoder_adapters." + name).rstrip(".")


def test_groups():
    nameless, named = AdapterOptions(), AdapterOptions(adapter_names="be,ro", tuned_adapters="ro")
    groups = ["encoder", "encoder_adapters", "bridge"]
    assert list_adapters(named) == ["be", "ro"]
    assert expand_groups(nameless, groups) == groups
    assert expand_groups(named, groups) == ["encoder", "encoder_adapters.be", "encoder_adapters.ro", "bridge"]
    assert tuned_adapter_groups(nameless, {"encoder_adapters", "bridge"}) == {"encoder_adapters", "bridge"}
    assert tuned_adapter_groups(named, {"encoder_adapters", "bridge"}) == {"encoder_adapters.ro", "bridge"}
    assert tuned_adapter_groups(named, {"decoder_adapters"}) == {"decoder_adapters.ro"}
    assert tuned_adapter_groups(named, {"bridge"}) == {"bridge"}
    whole = AdapterOptions(adapter_names="be,ro")
    assert tuned_adapter_groups(whole, {"encoder_adapters"}) == {"encoder_adapters.be", "encoder_adapters.ro"}


def test_adapters_of_files_are_named_also():
    """Names behind the model's own, sizes of their own, and the files are forgotten."""
    cfg = AdapterOptions(adapter_dim=64, adapter_names="ca", adapter_files="be.safetensors, ro.safetensors")
    assert list_adapter_files(cfg) == ["be.safetensors", "ro.safetensors"]
    found = name_also(cfg, {"be": {"encoder": 8}, "ca": {"decoder": 4}}, "two")
    assert find_adapter_faults(AdapterOptions(adapter_dim=64, **found), "model") == []
    named = AdapterOptions(adapter_dim=64, **found)
    assert list_adapters(named) == ["ca", "be"] and list_adapter_files(named) == []
    assert find_bottlenecks(named, "encoder") == {"ca": 0, "be": 8}
    assert find_bottlenecks(named, "decoder") == {"ca": 4, "be": 0}
    with pytest.raises(ConfigError, match="`adapter_placement` must be two, as the model has it, but is 'one'"):
        name_also(cfg, {"be": {"encoder": 8}}, "one")
    assert name_also(AdapterOptions(), {"be": {"encoder": 8}}, "one")["adapter_placement"] == "one"
