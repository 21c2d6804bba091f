"""The encoder that speech and text share: its parts in order, padding, gradients, positions without an end."""

import pytest
import torch
from torch import nn

pytest.importorskip("fairseq", reason="its sizes stand beside those of the decoder, which stands on the host")

from fairseq_samu.errors import ConfigError
from fairseq_samu.models.textual_encoder import ExtractorConfig, TextConfig, TextualEncoder
from fairseq_samu.ops.masking import lengths_to_padding_mask
from fairseq_samu.ops.positions import sinusoidal_positions

SIZES = TextConfig(dim=16, ffn_dim=24, num_heads=4, num_layers=3, decoder_layers=1, max_positions=20)
EXTRACTORS = {
    "layer": ExtractorConfig(3, 2, "layer"),
    "batch": ExtractorConfig(3, 2, "batch"),
    "none": ExtractorConfig(0),
}


def build(extractor="layer", dropout=0.0):
    torch.manual_seed(0)
    encoder = TextualEncoder(SIZES, EXTRACTORS[extractor], dropout).double().eval()
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.3)
    return encoder


def draw(lengths, extra=0, filler=100.0):
    torch.manual_seed(1)
    mask = lengths_to_padding_mask(torch.tensor(lengths), max(lengths) + extra)
    x = torch.full((*mask.shape, SIZES.dim), filler, dtype=torch.float64)
    for row, length in enumerate(lengths):
        x[row, :length] = torch.randn(length, SIZES.dim, dtype=torch.float64)
    return x, mask


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_parts_in_their_order(extractor):
    encoder = build(extractor)
    x, mask = draw([7])
    expected = x + sinusoidal_positions(7, SIZES.dim)
    for index in range(3):
        if extractor != "none":
            expected = encoder.extractors[index](expected)
        expected = encoder.layers[index](expected)
    assert (encoder(x, mask) - encoder.layer_norm(expected)).abs().max() < 1e-12


def test_windows_grow_with_depth():
    assert [part.depthwise.kernel_size for part in build().extractors] == [(3,), (5,), (7,)]
    paper = TextualEncoder(TextConfig(dim=4, num_heads=1, ffn_dim=1), ExtractorConfig())
    assert [part.depthwise.kernel_size for part in paper.extractors] == [(5,), (9,), (11,), (15,), (17,), (21,)]
    assert not build("none").extractors


@pytest.mark.parametrize("extractor", EXTRACTORS)
@pytest.mark.parametrize("filler", [0.0, 1e3])
def test_padded_equals_alone(extractor, filler):
    encoder = build(extractor)
    lengths = [9, 1, 4]
    x, mask = draw(lengths, 2, filler)
    together = encoder(x, mask)
    assert not together[mask].any()
    for row, length in enumerate(lengths):
        alone = encoder(x[row : row + 1, :length], mask[row : row + 1, :length])
        assert (together[row, :length] - alone[0]).abs().max() < 1e-9


@pytest.mark.parametrize("extractor", ["layer", "batch"])
def test_batch_statistics_do_not_see_padding(extractor):
    """In training too a batch gives the same however far it is padded, and running statistics move alike."""
    results = []
    for extra in (0, 5):
        encoder = build(extractor).train()
        x, mask = draw([6, 3], extra)
        results.append((encoder(x, mask)[~mask], encoder.state_dict()))
    assert (results[0][0] - results[1][0]).abs().max() < 1e-9
    for name, tensor in results[0][1].items():
        torch.testing.assert_close(tensor, results[1][1][name], msg=name)


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_gradients_reach_every_parameter_and_no_padding(extractor):
    encoder = build(extractor).train()
    x, mask = draw([8, 5])
    x.requires_grad_()
    (encoder(x, mask)[~mask] * torch.randn(13, SIZES.dim)).sum().backward()
    # the bias of keys moves all scores of a query alike
    still = [name for name, p in encoder.named_parameters() if not p.grad.abs().max() > 1e-9]
    assert still == [f"layers.{index}.self_attn.k_proj.bias" for index in range(3)]
    assert x.grad[~mask].abs().sum(dim=1).min() > 0
    assert not x.grad[mask].any()


def test_inputs_of_any_length_in_any_order():
    encoder = build()
    for length in (5, 300, 4, 700):
        x, mask = draw([length])
        assert torch.equal(encoder(x, mask), build()(x, mask))


def test_order_matters():
    x, mask = draw([6])
    encoder = build("none")
    assert (encoder(x, mask).flip(1) - encoder(x.flip(1), mask)).abs().max() > 1e-3


def test_dropout_acts_in_training_only():
    encoder = build(dropout=0.5)
    x, mask = draw([6])
    assert torch.equal(encoder(x, mask), encoder(x, mask))
    assert not torch.equal(encoder.train()(x, mask), encoder(x, mask))


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_state_goes_round_without_positions(extractor):
    encoder = build(extractor)
    x, mask = draw([6, 2])
    expected = encoder(x, mask)
    state = encoder.state_dict()
    assert not [name for name in state if "position" in name]
    twin = TextualEncoder(SIZES, EXTRACTORS[extractor]).double().eval()
    twin.load_state_dict(state)
    assert torch.equal(twin(x, mask), expected)


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_half_precision(extractor):
    encoder = build(extractor)
    x, mask = draw([12, 7], filler=0.0)
    expected = encoder(x, mask)
    result = encoder.bfloat16()(x.bfloat16(), mask)
    assert result.dtype == torch.bfloat16
    assert (result.double() - expected).norm() < 0.05 * expected.norm()


def test_sizes_are_plain_json_and_those_of_the_paper():
    assert TextConfig.from_dict(SIZES.to_dict()) == SIZES
    paper = TextConfig.from_dict({})
    sizes = (paper.dim, paper.ffn_dim, paper.num_heads, paper.num_layers, paper.decoder_layers)
    assert sizes == (512, 2048, 8, 6, 6)
    assert paper.decoder(77, 0.1).vocabulary_size == 77


def test_all_faulty_sizes_at_once():
    with pytest.raises(ConfigError) as caught:
        TextConfig.from_dict({"depth": 3, "ffn_dim": 0, "num_layers": True, "activation": "tanh"})
    for name in ("depth", "ffn_dim", "num_layers", "activation"):
        assert f"`{name}` must be" in str(caught.value)


@pytest.mark.parametrize("sizes", [{"dim": 20, "num_heads": 8}, {"dim": 3, "num_heads": 3}, {"dim": 2, "num_heads": 1}])
def test_widths_that_cannot_work(sizes):
    with pytest.raises(ConfigError, match="`dim` must be"):
        TextConfig.from_dict(sizes)
