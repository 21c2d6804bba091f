"""The tagging head: its size in the paper, padding, gradients, dropout."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from fairseq_samu.modules.concept_head import ConceptHead

LABELS = 9


def make_head(dropout=0.0, layers=2):
    torch.manual_seed(0)
    return ConceptHead(6, LABELS, lstm_dim=4, num_lstm_layers=layers, hidden_dim=5, dropout=dropout).double()


def make_batch(lengths=(7, 3, 1)):
    torch.manual_seed(1)
    mask = torch.arange(max(lengths))[None, :] >= torch.tensor(lengths)[:, None]
    return torch.randn(len(lengths), max(lengths), 6, dtype=torch.float64), mask


def test_size_of_the_paper():
    with FakeTensorMode():
        head = ConceptHead(1024, 66)
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in head.named_children()}
    assert sizes["lstm"] == 67_158_016
    assert sizes["hidden"] == 2048 * 1024 + 1024
    assert sizes["output"] == 1024 * 66 + 66


def test_the_formula_by_hand():
    head = make_head().eval()
    frames, mask = make_batch()
    states = head.lstm(frames, mask) @ head.hidden.weight.T + head.hidden.bias
    expected = torch.where(states > 0, states, 0.01 * states) @ head.output.weight.T + head.output.bias
    assert (head(frames, mask) - expected).abs().max() < 1e-12


def test_a_padded_batch_equals_single_rows():
    head = make_head().eval()
    frames, mask = make_batch()
    together = head(frames, mask)
    assert together.shape == (3, 7, LABELS)
    for row, length in enumerate((~mask).sum(dim=1).tolist()):
        alone = head(frames[row : row + 1, :length], mask[row : row + 1, :length])
        assert (together[row, :length] - alone[0]).abs().max() < 1e-9


def test_gradients_reach_everything_but_the_padding():
    head = make_head().train()
    frames, mask = make_batch()
    frames.requires_grad_()
    head(frames, mask)[~mask].square().sum().backward()
    assert all(parameter.grad.any() for parameter in head.parameters())
    assert frames.grad[~mask].any(dim=1).all() and not frames.grad[mask].any()


def test_dropout_is_drawn_in_training_alone():
    frames, mask = make_batch()
    plain = make_head()(frames, mask)
    assert torch.equal(make_head(0.5).eval()(frames, mask), plain)
    head = make_head(0.5).train()
    assert not torch.equal(head(frames, mask), head(frames, mask))
    assert (head.lstm.dropout, head.dropout.p) == (0.5, 0.5)


@pytest.mark.parametrize("layers", [1, 3])
def test_state_round_trip(layers):
    head, other = make_head(layers=layers), make_head(layers=layers)
    for parameter in head.parameters():
        nn.init.normal_(parameter)
    other.load_state_dict(head.state_dict())
    batch = make_batch()
    assert torch.equal(other(*batch), head(*batch))
