"""The translation model with a length compressor: padding, gradients, search, checkpoints."""

import pytest
import torch

pytest.importorskip("fairseq", reason="the model stands on the host")

from fairseq.data import Dictionary
from fairseq.sequence_generator import SequenceGenerator

from fairseq_samu.cli.main import main
from fairseq_samu.errors import ConfigError
from fairseq_samu.inference.speech_translator import SpeechTranslator
from fairseq_samu.inference.translator_building import probe_translator
from fairseq_samu.models.beam_search_view import BeamSearchView
from fairseq_samu.modules.lookback_compressor import SCOPES
from tests.unit.models.test_samu_xlsr_mbart import TOKENS, build, count, tuned_groups, waves
from tests.unit.tiny_translator import make_translator

OPTIONS = {"ctc_head": True, "compressor": "first", "compressor_heads": 4, "compressor_ffn_dim": 40}


def build_compressed(**options):
    """A model whose CTC labels change from frame to frame, but not always."""
    model = build(**{**OPTIONS, **options})
    with torch.no_grad():
        model.ctc_head.bias.copy_(torch.arange(50) < 2).mul_(5.0)
    return model


def test_frames_are_compressed_before_the_decoder():
    model = build_compressed(num_length_adapter_layers=1).double().eval()
    source, mask = waves(dtype=torch.float64)
    output = model(source, mask, prev_output_tokens=TOKENS)
    compressed = model.compressor(output.frames, output.ctc_logits, output.padding_mask)
    assert 1 < compressed.frames.size(1) < output.frames.size(1)
    frames, padding = model.length_adapter(compressed.frames, compressed.padding_mask)
    hidden = model.decoder(TOKENS, model.decoder.project_frames(model.bridge(frames), padding))
    assert torch.equal(output.hidden, hidden)


@pytest.mark.parametrize("layers", [0, 1])
@pytest.mark.parametrize("scope", SCOPES)
def test_padded_equals_alone(scope, layers):
    model = build_compressed(compressor_lookback=scope, num_length_adapter_layers=layers).double().eval()
    source, mask = waves(dtype=torch.float64)
    both = model(source, mask, prev_output_tokens=TOKENS).logits()
    for row, length in enumerate((9000, 5200)):
        valid = int((TOKENS[row] != 1).sum())
        alone = model(source[row : row + 1, :length], None, prev_output_tokens=TOKENS[row : row + 1, :valid])
        assert (both[row, :valid] - alone.logits()[0]).abs().max() < 1e-9


def test_it_is_tuned_by_default():
    model = build_compressed().train()
    assert {"compressor", "ctc_head"} <= tuned_groups(model)
    assert sum(map(count, model.parameter_groups().values())) == count(model.parameters())
    source, mask = waves()
    model(source, mask, torch.arange(2), prev_output_tokens=TOKENS).logits().square().sum().backward()
    still = [n for n, p in model.compressor.named_parameters() if p.grad is None or not p.grad.abs().max() > 1e-6]
    assert still == ["k_proj.bias"]
    assert model.ctc_head.weight.grad is None  # the choice of labels takes none
    assert model.compressor.training and not build_compressed(tuned_groups="ctc_head").train().compressor.training


@pytest.mark.parametrize("start_update", [0, 5])
def test_the_hosts_search_scores_what_the_model_scores(start_update):
    dictionary = Dictionary()
    for number in range(46):
        dictionary.add_symbol(f"piece{number}")
    model = build_compressed(compressor_start_update=start_update).double().eval()
    torch.nn.init.normal_(model.decoder.embed_tokens.weight, std=0.5)
    source, mask = waves((9000, 5200, 7000), dtype=torch.float64)
    generator = SequenceGenerator([BeamSearchView(model)], dictionary, beam_size=3, max_len_b=8, len_penalty=0.0)
    sample = {"net_input": {"source": source, "padding_mask": mask}}
    scores = []
    for done in (4, 5):
        model.set_num_updates(done)
        hypotheses = [found[0] for found in generator.generate([model], sample, prefix_tokens=torch.full((3, 1), 45))]
        for row, best in enumerate(hypotheses):
            read = torch.cat([torch.tensor([2]), best["tokens"][:-1]])[None]
            with torch.no_grad():
                output = model(source[row : row + 1], mask[row : row + 1], prev_output_tokens=read)
            score = output.logits()[0].log_softmax(-1).gather(1, best["tokens"][:, None]).sum()
            assert abs(float(score) - float(best["score"])) < 1e-4
        scores.append([float(best["score"]) for best in hypotheses])
    assert (scores[0] == scores[1]) == (start_update == 0)


def test_cached_features_give_the_same():
    model = build_compressed().eval()
    source, mask = waves()
    features, padding = model.encoder.run_to_stage(source, mask, 0)
    from_cache = model(features=features, padding_mask=padding, prev_output_tokens=TOKENS).logits()
    assert torch.equal(from_cache, model(source, mask, prev_output_tokens=TOKENS).logits())


@pytest.mark.parametrize("missing", [{"ctc_head": False}, {"without_decoder": True}])
def test_it_needs_labels_and_a_decoder(missing):
    with pytest.raises(ConfigError, match="`compressor` must be off without a decoder, or without --ctc-head"):
        build(**{**OPTIONS, **missing})


def test_without_it_the_names_of_a_checkpoint_stay():
    assert not [name for name in build(ctc_head=True).state_dict() if "compressor" in name]


@pytest.mark.parametrize("done", [4, 5])
def test_checkpoints_and_files_of_tuned_parameters(tmp_path, done):
    """What a run knows of its updates reaches whoever decodes, through an extracted and merged file too."""
    groups = "encoder_adapters,compressor,cross_attention,layer_norms"
    made = make_translator(tmp_path, **OPTIONS, tuned_groups=groups, compressor_start_update=5)
    base = made.save(tmp_path / "base.pt")
    made.train()
    made.model.set_num_updates(done)
    whole = made.save(tmp_path / "whole.pt")
    tuned, merged = tmp_path / "tuned.safetensors", tmp_path / "merged.pt"
    assert main(["adapters", "extract", str(whole), "--output", str(tuned)]) == 0
    assert main(["adapters", "merge", str(tuned), "--base", str(base), "--output", str(merged)]) == 0
    expected = probe_translator(made.model)["hidden"]
    for path in (whole, merged):
        read = SpeechTranslator.load(path).model
        assert int(read.compressor.num_updates) == done and read.compressor.is_active == (done == 5)
        torch.testing.assert_close(probe_translator(read)["hidden"], expected)
    made.model.set_num_updates(0 if done == 5 else 5)
    assert not torch.allclose(probe_translator(made.model)["hidden"], expected)
