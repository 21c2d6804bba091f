"""The bidirectional LSTM against torch's own on packed sequences, and the reversal against loops."""

import copy

import pytest
import torch
from torch import nn

from fairseq_samu.modules.bidirectional_lstm import BidirectionalLstm, reverse_within

LENGTHS = [7, 1, 4, 0, 6]
DIM, HIDDEN = 5, 3


def make_batch(lengths, dtype=torch.float64, padding=0.0, width=None):
    torch.manual_seed(2)
    width = width or max(lengths)
    mask = torch.arange(width)[None, :] >= torch.tensor(lengths)[:, None]
    frames = torch.randn(len(lengths), width, DIM, dtype=torch.float64).masked_fill(mask[:, :, None], padding)
    return frames.to(dtype).requires_grad_(), mask


def make_lstm(num_layers=2, dtype=torch.float64, dropout=0.0):
    torch.manual_seed(0)
    return BidirectionalLstm(DIM, HIDDEN, num_layers, dropout).to(dtype)


def run_torch(lstm, frames, mask):
    """What nn.LSTM of the same weights gives for each row alone; nothing for a row without frames."""
    peer = nn.LSTM(DIM, HIDDEN, lstm.num_layers, batch_first=True, bidirectional=True).to(frames.dtype)
    peer.load_state_dict(lstm.state_dict())
    lengths = (~mask).sum(dim=1)
    kept = lengths > 0
    packed = nn.utils.rnn.pack_padded_sequence(frames[kept], lengths[kept], batch_first=True, enforce_sorted=False)
    states = nn.utils.rnn.pad_packed_sequence(peer(packed)[0], batch_first=True, total_length=frames.size(1))[0]
    whole = states.new_zeros(len(lengths), *states.shape[1:]).index_copy(0, kept.nonzero()[:, 0], states)
    return whole, peer


def gradients(states, frames, module):
    weights = torch.linspace(-1, 1, states.size(2), dtype=torch.float64).to(states.dtype)
    (states * weights).square().sum().backward()
    found = {name: parameter.grad for name, parameter in module.named_parameters()}
    found["frames"] = frames.grad
    return found


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("lengths", [LENGTHS, [1, 1], [6, 6], [3]], ids=str)
def test_values_and_gradients_are_those_of_packed_sequences(num_layers, lengths):
    lstm = make_lstm(num_layers)
    frames, mask = make_batch(lengths)
    states = lstm(frames, mask)
    other_frames, _ = make_batch(lengths)
    expected, peer = run_torch(lstm, other_frames, mask)
    assert states.shape == (len(lengths), max(lengths), lstm.output_dim)
    assert (states - expected).abs().max() < 1e-12
    assert not states[mask].any()
    ours, theirs = gradients(states, frames, lstm), gradients(expected, other_frames, peer)
    assert ours.keys() == theirs.keys()
    for name, gradient in ours.items():
        assert gradient.any() or (max(lengths) == 1 and "weight_hh" in name), name
        torch.testing.assert_close(gradient, theirs[name], rtol=1e-10, atol=1e-12, msg=name)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2), (torch.float16, 3e-3)], ids=str
)
def test_other_precisions_stay_near(dtype, tolerance):
    exact = make_lstm()(*make_batch(LENGTHS))
    lstm = make_lstm(dtype=dtype)
    frames, mask = make_batch(LENGTHS, dtype)
    states = lstm(frames, mask)
    assert states.dtype == dtype
    assert (states.double() - exact).abs().max() < tolerance
    assert all(gradient.isfinite().all() for gradient in gradients(states, frames, lstm).values())


def test_what_other_devices_run_is_the_same():
    lstm = make_lstm(3)
    frames, mask = make_batch(LENGTHS, width=9)
    packed = lstm.run_packed(frames, (~mask).sum(dim=1))
    assert (packed - lstm(frames, mask)).abs().max() < 1e-12
    assert not packed[mask].any()


@pytest.mark.parametrize("padding", [1e3, float("inf"), float("nan")])
def test_what_stands_in_the_padding_does_not_matter(padding):
    lstm = make_lstm()
    plain = lstm(*make_batch(LENGTHS))
    assert torch.equal(lstm(*make_batch(LENGTHS, padding=padding)), plain)
    frames, mask = make_batch(LENGTHS)
    wider = nn.functional.pad(frames, (0, 0, 0, 5), value=padding)
    states = lstm(wider, nn.functional.pad(mask, (0, 5), value=True))
    assert (states[:, : max(LENGTHS)] - plain).abs().max() < 1e-12
    assert not states[:, max(LENGTHS) :].any()


def test_names_are_those_of_torch():
    lstm, peer = make_lstm(3), nn.LSTM(DIM, HIDDEN, 3, batch_first=True, bidirectional=True)
    shapes = [{name: tensor.shape for name, tensor in module.state_dict().items()} for module in (lstm, peer)]
    assert shapes[0] == shapes[1]
    again = make_lstm(3)
    again.load_state_dict(copy.deepcopy(lstm.state_dict()))
    batch = make_batch(LENGTHS)
    assert torch.equal(again(*batch), lstm(*batch))


@pytest.mark.parametrize("lengths", [LENGTHS, [4, 4]], ids=str)
def test_dropout_is_between_layers_and_in_training_alone(lengths):
    frames, mask = make_batch(lengths)
    whole = make_lstm(2)(frames, mask)
    assert torch.equal(make_lstm(2, dropout=0.5).eval()(frames, mask), whole)
    assert not torch.equal(make_lstm(2, dropout=0.5).train()(frames, mask), whole)
    assert torch.equal(make_lstm(1, dropout=0.5).train()(frames, mask), make_lstm(1)(frames, mask))


def test_rows_are_turned_within_their_length():
    places = reverse_within(torch.tensor([4, 1, 0, 3]), 4)
    assert places.tolist() == [[3, 2, 1, 0], [0, 1, 2, 3], [0, 1, 2, 3], [2, 1, 0, 3]]
    assert torch.equal(places.gather(1, places), torch.arange(4).expand(4, 4))
