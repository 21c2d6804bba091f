"""Options of the compressor, all faults at once, and its start in the middle of a run."""

import pytest
import torch
from torch import nn

pytest.importorskip("fairseq", reason="the options are the host's dataclasses")

from fairseq.models import BaseFairseqModel

from fairseq_samu.errors import ConfigError
from fairseq_samu.models.compressor_options import CompressorOptions, build_compressor, find_compressor_faults
from fairseq_samu.modules.lookback_compressor import LookbackCompressor

D, V = 8, 4


class Model(BaseFairseqModel):
    """A model with nothing but a compressor."""

    def __init__(self, **options):
        super().__init__()
        self.compressor = build_compressor(CompressorOptions(compressor_heads=2, compressor_ffn_dim=12, **options), D)


def speech():
    torch.manual_seed(0)
    labels = torch.tensor([[1, 1, 0, 2, 2, 2], [3, 3, 3, 3, 1, 1]])
    mask = torch.tensor([[False] * 6, [False] * 4 + [True] * 2])
    return torch.randn(2, 6, D), nn.functional.one_hot(labels, V).float(), mask


def test_nothing_is_built_by_default():
    assert build_compressor(CompressorOptions(), D) is None
    assert not Model().state_dict()


def test_options_reach_the_compressor():
    options = CompressorOptions(
        compressor="weighted",
        compressor_lookback="global",
        compressor_blanks="merge",
        compressor_heads=4,
        compressor_ffn_dim=20,
        compressor_dropout=0.3,
        compressor_max_length=7,
    )
    built = build_compressor(options, D)
    assert (built.representative, built.scope, built.blanks) == ("weighted", "global", "merge")
    assert (built.num_heads, built.fc1.out_features, built.dropout, built.max_segments) == (4, 20, 0.3, 7)
    assert built.blank == 0 and built.is_active


def test_it_computes_what_the_plain_one_does():
    built = Model(compressor="avg").compressor.eval()
    plain = LookbackCompressor(D, "avg", num_heads=2, ffn_dim=12).eval()
    state = built.state_dict()
    assert state.pop("num_updates").dtype == torch.int64
    plain.load_state_dict(state)
    assert torch.equal(built(*speech()).frames, plain(*speech()).frames)


def test_faults_come_together():
    options = CompressorOptions(
        compressor="last",
        compressor_lookback="far",
        compressor_blanks="lose",
        compressor_heads=0,
        compressor_ffn_dim=0,
        compressor_dropout=1.0,
        compressor_start_update=-1,
        compressor_max_length=-1,
    )
    faults = "\n".join(find_compressor_faults(options, "some_model"))
    assert not find_compressor_faults(CompressorOptions(), "some_model")
    for name in vars(options):
        if name.startswith("compressor"):
            assert f"some_model: `{name}` must be" in faults
            assert f"Set --{name.replace('_', '-')}." in faults


def test_heads_must_divide_the_features():
    with pytest.raises(ConfigError, match="`compressor_heads` must be a divisor of the 8 features"):
        build_compressor(CompressorOptions(compressor="first", compressor_heads=3), D)
    assert build_compressor(CompressorOptions(compressor="first", compressor_heads=3, compressor_lookback="none"), D)


def test_nothing_is_compressed_before_its_update():
    model = Model(compressor="first", compressor_start_update=3).eval()
    frames, logits, mask = speech()
    for done in (0, 2):
        model.set_num_updates(done)
        found = model.compressor(frames, logits, mask)
        assert torch.equal(found.frames, frames) and torch.equal(found.padding_mask, mask)
        assert found.segments.of_frame[1].tolist() == [0, 1, 2, 3, 6, 6]
        attention = model.compressor.attention_weights(frames, logits, mask)
        assert torch.equal(attention[0], torch.eye(6))
        assert torch.equal(attention[1].diagonal(), (~mask[1]).float())
    model.set_num_updates(3)
    assert model.compressor(frames, logits, mask).frames.shape == (2, 3, D)
    assert model.compressor.attention_weights(frames, logits, mask).shape == (2, 3, 6)


@pytest.mark.parametrize("done", [2, 3])
def test_a_checkpoint_knows_whether_its_run_compressed(done):
    """Read as the host reads one: it names the updates of the run (one more than the model was told), then loads."""
    model = Model(compressor="first", compressor_start_update=3)
    model.set_num_updates(done)
    state = model.half().state_dict()
    assert state["compressor.num_updates"].dtype == torch.int64
    read = Model(compressor="first", compressor_start_update=3)
    read.set_num_updates(done + 1)
    read.load_state_dict(state)
    assert read.compressor.is_active == model.compressor.is_active == (done == 3)


def test_the_number_of_updates_survives_half_precision():
    """70,001 is no number of half precision."""
    model = Model(compressor="first", compressor_start_update=70_001).half()
    model.set_num_updates(70_001)
    assert int(model.float().state_dict()["compressor.num_updates"]) == 70_001
