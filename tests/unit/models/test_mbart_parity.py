"""The decoder gives the logits and the beam search of other implementations of mBART, given the same frames."""

import argparse
from types import SimpleNamespace

import pytest
import torch
from fairseq.data import Dictionary
from fairseq.models.bart import BARTModel, mbart_base_architecture
from fairseq.sequence_generator import SequenceGenerator
from torch import nn

from fairseq_samu.checkpoints import load_strict
from fairseq_samu.checkpoints.mbart import decoder_from_fairseq, decoder_from_huggingface
from fairseq_samu.models.beam_search_view import BeamSearchView
from fairseq_samu.models.mbart_decoder import MBartDecoder, MBartDecoderConfig

VOCABULARY, DIM, TAG, PAD, END = 60, 32, 57, 1, 2


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers")


def randomise(model, seed):
    torch.manual_seed(seed)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.25)
    return model.eval()


def build_theirs(transformers, seed=0, **changes):
    sizes = {
        "vocab_size": VOCABULARY,
        "d_model": DIM,
        "decoder_layers": 3,
        "decoder_ffn_dim": 48,
        "decoder_attention_heads": 4,
        "encoder_layers": 1,
        "encoder_ffn_dim": 8,
        "encoder_attention_heads": 2,
        "max_position_embeddings": 40,
        "scale_embedding": True,
    }
    return randomise(transformers.MBartForConditionalGeneration(transformers.MBartConfig(**{**sizes, **changes})), seed)


def build_ours(theirs, folder):
    theirs.save_pretrained(folder)
    config, state, _ = decoder_from_huggingface(folder)
    decoder = MBartDecoder(MBartDecoderConfig.from_dict(config)).eval()
    assert load_strict(decoder, state).complete
    return decoder


def draw_frames(seed=1):
    """Three utterances of unequal length: frames (3, 9, D), and mask, True = padding."""
    torch.manual_seed(seed)
    padding_mask = torch.arange(9) >= torch.tensor([[9], [6], [1]])
    return torch.randn(3, 9, DIM), padding_mask


def draw_tokens():
    tokens = torch.randint(4, VOCABULARY, (3, 12), generator=torch.Generator().manual_seed(2))
    tokens[:, 0], tokens[:, 1] = END, TAG
    tokens[2, 7:] = PAD
    return tokens


@pytest.mark.parametrize("changes", [{}, {"activation_function": "relu", "scale_embedding": False}])
def test_logits_of_transformers(transformers, tmp_path, changes):
    theirs = build_theirs(transformers, **changes)
    ours = build_ours(theirs, tmp_path)
    frames, padding_mask = draw_frames()
    tokens = draw_tokens()
    with torch.no_grad():
        expected = theirs(
            encoder_outputs=(frames,), attention_mask=(~padding_mask).long(), decoder_input_ids=tokens
        ).logits
        logits = ours.project(ours(tokens, ours.project_frames(frames, padding_mask)))
    assert expected.abs().max() > 1
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)


def search_theirs(transformers, theirs, frames, padding_mask, max_len, beam):
    encoded = transformers.modeling_outputs.BaseModelOutput(last_hidden_state=frames)
    with torch.no_grad():
        found = theirs.generate(
            encoder_outputs=encoded,
            attention_mask=(~padding_mask).long(),
            forced_bos_token_id=TAG,
            decoder_start_token_id=END,
            num_beams=beam,
            num_return_sequences=beam,
            max_length=max_len + 2,  # beside max_len tokens: the start, and the end
            length_penalty=0.0,
            early_stopping=True,
            suppress_tokens=[PAD],
            forced_eos_token_id=None,
            do_sample=False,
        )
    rows = found.view(len(frames), beam, -1).tolist()
    return [[[token for token in row[1:] if token != PAD] for row in beams] for beams in rows]


class Speech(nn.Module):
    """Hands its input to the decoder as frames."""

    def __init__(self, decoder):
        super().__init__()
        self.decoder = decoder

    def encode_utterances(self, features, padding_mask):
        return self.decoder.project_frames(features, padding_mask)


def search_ours(decoder, frames, padding_mask, max_len, beam):
    dictionary = Dictionary(extra_special_symbols=[f"t{i}" for i in range(VOCABULARY - 4)])
    generator = SequenceGenerator(
        [BeamSearchView(Speech(decoder))], dictionary, beam_size=beam, max_len_b=max_len, len_penalty=0.0
    )
    sample = {"net_input": {"features": frames, "padding_mask": padding_mask}}
    found = generator.generate(None, sample, prefix_tokens=torch.full((len(frames), 1), TAG))
    return [[hypothesis["tokens"].tolist() for hypothesis in beams] for beams in found]


def let_it_write(theirs, end):
    """Weights that are random, but write texts of several words and end them: ``end`` is how gladly."""
    decoder = theirs.model.decoder
    for module in decoder.modules():
        if isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
    nn.init.normal_(decoder.embed_positions.weight, std=1.0)
    nn.init.normal_(theirs.model.shared.weight, std=0.3)
    decoder.layer_norm.bias.data.add_(end * theirs.model.shared.weight.data[END])


@pytest.mark.parametrize("seed, end", [(1, 1.0), (4, 1.0), (9, 2.0)])
def test_beam_search_of_transformers(transformers, tmp_path, seed, end):
    theirs = build_theirs(transformers, seed, scale_embedding=False)
    let_it_write(theirs, end)
    ours = build_ours(theirs, tmp_path)
    frames, padding_mask = draw_frames(seed)
    max_len, beam = 24, 5
    expected = search_theirs(transformers, theirs, frames, padding_mask, max_len, beam)
    lengths = [len(hypothesis) for beams in expected for hypothesis in beams]
    assert max(lengths) >= 10 and max(lengths) <= max_len  # the two count the last possible token differently
    assert all(hypothesis[0] == TAG and hypothesis[-1] == END for beams in expected for hypothesis in beams)
    assert search_ours(ours, frames, padding_mask, max_len, beam) == expected


def fairseq_model(**changes):
    sizes = {"decoder_layers": 2, "decoder_attention_heads": 4, "decoder_ffn_embed_dim": 48, "decoder_embed_dim": DIM}
    encoder = {name.replace("decoder", "encoder"): value for name, value in sizes.items()}
    args = argparse.Namespace(**{**sizes, **encoder, "max_source_positions": 40, "max_target_positions": 40, **changes})
    mbart_base_architecture(args)
    dictionary = Dictionary(extra_special_symbols=[f"t{i}" for i in range(VOCABULARY - 4)])
    task = SimpleNamespace(source_dictionary=dictionary, target_dictionary=dictionary)
    return args, randomise(BARTModel.build_model(args, task), 0)


def test_logits_of_the_hosts_mbart():
    args, theirs = fairseq_model(encoder_normalize_before=True, decoder_normalize_before=True, activation_fn="relu")
    config, state, left_over = decoder_from_fairseq({"args": args, "model": theirs.state_dict()}, "model.pt")
    ours = MBartDecoder(MBartDecoderConfig.from_dict(config)).eval()
    assert load_strict(ours, state).complete
    assert all(name.startswith("encoder.") for name in left_over)
    frames, padding_mask = draw_frames()
    tokens = draw_tokens()
    encoded = {"encoder_out": [frames.transpose(0, 1)], "encoder_padding_mask": [padding_mask]}
    with torch.no_grad():
        expected, _ = theirs.decoder(tokens, encoded)
        logits = ours.project(ours(tokens, ours.project_frames(frames, padding_mask)))
    # behind the end of a text the host counts positions otherwise
    written = tokens != PAD
    torch.testing.assert_close(logits[written], expected[written], rtol=0, atol=1e-5)
