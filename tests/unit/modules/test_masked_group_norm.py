import torch
from torch import nn

from fairseq_samu.modules.masked_group_norm import ChannelLayerNorm, MaskedChannelNorm
from fairseq_samu.ops.masking import lengths_to_padding_mask


def randomise(module: nn.Module) -> nn.Module:
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module


def test_without_padding_it_is_the_group_norm_of_torch():
    ours = randomise(MaskedChannelNorm(6))
    theirs = nn.GroupNorm(6, 6)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(3, 6, 11)
    everything = torch.zeros(3, 11, dtype=torch.bool)
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours(x, everything), theirs(x))


def test_hand_computed_row():
    norm = MaskedChannelNorm(1, eps=0.0)
    x = torch.tensor([[[1.0, 3.0, 100.0]]])
    assert norm(x, torch.tensor([[False, False, True]])).tolist() == [[[-1.0, 1.0, 0.0]]]


def test_padded_rows_equal_single_rows():
    norm = randomise(MaskedChannelNorm(4)).double()
    x = torch.randn(3, 4, 9, dtype=torch.float64)
    lengths = [9, 5, 1]
    together = norm(x, lengths_to_padding_mask(torch.tensor(lengths), 9))
    for row, length in enumerate(lengths):
        alone = norm(x[row : row + 1, :, :length])
        assert (together[row, :, :length] - alone[0]).abs().max() < 1e-12
        assert not together[row, :, length:].any()


def test_padding_gets_no_gradient():
    norm = MaskedChannelNorm(2)
    x = torch.randn(1, 2, 5, requires_grad=True)
    norm(x, lengths_to_padding_mask(torch.tensor([3]), 5)).square().sum().backward()
    assert not x.grad[..., 3:].any()
    assert x.grad[..., :3].isfinite().all()


def test_half_precision_is_computed_in_single():
    norm = MaskedChannelNorm(2).half()
    x = (torch.randn(1, 2, 4000) * 300).half()  # its squares overflow half precision
    result = norm(x, torch.zeros(1, 4000, dtype=torch.bool))
    assert result.dtype == torch.float16
    assert result.isfinite().all()


def test_channel_layer_norm_is_a_layer_norm_by_frame():
    norm = randomise(ChannelLayerNorm(5)).double()
    x = torch.randn(2, 5, 7, dtype=torch.float64)
    expected = nn.functional.layer_norm(x.transpose(1, 2), (5,), norm.weight, norm.bias).transpose(1, 2)
    assert torch.equal(norm(x), expected)
    with torch.no_grad():  # another path
        assert (norm(x) - expected).abs().max() < 1e-12
        loud = (torch.randn(1, 5, 7) * 5e3).half()  # squares overflow half precision
        assert norm.half()(loud).isfinite().all()
