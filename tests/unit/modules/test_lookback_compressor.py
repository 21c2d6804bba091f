"""The length compressor against loops and the host's attention, and the properties that it must have."""

import math

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fairseq_samu.errors import ConfigError
from fairseq_samu.modules.lookback_compressor import SCOPES, LookbackCompressor
from fairseq_samu.ops.masking import lengths_to_padding_mask
from fairseq_samu.ops.segmentation import BLANK_RULES, REPRESENTATIVES
from tests.unit.ops.test_segmentation import cut_by_loops, weigh_by_loops

D, HEADS, FFN, V = 12, 3, 20, 4
LENGTHS = (14, 1, 6, 11)
RULES = [(blanks, most) for blanks in BLANK_RULES for most in (0, 3)]


def build(representative="first", scope="segment", blanks="keep", most=0, dtype=torch.float64, **options):
    torch.manual_seed(0)
    compressor = LookbackCompressor(D, representative, scope, blanks, HEADS, FFN, max_segments=most, **options)
    for parameter in compressor.parameters():
        nn.init.normal_(parameter, std=0.5)
    return compressor.to(dtype).eval()


def speech(lengths=LENGTHS, dtype=torch.float64, seed=1):
    """Frames and logits with runs of labels, and their mask."""
    generator = torch.Generator().manual_seed(seed)
    size = max(lengths) + 2
    frames = torch.randn(len(lengths), size, D, generator=generator, dtype=torch.float64)
    labels = torch.randint(V, (len(lengths), size), generator=generator)
    labels = torch.where(torch.rand(labels.shape, generator=generator) < 0.5, labels.roll(1, dims=1), labels)
    logits = torch.randn(*labels.shape, V, generator=generator, dtype=torch.float64)
    logits = logits + 8.0 * nn.functional.one_hot(labels, V)
    return frames.to(dtype), logits.to(dtype), lengths_to_padding_mask(torch.tensor(lengths), size)


def normalise(vector, norm):
    mean = sum(vector) / len(vector)
    variance = sum((value - mean) ** 2 for value in vector) / len(vector)
    scaled = [(value - mean) / math.sqrt(variance + norm.eps) for value in vector]
    return [a * b + c for a, b, c in zip(scaled, norm.weight.tolist(), norm.bias.tolist(), strict=True)]


def project(vector, layer):
    rows = zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
    return [sum(a * b for a, b in zip(vector, weights, strict=True)) + bias for weights, bias in rows]


def look_back_by_loops(compressor, query, frames):
    """What one query finds among frames, and the weight of each frame in each head."""
    asked = project(normalise(query, compressor.query_norm), compressor.q_proj)
    keys = [project(frame, compressor.k_proj) for frame in frames]
    values = [project(frame, compressor.v_proj) for frame in frames]
    width = D // HEADS
    found, shares = [], []
    for head in range(HEADS):
        part = range(head * width, (head + 1) * width)
        powers = [math.exp(sum(asked[i] * key[i] for i in part) / math.sqrt(width)) for key in keys]
        weights = [power / sum(powers) for power in powers]
        found += [sum(weight * value[i] for weight, value in zip(weights, values, strict=True)) for i in part]
        shares.append(weights)
    return project(found, compressor.out_proj), shares


def compress_by_loops(compressor, frames, logits):
    """Outputs and attention of one row without padding."""
    labels = [max(range(V), key=scores.__getitem__) for scores in logits]
    probs = [math.exp(row[label]) / sum(map(math.exp, row)) for row, label in zip(logits, labels, strict=True)]
    runs = cut_by_loops(labels, compressor.blank, compressor.blanks, compressor.max_segments)
    outputs, attention = [], []
    for run in runs:
        weights = weigh_by_loops(run, compressor.representative, probs)
        query = [sum(weight * frames[t][i] for weight, t in zip(weights, run, strict=True)) for i in range(D)]
        if compressor.scope == "none":
            outputs.append(query)
            seen, shares = run, [weights]
        else:
            seen = run if compressor.scope == "segment" else range(len(frames))
            found, shares = look_back_by_loops(compressor, query, [frames[t] for t in seen])
            mixed = normalise([a + b for a, b in zip(query, found, strict=True)], compressor.fusion_norm)
            inner = project([max(0.0, value) for value in project(mixed, compressor.fc1)], compressor.fc2)
            outputs.append(normalise([a + b for a, b in zip(mixed, inner, strict=True)], compressor.final_norm))
        row = [0.0] * len(frames)
        for place, frame in enumerate(seen):
            row[frame] = sum(weights[place] for weights in shares) / len(shares)
        attention.append(row)
    return outputs, attention


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("representative", REPRESENTATIVES)
@pytest.mark.parametrize(("blanks", "most"), RULES)
def test_equals_loops(scope, representative, blanks, most):
    compressor = build(representative, scope, blanks, most)
    frames, logits, mask = speech()
    found = compressor(frames, logits, mask)
    attention = compressor.attention_weights(frames, logits, mask)
    for row, length in enumerate(LENGTHS):
        outputs, weights = compress_by_loops(compressor, frames[row, :length].tolist(), logits[row, :length].tolist())
        count = len(outputs)
        assert found.padding_mask[row].tolist() == [place >= count for place in range(found.frames.size(1))]
        assert (found.frames[row, :count] - torch.tensor(outputs, dtype=torch.float64)).abs().max() < 1e-9
        assert not found.frames[row, count:].any()
        difference = attention[row, :count, :length] - torch.tensor(weights, dtype=torch.float64)
        assert difference.abs().max() < 1e-9
        assert not attention[row, count:].any() and not attention[row, :, length:].any()


@pytest.mark.parametrize("scope", ["segment", "global"])
def test_equals_torchs_attention_with_gradients(scope):
    """An attention over all frames with a mask of S x T gives the same values and the same gradients."""
    compressor = build("avg", scope, "drop")
    frames, logits, mask = speech()
    frames.requires_grad_()
    found = compressor(frames, logits, mask)
    segments = found.segments
    size = segments.starts.size(1)
    members = (segments.of_frame[:, None, :] == torch.arange(size)[None, :, None]).double()
    queries = members @ frames / segments.lengths.clamp(min=1)[:, :, None]
    allowed = members.bool() if scope == "segment" else ~mask[:, None, :].expand_as(members)
    peer = nn.MultiheadAttention(D, HEADS, batch_first=True, dtype=torch.float64)
    parts = [compressor.q_proj, compressor.k_proj, compressor.v_proj]
    with torch.no_grad():
        peer.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        peer.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    peer.out_proj = compressor.out_proj
    forbidden = ~(allowed | segments.padding_mask[:, :, None])  # whoever may see nothing gives no number
    a = peer(compressor.query_norm(queries), frames, frames, attn_mask=forbidden.repeat_interleave(HEADS, 0))[0]
    y = compressor.fusion_norm(queries + a)
    z = compressor.final_norm(y + compressor.fc2(torch.relu(compressor.fc1(y))))
    z = z.masked_fill(segments.padding_mask[:, :, None], 0.0)
    assert (found.frames - z).abs().max() < 1e-9
    probe = torch.randn_like(z)
    inputs = [frames, *(p for name, p in compressor.named_parameters() if name != "k_proj.bias")]
    for ours, theirs in zip(
        torch.autograd.grad((found.frames * probe).sum(), inputs),
        torch.autograd.grad((z * probe).sum(), [*inputs[:1], *inputs[1:]], allow_unused=True),
        strict=True,
    ):
        if theirs is not None:  # the projections of the peer are copies
            assert (ours - theirs).abs().max() < 1e-9


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("representative", REPRESENTATIVES)
@pytest.mark.parametrize(("blanks", "most"), RULES)
def test_padded_equals_alone(scope, representative, blanks, most):
    compressor = build(representative, scope, blanks, most)
    frames, logits, mask = speech()
    both = compressor(frames.masked_fill(mask[:, :, None], math.nan), logits.masked_fill(mask[:, :, None], 99.0), mask)
    for row, length in enumerate(LENGTHS):
        part = (slice(row, row + 1), slice(length))
        alone = compressor(frames[part], logits[part], mask[part])
        count = alone.frames.size(1)
        assert int((~both.padding_mask[row]).sum()) == count
        assert (both.frames[row, :count] - alone.frames[0]).abs().max() < 1e-9


def grads_of_output(compressor, frames, logits, mask, place):
    """Which frames of row 0 the output ``place`` takes a gradient from, and the gradient of the logits."""
    frames, logits = frames.clone().requires_grad_(), logits.clone().requires_grad_()
    compressor(frames, logits, mask).frames[0, place].square().sum().backward()
    assert not frames.grad[1:].any()
    return frames.grad[0].abs().sum(dim=1) > 0, logits.grad


@pytest.mark.parametrize("blanks", BLANK_RULES)
def test_segment_scope_takes_gradients_from_its_segment_alone(blanks):
    compressor = build(blanks=blanks)
    frames, logits, mask = speech()
    of_frame = compressor(frames, logits, mask).segments.of_frame
    for place in range(int(of_frame[0, mask[0].logical_not()].min()), 3):
        reached, _ = grads_of_output(compressor, frames, logits, mask, place)
        assert torch.equal(reached, of_frame[0] == place)


@pytest.mark.parametrize("blanks", BLANK_RULES)
def test_global_scope_takes_gradients_from_every_frame_dropped_or_not(blanks):
    compressor = build(scope="global", blanks=blanks)
    frames, logits, mask = speech()
    reached, _ = grads_of_output(compressor, frames, logits, mask, 1)
    assert torch.equal(reached, ~mask[0])


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("representative", REPRESENTATIVES)
def test_the_choice_of_labels_takes_no_gradient(scope, representative):
    """The logits get one only where probabilities are weights."""
    compressor = build(representative, scope)
    reached = grads_of_output(compressor, *speech(), 0)[1]
    if representative in ("first", "avg"):
        assert reached is None
    else:
        assert reached[0].any() and not reached[1:].any()


@pytest.mark.parametrize("scope", ["segment", "global"])
def test_gradients_reach_every_parameter(scope):
    compressor = build(scope=scope).train()
    compressor(*speech()).frames.sum(dim=1)[:, 0].square().sum().backward()
    # the bias of keys moves all scores of a query alike
    still = [n for n, p in compressor.named_parameters() if p.grad is None or p.grad.abs().max() < 1e-12]
    assert still == ["k_proj.bias"]


def test_plain_shrinking_has_no_parameters():
    assert not list(build(scope="none").parameters())


def test_names_of_parameters():
    parts = ("query_norm", "q_proj", "k_proj", "v_proj", "out_proj", "fusion_norm", "fc1", "fc2", "final_norm")
    assert set(build().state_dict()) == {f"{part}.{kind}" for part in parts for kind in ("weight", "bias")}


@pytest.mark.parametrize("scope", SCOPES)
def test_extremes(scope):
    compressor = build(scope=scope)
    frames, logits, mask = speech()
    one = nn.functional.one_hot(torch.full(mask.shape, 2), V).double()
    assert compressor(frames, one, mask).frames.shape == (4, 1, D)
    changing = nn.functional.one_hot(torch.arange(mask.size(1)).expand_as(mask) % V, V).double()
    assert (~compressor(frames, changing, mask).padding_mask).sum(dim=1).tolist() == list(LENGTHS)
    empty = torch.ones_like(mask)
    found = compressor(frames, logits, empty)
    assert found.frames.shape == (4, 1, D) and bool(found.frames.isfinite().all())


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("representative", REPRESENTATIVES)
def test_labels_from_elsewhere(scope, representative):
    compressor = build(representative, scope)
    frames, logits, mask = speech()
    expected = compressor(frames, logits, mask).frames
    assert torch.equal(compressor(frames, logits, mask, logits.argmax(dim=-1)).frames, expected)
    if representative in ("first", "avg"):
        assert torch.equal(compressor(frames, None, mask, logits.argmax(dim=-1)).frames, expected)
    else:
        with pytest.raises(ConfigError, match="label_probs"):
            compressor(frames, None, mask, logits.argmax(dim=-1))


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("representative", REPRESENTATIVES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(scope, representative, dtype):
    frames, logits, mask = speech(lengths=(40, 25), dtype=dtype)
    halved = build(representative, scope, dtype=dtype)
    frames.requires_grad_()
    found = halved(frames, logits, mask)
    whole = build(representative, scope)(frames.double(), logits.double(), mask)
    assert found.frames.dtype == dtype
    tolerance = 0.1 if dtype == torch.bfloat16 else 0.02
    assert (found.frames.double() - whole.frames).abs().max() < tolerance * whole.frames.abs().max()
    found.frames.square().sum().backward()
    assert bool(frames.grad.isfinite().all()) and bool(frames.grad.any())


class Sizes(TorchDispatchMode):
    """Notes the largest tensor that is made."""

    largest = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(made) if isinstance(leaf, torch.Tensor)]
        self.largest = max([self.largest, *sizes])
        return made


@pytest.mark.parametrize("dense", [False, True])
def test_segment_scope_is_linear_in_the_frames(dense):
    """Four times the frames make the largest tensor four times as large, forward and backward; with S x T, 16 times."""
    compressor = build()
    largest = []
    for length in (500, 2000):
        labels = torch.arange(length)[None] % V
        frames = torch.randn(1, length, D, dtype=torch.float64, requires_grad=True)
        mask = torch.zeros(1, length, dtype=torch.bool)
        with Sizes() as sizes:
            if dense:
                compressor.attention_weights(frames, None, mask, labels)
            else:
                compressor(frames, None, mask, labels).frames.sum().backward()
        largest.append(sizes.largest)
    assert largest[1] == pytest.approx((16 if dense else 4) * largest[0], rel=0.01)


def test_dropout_is_drawn_in_training_alone():
    compressor = build(dropout=0.5)
    batch = speech()
    assert torch.equal(compressor(*batch).frames, compressor(*batch).frames)
    compressor.train()
    assert not torch.equal(compressor(*batch).frames, compressor(*batch).frames)
