"""Mean and parallel composition of adapters against adapters that are run one by one."""

import pytest
import torch

from fairseq_samu.checkpoints.adapter_arithmetic import average_adapters, compose_adapters
from fairseq_samu.errors import CheckpointError, ConfigError
from fairseq_samu.modules.adapter import Adapter
from tests.unit.checkpoints.test_adapter_files import assert_equal, make_adapter, make_part


def run_place(part, place, x):
    """What the module computes with a part's tensors at a place."""
    dim = len(part.tensors[f"{place}.up.bias"])
    adapter = Adapter(dim, part.bottleneck).to(x.dtype)
    adapter.load_state_dict(
        {name.removeprefix(f"{place}."): t for name, t in part.tensors.items() if name.startswith(f"{place}.")}
    )
    return adapter(x)


def places_of(part):
    return sorted({name.rsplit(".", 2)[0] for name in part.tensors})


@pytest.mark.parametrize("placement", ["two", "one"])
def test_composition_adds_what_each_adds_exactly(placement):
    sizes = (3, 5, 1)
    adapters = [
        make_adapter(f"a{seed}", ("encoder", "decoder"), placement, bottleneck=size, seed=seed, dtype=torch.float64)
        for seed, size in enumerate(sizes)
    ]
    composed = compose_adapters(adapters, "all")
    x = torch.randn(2, 7, 6, dtype=torch.float64)
    for name, part in composed.parts.items():
        assert part.bottleneck == sum(sizes)
        for place in places_of(part):
            added = sum(run_place(adapter.parts[name], place, x) - x for adapter in adapters)
            torch.testing.assert_close(run_place(part, place, x), x + added, rtol=0, atol=1e-13)
        assert set(part.probe) == {"base"}
    assert composed.name == "all" and composed.language == "be"


def test_composition_of_whole_numbers_is_exact_to_the_last_bit():
    adapters = [make_adapter(bottleneck=2, seed=seed, dtype=torch.float64) for seed in (1, 2)]
    for adapter in adapters:
        tensors = adapter.parts["encoder"].tensors
        tensors.update({name: (4 * tensor).round() for name, tensor in tensors.items()})
    part = compose_adapters(adapters, "both").parts["encoder"]
    x = torch.randint(-9, 9, (5, 6)).double()
    for place in places_of(part):
        one, two = (run_place(adapter.parts["encoder"], place, x) for adapter in adapters)
        assert torch.equal(run_place(part, place, x), one + two - x)


def test_parts_of_several_files_make_one():
    """An encoder's adapter and a decoder's keep their bits and their outputs."""
    encoder = make_adapter("heard", ("encoder",), seed=1, trained_with=["ctc_head"])
    decoder = make_adapter("read", ("decoder",), seed=2, base="c" * 64)
    composed = compose_adapters([encoder, decoder], "be")
    assert composed.parts == {"encoder": encoder.parts["encoder"], "decoder": decoder.parts["decoder"]}
    assert composed.trained_with == ["ctc_head"]


def test_the_mean_of_equal_adapters_is_the_adapter():
    adapter = make_adapter(parts=("encoder", "decoder"))
    assert_equal(average_adapters([adapter, adapter], "be"), adapter)
    assert_equal(average_adapters([adapter, adapter], "be", [0.25, 0.75]), adapter)
    assert_equal(average_adapters([adapter], "be"), adapter)


def test_the_mean():
    adapters = [make_adapter(seed=seed) for seed in (1, 2, 3)]
    shares = [0.5, 0.3, 0.2]
    averaged = average_adapters(adapters, "mean", shares)
    for name, tensor in averaged.parts["encoder"].tensors.items():
        expected = sum(s * a.parts["encoder"].tensors[name].double() for s, a in zip(shares, adapters, strict=True))
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, expected.float())
    assert set(averaged.parts["encoder"].probe) == {"base"}
    equal = average_adapters(adapters, "mean")
    name, tensor = next(iter(equal.parts["encoder"].tensors.items()))
    torch.testing.assert_close(tensor, sum(a.parts["encoder"].tensors[name] for a in adapters) / 3)


def test_a_mean_of_half_precision_is_not_rounded_to_it():
    adapters = [make_adapter(seed=seed, dtype=torch.bfloat16) for seed in (1, 2)]
    name = "layers.0.ffn_adapter.up.weight"
    found = average_adapters(adapters, "mean").parts["encoder"].tensors[name]
    one, two = (adapter.parts["encoder"].tensors[name].float() for adapter in adapters)
    assert torch.equal(found, (one + two) / 2)


@pytest.mark.parametrize("weights", [[0.5], [0.5, 0.6], [float("nan"), 1.0], [0.2, 0.3, 0.5]])
def test_weights_that_do_not_fit(weights):
    with pytest.raises(ConfigError, match="2 numbers with a sum of 1"):
        average_adapters([make_adapter(), make_adapter()], "mean", weights)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        (
            {"bottleneck": 4},
            r"adapter 2 \(ro\): `sizes` must .* \(encoder: 4 places of 3 inside 6\).* 4 places of 4 inside 6",
        ),
        ({"layers": 3}, "`sizes` must .* 'encoder: 6 places"),
        (
            {"base": "c" * 64},
            r"`base of the encoder` must be that of the first \(b{16} in float32\), but is 'c{16} in float32'",
        ),
        ({"parts": ("decoder",)}, r"`parts` must be that of the first \(encoder\), but is 'decoder' instead"),
    ],
)
def test_adapters_that_have_no_mean(changed, fault):
    with pytest.raises(CheckpointError, match=fault):
        average_adapters([make_adapter("be"), make_adapter("ro", **changed)], "mean")


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"dim": 8}, "`sizes of the encoder` must be"),
        ({"layers": 3}, "`sizes of the encoder` must be"),
        ({"base": "c" * 64}, "`base of the encoder` must be"),
    ],
)
def test_adapters_that_cannot_stand_side_by_side(changed, fault):
    with pytest.raises(CheckpointError, match=fault):
        compose_adapters([make_adapter("be"), make_adapter("ro", **changed)], "both")


def test_placements_are_not_mixed():
    encoder = make_adapter("be", ("encoder",), "two")
    decoder = make_adapter("ro", ("decoder",), "one")
    with pytest.raises(CheckpointError, match=r"`placement` must be that of the first \(two\), but is 'one'"):
        compose_adapters([encoder, decoder], "both")


def test_parts_without_outputs_stay_without():
    adapters = [make_adapter(seed=seed) for seed in (1, 2)]
    part = make_part()
    part.probe.clear()
    adapters[0].parts["encoder"] = part
    assert average_adapters(adapters, "mean").parts["encoder"].probe == {}
