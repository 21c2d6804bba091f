"""Files of named adapters: what is written is read, and no damage passes."""

import json
import random

import pytest
import torch
from safetensors.torch import save_file

from fairseq_samu.checkpoints.adapter_files import (
    AdapterPart,
    NamedAdapter,
    holds_adapter,
    list_adapter_files,
    read_adapter,
    write_adapter,
)
from fairseq_samu.errors import CheckpointError, ConfigError

PLACES = {"two": ("attention_adapter", "ffn_adapter"), "one": ("layer_adapter",)}


def make_part(dim=6, bottleneck=3, placement="two", layers=2, seed=0, dtype=torch.float32, base="b" * 64):
    """An adapter's part with random parameters, and outputs that no model has computed."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {
        "down.weight": (bottleneck, dim),
        "down.bias": (bottleneck,),
        "up.weight": (dim, bottleneck),
        "up.bias": (dim,),
    }
    tensors = {
        f"layers.{layer}.{place}.{name}": torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
        for layer in range(layers)
        for place in PLACES[placement]
        for name, shape in shapes.items()
    }
    probe = {name: torch.randn(4, dim, generator=generator) for name in ("base", "adapted")}
    return AdapterPart(tensors, base, "float32", probe)


def make_adapter(name="be", parts=("encoder",), placement="two", trained_with=(), **changed):
    own = {part: make_part(placement=placement, **changed) for part in parts}
    return NamedAdapter(name, "be", placement, own, list(trained_with))


def assert_equal(one, other):
    assert (one.name, one.language, one.placement, one.trained_with) == (
        other.name, other.language, other.placement, other.trained_with,
    )  # fmt: skip
    assert one.parts.keys() == other.parts.keys()
    for part, own in one.parts.items():
        theirs = other.parts[part]
        assert (own.base_fingerprint, own.base_dtype) == (theirs.base_fingerprint, theirs.base_dtype)
        for mine, others in ((own.tensors, theirs.tensors), (own.probe, theirs.probe)):
            assert mine.keys() == others.keys()
            assert all(torch.equal(mine[name], others[name]) for name in mine)


@pytest.mark.parametrize("placement", ["two", "one"])
def test_what_is_written_is_read(tmp_path, placement):
    adapter = make_adapter("medical-be", ("encoder", "decoder"), placement, ["layer_norms"])
    path = tmp_path / "be.safetensors"
    write_adapter(path, adapter)
    assert_equal(read_adapter(path), adapter)
    assert holds_adapter(path)
    again = tmp_path / "again.safetensors"
    write_adapter(again, read_adapter(path))
    assert again.read_bytes() == path.read_bytes()
    part = adapter.parts["encoder"]
    assert part.bottleneck == 3
    assert part.num_parameters == 2 * len(PLACES[placement]) * (2 * 6 * 3 + 3 + 6)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16], ids=str)
def test_rounded_parameters_take_half_the_room_and_lose_nothing(tmp_path, half):
    whole = make_adapter(dim=32, bottleneck=16, layers=8)
    rounded = make_adapter(dim=32, bottleneck=16, layers=8)
    tensors = rounded.parts["encoder"].tensors
    tensors.update({name: tensor.to(half).float() for name, tensor in tensors.items()})
    write_adapter(tmp_path / "whole.safetensors", whole)
    write_adapter(tmp_path / "rounded.safetensors", rounded)
    read = read_adapter(tmp_path / "rounded.safetensors")
    assert {tensor.dtype for tensor in read.parts["encoder"].tensors.values()} == {half}
    for name, tensor in read.parts["encoder"].tensors.items():
        assert torch.equal(tensor.float(), tensors[name])
    assert read.fingerprint == rounded.fingerprint != whole.fingerprint
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("rounded", "whole")]
    assert sizes[0] < 0.6 * sizes[1]


def test_no_flipped_bit_passes(tmp_path):
    """A bit anywhere in the file: it is refused with one line, or (in the padding of the header) changes nothing."""
    path = tmp_path / "be.safetensors"
    adapter = make_adapter(parts=("encoder", "decoder"), dim=3, bottleneck=2, layers=1)
    write_adapter(path, adapter)
    whole = path.read_bytes()
    rng = random.Random(0)
    refused = 0
    for position in sorted(rng.sample(range(len(whole)), min(600, len(whole)))):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(damaged))
        try:
            assert_equal(read_adapter(path), adapter)
        except CheckpointError as error:
            assert str(error).startswith(str(path)) and "\n" not in str(error)
            refused += 1
    assert refused > 550
    for length in (0, 7, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="a whole safetensors file"):
            read_adapter(path)


def change_metadata(path, **changed):
    """Write the file anew with other metadata, as another version might."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as opened:
        told = {**json.loads(opened.metadata()["adapter"]), **changed}
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    kept = {name: value for name, value in told.items() if value is not None}
    save_file(tensors, path, {"adapter": json.dumps(kept)})


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"version": "2"}, r"`version` must be 1, but is '2' instead\. Update this package"),
        ({"checksum": "0" * 64}, r"`checksum` must be that of its contents, but is 'another: the file is damaged'"),
        ({"facts": "{}"}, r"`checksum` must be"),
        ({"facts": None}, r"`metadata` must be whole"),
    ],
)
def test_other_versions_and_kinds(tmp_path, changed, fault):
    path = tmp_path / "be.safetensors"
    write_adapter(path, make_adapter())
    change_metadata(path, **changed)
    with pytest.raises(CheckpointError, match=fault):
        read_adapter(path)


@pytest.mark.parametrize(
    "break_it",
    [
        lambda adapter: adapter.parts["encoder"].tensors.pop("layers.1.ffn_adapter.up.bias"),
        lambda adapter: adapter.parts["encoder"].tensors.update({"layers.1.ffn_adapter.up.bias": torch.zeros(5)}),
        lambda adapter: adapter.parts["encoder"].tensors.update({"layers.1.fc1.weight": torch.zeros(5)}),
        lambda adapter: adapter.parts.clear(),
        lambda adapter: adapter.parts.update(bridge=make_part()),
    ],
)
def test_contents_that_fit_nothing(tmp_path, break_it):
    path = tmp_path / "be.safetensors"
    adapter = make_adapter()
    break_it(adapter)
    write_adapter(path, adapter)
    with pytest.raises(CheckpointError, match="`contents` must be those of a named adapter"):
        read_adapter(path)


@pytest.mark.parametrize("name", ["", "a.b", "be/ro", "-be", 3])
def test_names_that_cannot_be(tmp_path, name):
    path = tmp_path / "be.safetensors"
    write_adapter(path, make_adapter(name))
    with pytest.raises(CheckpointError, match="letters, digits"):
        read_adapter(path)


def test_files_and_folders(tmp_path):
    folder = tmp_path / "adapters"
    folder.mkdir()
    for name in ("ro", "be"):
        write_adapter(folder / f"{name}.safetensors", make_adapter(name))
    save_file({"a": torch.zeros(1)}, folder / "model.safetensors")
    (folder / "notes.txt").write_text(json.dumps({}))
    single = folder / "ro.safetensors"
    found = list_adapter_files([folder, single])
    assert [path.name for path in found] == ["be.safetensors", "ro.safetensors", "ro.safetensors"]
    with pytest.raises(CheckpointError, match="`file` must be there"):
        list_adapter_files([tmp_path / "none"])
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "be.safetensors").write_bytes((folder / "be.safetensors").read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"be\.safetensors"):
        list_adapter_files([damaged])
    with pytest.raises(ConfigError, match="one with files of adapters"):
        list_adapter_files([tmp_path])
    with pytest.raises(CheckpointError, match="a whole safetensors file"):
        read_adapter(tmp_path / "none")
    with pytest.raises(CheckpointError, match="one of a named adapter, but is 'another'"):
        read_adapter(folder / "model.safetensors")
    assert not holds_adapter(tmp_path / "none") and not holds_adapter(folder / "notes.txt")
