"""The decoder computes the same by either library."""

import pytest
import torch

from fairseq_samu.models.mbart_decoder import MBartDecoder, MBartDecoderConfig
from fairseq_samu.modules.decoder_attention import PastTokens
from fairseq_samu.modules.fast_linear import FastLinear
from fairseq_samu.ops import fast_products

CONFIG = MBartDecoderConfig(vocabulary_size=40, dim=16, ffn_dim=24, num_layers=2, num_heads=4, max_positions=20)


@pytest.fixture
def decoder():
    torch.manual_seed(1)
    return MBartDecoder(CONFIG).eval()


def run(decoder):
    """Logits of a text and the gradient of its frames; logits of the same text token by token."""
    generator = torch.Generator().manual_seed(2)
    frames = torch.randn(2, 7, 16, generator=generator).requires_grad_()
    tokens = torch.randint(4, 40, (2, 5), generator=generator)
    encoded = decoder.project_frames(frames, torch.zeros(2, 7, dtype=torch.bool))
    logits = decoder.project(decoder(tokens, encoded))
    (gradient,) = torch.autograd.grad(logits.square().sum(), frames)
    past = [PastTokens() for _ in decoder.layers]
    with torch.no_grad():
        steps = [decoder(tokens[:, step : step + 1], encoded, past, step) for step in range(5)]
    return logits, gradient, decoder.project(torch.cat(steps, dim=1))


def test_all_projections_may_use_the_faster_library(decoder):
    layers = [module for module in decoder.modules() if isinstance(module, torch.nn.Linear)]
    assert len(layers) == CONFIG.num_layers * 10
    assert all(type(layer) is FastLinear for layer in layers)


@pytest.mark.skipif(not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="this torch has no oneDNN")
def test_outputs_and_gradients_are_those_of_torch(decoder, monkeypatch):
    monkeypatch.setattr(fast_products, "SMALL", 0)
    monkeypatch.setattr(fast_products, "prefers_onednn", lambda: False)
    expected = run(decoder)
    monkeypatch.setattr(fast_products, "prefers_onednn", lambda: True)
    for found, known in zip(run(decoder), expected, strict=True):
        torch.testing.assert_close(found, known, rtol=1e-4, atol=1e-5)
