import pytest
import torch
from torch import nn

from fairseq_samu.modules.decoder_attention import CausalSelfAttention, CrossAttention, PastTokens


def make(kind):
    torch.manual_seed(0)
    attention = kind(8, 2).double()
    for parameter in attention.parameters():
        nn.init.normal_(parameter, std=0.4)
    return attention


def attend_by_loop(attention, queries, memory):
    """One query after another over the positions of ``memory``, (U, D) and a list of (T, D) to (U, D)."""
    heads, width = attention.num_heads, queries.size(1) // attention.num_heads
    rows = []
    for query, keys in zip(queries, memory, strict=True):
        parts = []
        for head in range(heads):
            columns = slice(head * width, (head + 1) * width)
            asked = attention.q_proj(query)[columns]
            scores = torch.stack([asked @ attention.k_proj(key)[columns] / width**0.5 for key in keys])
            weights = scores.softmax(0)
            parts.append(sum(w * attention.v_proj(key)[columns] for w, key in zip(weights, keys, strict=True)))
        rows.append(attention.out_proj(torch.cat(parts)))
    return torch.stack(rows)


def test_self_attention_sees_what_came_before():
    attention = make(CausalSelfAttention)
    x = torch.randn(1, 5, 8, dtype=torch.float64)
    expected = attend_by_loop(attention, x[0], [x[0, : end + 1] for end in range(5)])
    assert (attention(x)[0] - expected).abs().max() < 1e-12


def test_one_token_at_a_time_equals_all_at_once():
    attention = make(CausalSelfAttention)
    x = torch.randn(3, 40, 8, dtype=torch.float64)  # more tokens than there is room for at first
    past = PastTokens()
    steps = [attention(x[:, step : step + 1], past) for step in range(40)]
    assert (torch.cat(steps, dim=1) - attention(x)).abs().max() < 1e-12
    assert past.length == 40


def test_reordered_rows_go_on_from_their_own_past():
    attention = make(CausalSelfAttention)
    x = torch.randn(3, 4, 8, dtype=torch.float64)
    past = PastTokens()
    for step in range(3):
        attention(x[:, step : step + 1], past)
    past.reorder(torch.tensor([2, 0]))
    last = attention(x[[2, 0], 3:], past)
    assert (last - attention(x)[[2, 0], 3:]).abs().max() < 1e-12


@pytest.mark.parametrize("beam", [1, 3])
def test_hypotheses_share_the_keys_of_their_utterance(beam):
    attention = make(CrossAttention)
    frames = torch.randn(2, 6, 8, dtype=torch.float64)
    valid = torch.tensor([6, 4])
    mask = (torch.arange(6)[None] < valid[:, None])[:, None, None, :]
    x = torch.randn(2 * beam, 2, 8, dtype=torch.float64)
    result = attention(x, *attention.project_frames(frames), mask)
    for row in range(2 * beam):
        utterance = row // beam
        expected = attend_by_loop(attention, x[row], [frames[utterance, : valid[utterance]]] * 2)
        assert (result[row] - expected).abs().max() < 1e-12
