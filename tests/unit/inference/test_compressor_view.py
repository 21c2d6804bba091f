"""A look into the compressor of a trained model: what it shows is what the model does, for every model that has one."""

import itertools

import numpy as np
import pytest
import torch

pytest.importorskip("fairseq", reason="the models stand on the host")

from fairseq_samu.errors import CheckpointError, ConfigError
from fairseq_samu.inference.compressor_view import CompressorView
from fairseq_samu.inference.translator_building import MODELS
from tests.unit.tiny_compressor import make_compressing_model, save_compressing_model


def waves(*lengths):
    random = np.random.default_rng(0)
    return [(0.1 * random.normal(size=length)).astype(np.float32) for length in lengths]


def look(view, recordings, **options):
    return sorted(view.look(recordings, **options), key=lambda seen: seen.recording)


@pytest.mark.parametrize("architecture", MODELS)
def test_a_checkpoint_shows_runs_of_equal_labels(tmp_path, architecture):
    view = CompressorView.load(save_compressing_model(tmp_path, architecture))
    seen = look(view, waves(16000, 9000, 12000))
    assert [len(one.wave) for one in seen] == [16000, 9000, 12000]
    for one in seen:
        runs = [(label, len(list(run))) for label, run in itertools.groupby(one.labels.tolist())]
        assert 1 < len(runs) < len(one.labels), "some frames are alike, some are not"
        assert one.starts.tolist() == [0, *itertools.accumulate(length for _, length in runs[:-1])]
        assert one.of_frame.tolist() == [place for place, (_, length) in enumerate(runs) for _ in range(length)]
        own = one.of_frame == torch.arange(len(runs))[:, None]
        assert torch.allclose(one.attention.sum(dim=1), torch.ones(len(runs)))
        assert not one.attention[~own].any()


@pytest.mark.parametrize("architecture", MODELS)
@pytest.mark.parametrize("scope", ["global", "none"])
def test_a_batch_shows_what_each_alone_shows(tmp_path, architecture, scope):
    model, vocabulary, _ = make_compressing_model(tmp_path, architecture, compressor_lookback=scope)
    view = CompressorView(model, vocabulary)
    recordings = waves(16000, 9000)
    for place, one in enumerate(look(view, recordings)):
        (alone,) = view.look([recordings[place]])
        assert torch.equal(one.labels, alone.labels) and torch.equal(one.of_frame, alone.of_frame)
        assert torch.equal(one.starts, alone.starts)
        assert torch.allclose(one.attention, alone.attention, atol=1e-5)
        if scope == "none":
            assert torch.equal(one.attention.argmax(dim=1), one.starts) and bool(
                (one.attention.max(dim=1)[0] == 1).all()
            )


@pytest.mark.parametrize("architecture", MODELS)
def test_dropped_blanks_are_in_no_segment(tmp_path, architecture):
    model, vocabulary, _ = make_compressing_model(tmp_path, architecture, compressor_blanks="drop")
    view = CompressorView(model, vocabulary)
    for one in look(view, waves(16000, 9000, 12000)):
        blank = one.labels == 0
        assert blank.any() and not blank.all()
        assert torch.equal(one.of_frame == len(one.starts), blank)


def test_attention_is_left_out_where_it_is_not_asked_for(tmp_path):
    model, vocabulary, _ = make_compressing_model(tmp_path, "multitask_st")
    (seen,) = CompressorView(model, vocabulary).look(waves(9000), with_attention=False)
    assert seen.attention is None
    assert not model.compressor._forward_hooks


def test_labels_and_options_have_names(tmp_path):
    model, vocabulary, _ = make_compressing_model(tmp_path, "multitask_st", compressor_max_length=7)
    view = CompressorView(model, vocabulary)
    assert view.label_of(0) == "" and view.label_of(5) == vocabulary.tokens[5]
    assert view.describe() == {"compressor": "first", "lookback": "segment", "blanks": "keep", "max length": "7"}
    (seen,) = view.look(waves(16000))
    assert len(seen.starts) == 7


@pytest.mark.parametrize("architecture", MODELS)
def test_a_model_without_is_refused(tmp_path, architecture):
    path = save_compressing_model(tmp_path, architecture, compressor="off")
    with pytest.raises(CheckpointError, match="`compressor` must be in the model, but is 'off'") as caught:
        CompressorView.load(path)
    assert str(caught.value).startswith(str(path))


def test_a_compressor_that_has_not_begun_is_refused(tmp_path):
    path = save_compressing_model(tmp_path, "multitask_st", compressor_start_update=3000)
    with pytest.raises(CheckpointError, match="not yet, after 0 updates"):
        CompressorView.load(path)


def test_text_alone_is_refused(tmp_path):
    path = save_compressing_model(tmp_path, "multitask_st", without_speech=True)
    with pytest.raises(CheckpointError, match="compressor"):
        CompressorView.load(path)


@pytest.mark.parametrize("architecture", MODELS)
def test_recordings_go_through_the_adapters_of_their_languages(tmp_path, architecture):
    options = {"adapter_names": "en,fr", "adapter_dim": 8, "compressor_lookback": "none"}
    model, vocabulary, _ = make_compressing_model(tmp_path, architecture, **options)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "_adapter." in name:
                parameter.normal_(std=0.5)
    view = CompressorView(model, vocabulary, missing_adapter="base")
    recordings = waves(16000, 16000)
    seen = look(view, recordings, adapters=["fr", "de"])
    for one, name in zip(seen, ["fr", "de"], strict=True):
        (alone,) = view.look([recordings[one.recording]], adapters=name)
        assert torch.equal(one.labels, alone.labels) and torch.equal(one.starts, alone.starts)
        (other,) = view.look([recordings[one.recording]], adapters="en")
        assert not torch.equal(one.labels, other.labels)
    with pytest.raises(ConfigError, match="but is 'de' instead"):
        list(CompressorView(model, vocabulary).look(recordings, adapters=["fr", "de"]))
