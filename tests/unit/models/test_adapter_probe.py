"""Outputs of a model's parts for fixed inputs: the same wherever they are computed, others with other weights."""

import pytest
import torch

from fairseq_samu.models.adapter_probe import probe_part
from tests.unit.tiny_translator import make_translator


@pytest.fixture
def model(tmp_path):
    made = make_translator(
        tmp_path, adapter_names="be,ro", decoder_adapter_dim=4, tuned_groups="encoder_adapters,decoder_adapters"
    )
    made.train()
    return made.model


@pytest.mark.parametrize(("part", "shape"), [("encoder", (13, 32)), ("decoder", (8, 32))])
def test_an_output_is_that_of_one_adapter(model, part, shape):
    model.train()
    model.encoder.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    be, ro = (probe_part(model, part, name, {}) for name in ("be", "ro"))
    assert be.shape == shape and be.dtype == torch.float32 and not be.requires_grad
    assert torch.equal(probe_part(model, part, "be", {}), be) and not torch.allclose(be, ro, atol=1e-3)
    own = {n.removeprefix(f"{part}."): t for n, t in before.items() if n.startswith(f"{part}.")}
    swapped = {n.replace(".ro.", ".be."): t for n, t in own.items() if ".ro." in n}
    assert torch.equal(probe_part(model, part, "be", swapped), ro)
    assert torch.equal(probe_part(model, part, "be", {**swapped, "of.no.module": torch.zeros(1)}), ro)
    # the model is left as it was, what it holds and how it is set
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes


def test_the_decoder_is_probed_with_what_every_vocabulary_has(model):
    before = probe_part(model, "decoder", "be", {})
    model.trim_vocabulary(torch.tensor([0, 1, 2, 3, 9]))
    assert torch.equal(probe_part(model, "decoder", "be", {}), before)
