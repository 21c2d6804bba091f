"""`fairseq-samu convert` of speech translation checkpoints: what is told, and what transformers makes of the parts."""

import json

import pytest
import torch

from fairseq_samu.checkpoints import load_strict, read_mbart, read_speech_encoder
from fairseq_samu.cli.main import main
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.models.mbart_decoder import MBartDecoder, MBartDecoderConfig
from tests.unit.tiny_sentencepiece import TEXTS
from tests.unit.tiny_translator import DECODER, make_translator


def export(tiny, tmp_path, *options):
    path = tiny.save(tmp_path / "trained.pt")
    return main(["convert", str(path), str(tmp_path / "out"), "--to", "huggingface", *options])


def draw_frames(dim=32):
    torch.manual_seed(3)
    padding_mask = torch.arange(9) >= torch.tensor([[9], [6]])
    return torch.randn(2, 9, dim), padding_mask, torch.tensor([[2, 130, 7, 9, 8], [2, 131, 11, 12, 13]])


def decode_by_transformers(folder, frames, padding_mask, tokens):
    transformers = pytest.importorskip("transformers")
    theirs, report = transformers.MBartForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    with torch.no_grad():
        return theirs.eval()(tokens, encoder_hidden_states=frames, encoder_attention_mask=(~padding_mask).long()).logits


def decode(decoder, frames, padding_mask, tokens):
    with torch.no_grad():
        return decoder.eval().project(decoder(tokens, decoder.project_frames(frames, padding_mask)))


def test_info_counts_by_group(tmp_path, capsys):
    tiny = make_translator(tmp_path)
    assert main(["convert", "--info", str(tiny.save(tmp_path / "trained.pt"))]) == 0
    told = json.loads(capsys.readouterr().out)
    sizes = {name: sum(p.numel() for p in group) for name, group in tiny.model.parameter_groups().items()}
    assert told["kind"] == "speech translation checkpoint"
    assert told["parameters"] == {**sizes, "total": sum(p.numel() for p in tiny.model.parameters())}
    tuned = {name: sizes[name] for name in ("encoder_adapters", "cross_attention", "layer_norms")}
    assert told["tuned_parameters"] == {**tuned, "total": sum(tuned.values())}
    assert told["vocabulary"]["size"] == len(tiny.vocabulary)
    assert told["vocabulary"]["languages"] == tiny.vocabulary.languages
    assert told["config"]["adapter_dim"] == 8
    assert len(told["fingerprint"]) == 64


def test_decoder_is_transformers_causal_lm_and_comes_back(tmp_path):
    tiny = make_translator(tmp_path)
    assert export(tiny, tmp_path, "--part", "decoder") == 0
    inputs = draw_frames()
    expected = decode(tiny.model.decoder, *inputs)
    torch.testing.assert_close(decode_by_transformers(tmp_path / "out", *inputs), expected, rtol=0, atol=1e-5)
    loaded = read_mbart(tmp_path / "out")
    again = MBartDecoder(MBartDecoderConfig.from_dict(loaded.config))
    load_strict(again, loaded.state)
    for name, tensor in tiny.model.decoder.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name
    assert Vocabulary.from_tokens(loaded.tokens, loaded.sentencepiece).fingerprint == tiny.vocabulary.fingerprint


def test_transformers_writes_on_with_its_cache(tmp_path):
    """Its generation counts layers and heads by the config: another number would break the cache."""
    transformers = pytest.importorskip("transformers")
    tiny = make_translator(tmp_path, decoder_config=json.dumps({**DECODER, "num_layers": 3}))
    assert export(tiny, tmp_path, "--part", "decoder") == 0
    theirs = transformers.MBartForCausalLM.from_pretrained(tmp_path / "out").eval()
    frames, _, tokens = draw_frames()
    written = tokens[:1, :2]
    for _ in range(5):
        logits = decode(tiny.model.decoder, frames[:1], torch.zeros(1, 9, dtype=torch.bool), written)
        written = torch.cat([written, logits[:, -1:].argmax(-1)], dim=1)
    found = tokens[:1, :2]
    cache = None
    with torch.no_grad():
        for _ in range(5):
            step = found if cache is None else found[:, -1:]
            out = theirs(step, encoder_hidden_states=frames[:1], past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            found = torch.cat([found, out.logits[:, -1:].argmax(-1)], dim=1)
    assert found.tolist() == written.tolist()


def test_both_parts_of_a_model_without_adapters(tmp_path, capsys):
    transformers = pytest.importorskip("transformers")
    sizes = json.dumps({**DECODER, "dim": 24})
    tiny = make_translator(tmp_path, adapter_dim=0, decoder_config=sizes, tuned_groups="decoder,bridge")
    assert export(tiny, tmp_path) == 0
    assert "left out, because no class of transformers has them: bridge" in capsys.readouterr().err
    out = tmp_path / "out"
    assert sorted(item.name for item in out.iterdir()) == ["decoder", "encoder"]
    assert transformers.Wav2Vec2Model.from_pretrained(out / "encoder").config.hidden_size == 32
    inputs = draw_frames(24)
    expected = decode(tiny.model.decoder, *inputs)
    torch.testing.assert_close(decode_by_transformers(out / "decoder", *inputs), expected, rtol=0, atol=1e-5)
    state = read_speech_encoder(out / "encoder").state
    for name, tensor in tiny.model.encoder.state_dict().items():
        torch.testing.assert_close(state[name], tensor)
    text = "".join(file.read_text(encoding="utf-8") for file in out.glob("*/*.json"))
    assert "/nowhere" not in text


@pytest.mark.parametrize("names", ["", "be,ro"])
@pytest.mark.parametrize(
    ("part", "other", "sizes"),
    [
        ("encoder", "decoder", {"adapter_dim": 8}),
        ("decoder", "encoder", {"adapter_dim": 0, "decoder_adapter_dim": 8}),
    ],
)
def test_adapters_cannot_be_exported(tmp_path, capsys, part, other, sizes, names):
    tiny = make_translator(tmp_path, **sizes, adapter_names=names)
    for options in ((), ("--part", part)):
        assert export(tiny, tmp_path, *options) == 1
        message = capsys.readouterr().err
        assert f"`{part}` must be without adapters" in message and f"--part {other}" in message
        assert message.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_encoder_alone(tmp_path):
    tiny = make_translator(tmp_path, adapter_dim=0, tuned_groups="decoder")
    assert export(tiny, tmp_path, "--part", "encoder") == 0
    assert read_speech_encoder(tmp_path / "out").config["dim"] == 32


def test_trimmed_vocabulary_and_added_language_go_along(tmp_path):
    vocabulary = Vocabulary.from_sentencepiece(make_translator(tmp_path).sentencepiece)
    vocabulary.add_language("be", like="ru")
    vocabulary.trim(vocabulary.kept_ids([(TEXTS[0], "en")], ["be"]))
    sizes = json.dumps({**DECODER, "num_added_tags": 1})
    tiny = make_translator(tmp_path, vocabulary, decoder_config=sizes)
    with torch.no_grad():
        tiny.model.decoder.added_tags.normal_()
    assert export(tiny, tmp_path, "--part", "decoder") == 0
    loaded = read_mbart(tmp_path / "out")
    again = Vocabulary.from_tokens(loaded.tokens, loaded.sentencepiece)
    assert again.tokens == vocabulary.tokens and again.languages == ["en", "be"]
    assert again.encode("fish under", "be").tolist() == vocabulary.encode("fish under", "be").tolist()
    frames, padding_mask, tokens = draw_frames()
    tokens = tokens.clamp(max=10)
    tokens[:, 1] = vocabulary.tag("be")
    expected = decode(tiny.model.decoder, frames, padding_mask, tokens)[..., :-1]  # but for the tag itself
    found = decode_by_transformers(tmp_path / "out", frames, padding_mask, tokens)[..., :-1]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_parts_that_are_not_there(tmp_path, capsys):
    groups = "ctc_head,encoder"
    tiny = make_translator(tmp_path, without_decoder=True, ctc_head=True, adapter_dim=0, tuned_groups=groups)
    assert export(tiny, tmp_path, "--part", "decoder") == 1
    assert "one with a decoder" in capsys.readouterr().err
    assert export(tiny, tmp_path, "--part", "encoder") == 0
    assert (
        main(["convert", str(tmp_path / "out"), str(tmp_path / "o"), "--to", "huggingface", "--part", "decoder"]) == 1
    )
    assert "`decoder` must be in a speech translation checkpoint" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["convert", "--info", "a.pt", "--part", "decoder"])
