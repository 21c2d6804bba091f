"""Reading of mBART decoders: fairseq's folders, official and home-made, and Hugging Face directories."""

import argparse
import json

import pytest
import torch

from fairseq_samu.checkpoints import load_strict, read_mbart
from fairseq_samu.data.language_codes import MBART50_CODES
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import CheckpointError
from fairseq_samu.models.mbart_decoder import MBartDecoder, MBartDecoderConfig
from tests.unit.tiny_sentencepiece import train_model

SIZES = {"dim": 16, "ffn_dim": 24, "num_layers": 2, "num_heads": 4, "max_positions": 32, "activation": "relu"}
FAIRSEQ_SETTINGS = {
    "decoder_attention_heads": 4,
    "activation_fn": "relu",
    "no_scale_embedding": False,
    "decoder_normalize_before": True,
    "decoder_learned_pos": True,
}
HUGGINGFACE_SETTINGS = {
    "model_type": "mbart",
    "d_model": 16,
    "decoder_ffn_dim": 24,
    "decoder_layers": 2,
    "decoder_attention_heads": 4,
    "max_position_embeddings": 32,
    "activation_function": "relu",
    "scale_embedding": True,
}


@pytest.fixture(scope="module")
def sentencepiece(tmp_path_factory):
    return train_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def vocabulary(sentencepiece):
    return Vocabulary.from_sentencepiece(sentencepiece)


@pytest.fixture
def decoder(vocabulary):
    torch.manual_seed(0)
    return MBartDecoder(MBartDecoderConfig(len(vocabulary), **SIZES))


def fairseq_state(decoder):
    weights = {f"decoder.{name}": tensor for name, tensor in decoder.state_dict().items()}
    embedding = decoder.embed_tokens.weight.detach()
    encoder = {"encoder.version": torch.tensor([3.0]), "encoder.embed_tokens.weight": embedding}
    return {**encoder, "decoder.version": torch.tensor([3.0]), **weights, "decoder.output_projection.weight": embedding}


def write_official(folder, decoder, vocabulary, sentencepiece, languages=("ar_AR", "cs_CZ", "en_XX")):
    """The published folder: dictionaries of pieces alone, one a language, and an `args` of the old kind."""
    folder.mkdir(exist_ok=True)
    args = argparse.Namespace(arch="mbart_large", data="/nowhere/at/all", **FAIRSEQ_SETTINGS)
    torch.save({"args": args, "model": fairseq_state(decoder), "extra_state": {"epoch": 1}}, folder / "model.pt")
    lines = "".join(f"{token} 1\n" for token in vocabulary.tokens[4:-53])
    for code in languages:
        (folder / f"dict.{code}.txt").write_text(lines, encoding="utf-8")
    (folder / "ML50_langs.txt").write_text("\n".join(MBART50_CODES), encoding="utf-8")
    (folder / "sentence.bpe.model").write_bytes(sentencepiece.read_bytes())
    return folder


def write_huggingface(folder, state, sentencepiece, **settings):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**HUGGINGFACE_SETTINGS, **settings}))
    torch.save(state, folder / "pytorch_model.bin")
    (folder / "sentencepiece.bpe.model").write_bytes(sentencepiece.read_bytes())
    return folder


def assert_read_back(loaded, decoder, vocabulary):
    assert loaded.config == {"vocabulary_size": len(vocabulary), "scale_embedding": True, **SIZES}
    assert loaded.tokens == vocabulary.tokens
    rebuilt = MBartDecoder(MBartDecoderConfig.from_dict(loaded.config))
    assert load_strict(rebuilt, loaded.state).complete
    for name, tensor in decoder.state_dict().items():
        assert torch.equal(rebuilt.state_dict()[name], tensor), name
    assert Vocabulary.from_tokens(loaded.tokens, loaded.sentencepiece).fingerprint == vocabulary.fingerprint


def test_official_folder(tmp_path, decoder, vocabulary, sentencepiece):
    folder = write_official(tmp_path, decoder, vocabulary, sentencepiece)
    loaded = read_mbart(folder)
    assert_read_back(loaded, decoder, vocabulary)
    assert loaded.source == "fairseq folder"
    assert loaded.left_over == ["encoder.version", "encoder.embed_tokens.weight"]
    assert read_mbart(folder / "model.pt").tokens == loaded.tokens


def test_official_folder_without_list_of_languages(tmp_path, decoder, vocabulary, sentencepiece):
    folder = write_official(tmp_path, decoder, vocabulary, sentencepiece)
    (folder / "ML50_langs.txt").unlink()
    assert read_mbart(folder).tokens == vocabulary.tokens


def test_languages_of_the_folder_in_its_order(tmp_path, decoder, vocabulary, sentencepiece):
    folder = write_official(tmp_path, decoder, vocabulary, sentencepiece)
    (folder / "ML50_langs.txt").write_text("\n".join(reversed(MBART50_CODES)) + "\n")
    assert read_mbart(folder).tokens[-53:-51] == ["[sl_SI]", "[gl_ES]"]


@pytest.mark.parametrize("era", ["args", "cfg"])
def test_folder_of_a_stock_training(tmp_path, vocabulary, sentencepiece, era):
    tokens = [*vocabulary.tokens[:-53], "[cs_CZ]", "[en_XX]", "<mask>", "madeupword0000"]
    decoder = MBartDecoder(MBartDecoderConfig(len(tokens), **SIZES))
    settings = argparse.Namespace(**FAIRSEQ_SETTINGS)
    config = {"args": settings} if era == "args" else {"args": None, "cfg": {"model": settings, "task": {}}}
    torch.save({**config, "model": fairseq_state(decoder)}, tmp_path / "checkpoint_best.pt")
    (tmp_path / "dict.txt").write_text(
        "".join(f"{token} {n}\n" for n, token in enumerate(tokens[4:])), encoding="utf-8"
    )
    (tmp_path / "sentencepiece.model").write_bytes(sentencepiece.read_bytes())
    expected = Vocabulary.from_tokens(tokens, sentencepiece.read_bytes())
    assert_read_back(read_mbart(tmp_path), decoder, expected)
    assert expected.languages == ["cs", "en"]


@pytest.mark.parametrize("kind", ["MBartForConditionalGeneration", "MBartForCausalLM", "MBartModel"])
@pytest.mark.parametrize("layout", ["safetensors", "bin", "sharded"])
def test_directories_of_transformers(tmp_path, vocabulary, sentencepiece, kind, layout):
    transformers = pytest.importorskip("transformers")
    config = transformers.MBartConfig(
        vocab_size=len(vocabulary),
        encoder_layers=1,
        encoder_ffn_dim=8,
        encoder_attention_heads=2,
        **HUGGINGFACE_SETTINGS,
    )
    theirs = getattr(transformers, kind)(config)
    if layout == "bin":
        config.save_pretrained(tmp_path)
        torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")
    else:
        theirs.save_pretrained(tmp_path, **({"max_shard_size": "6KB"} if layout == "sharded" else {}))
        assert (tmp_path / "model.safetensors.index.json").is_file() == (layout == "sharded")
    (tmp_path / "sentencepiece.bpe.model").write_bytes(sentencepiece.read_bytes())
    loaded = read_mbart(tmp_path)
    reference = MBartDecoder(MBartDecoderConfig(len(vocabulary), **SIZES))
    inner = theirs.get_decoder()
    load_strict(reference, inner.state_dict())
    assert_read_back(loaded, reference, vocabulary)
    assert loaded.source == "Hugging Face directory"
    assert all(".encoder." in f".{name}" for name in loaded.left_over)
    assert bool(loaded.left_over) == (kind != "MBartForCausalLM")


def test_dictionary_that_does_not_fit(tmp_path, decoder, vocabulary, sentencepiece):
    folder = write_official(tmp_path, decoder, vocabulary, sentencepiece, ["en_XX"])
    path = folder / "dict.en_XX.txt"
    path.write_text(path.read_text(encoding="utf-8") + "more 1\n", encoding="utf-8")
    size = len(vocabulary)
    with pytest.raises(CheckpointError, match=rf"`dictionary` must be one of {size} tokens.*is '{size - 52} \(dict.en"):
        read_mbart(folder)


def test_sentencepiece_model_that_does_not_fit(tmp_path, decoder, vocabulary, sentencepiece):
    state = {f"model.decoder.{name}": tensor for name, tensor in decoder.state_dict().items()}
    folder = write_huggingface(tmp_path, state, sentencepiece)
    (folder / "sentencepiece.bpe.model").write_bytes(train_model(tmp_path, vocab_size=110).read_bytes())
    size = len(vocabulary)
    with pytest.raises(CheckpointError, match=rf"one of {size} tokens.*is '{size - 63} \(SentencePiece model"):
        read_mbart(folder)
    (folder / "sentencepiece.bpe.model").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="whole SentencePiece model"):
        read_mbart(folder)


def test_dictionary_and_pieces_of_two_models(tmp_path, decoder, vocabulary, sentencepiece):
    folder = write_official(tmp_path, decoder, vocabulary, sentencepiece, ["en_XX"])
    path = folder / "dict.en_XX.txt"
    path.write_text("".join(f"word{number} 1\n" for number in range(117)))
    with pytest.raises(CheckpointError, match=r"must be of the pieces of the SentencePiece model.*0 are pieces"):
        read_mbart(folder)


def test_unequal_dictionaries(tmp_path, decoder, vocabulary, sentencepiece):
    folder = write_official(tmp_path, decoder, vocabulary, sentencepiece)
    (folder / "dict.en_XX.txt").write_text("other 1\n")
    with pytest.raises(CheckpointError, match=r"dict\.en_XX\.txt: `dictionary` must be equal to dict\.ar_AR\.txt"):
        read_mbart(folder)
    (folder / "dict.ar_AR.txt").replace(folder / "dict.txt")
    assert read_mbart(folder).tokens == vocabulary.tokens


@pytest.mark.parametrize("line, fault", [("a b c\n", "a token and its count"), ("▁ 1\n▁ 1\n", "listed once")])
def test_damaged_dictionary(tmp_path, decoder, vocabulary, sentencepiece, line, fault):
    folder = write_official(tmp_path, decoder, vocabulary, sentencepiece)
    (folder / "dict.txt").write_text(line, encoding="utf-8")
    with pytest.raises(CheckpointError, match=fault):
        read_mbart(folder)


def test_missing_files(tmp_path, decoder, vocabulary, sentencepiece):
    with pytest.raises(CheckpointError, match=r"a folder with model\.pt"):
        read_mbart(tmp_path / "nowhere")
    folder = write_official(tmp_path, decoder, vocabulary, sentencepiece)
    (folder / "sentence.bpe.model").unlink()
    with pytest.raises(CheckpointError, match=r"SentencePiece model` must be there \(sentence\.bpe\.model or"):
        read_mbart(folder)


def break_tie(state):
    state["decoder.output_projection.weight"] = state["decoder.output_projection.weight"] + 1


def take_positions(state):
    del state["decoder.embed_positions.weight"]


def take_last_norm(state):
    del state["decoder.layer_norm.weight"]


def take_decoder(state):
    del state["decoder.embed_tokens.weight"]


@pytest.mark.parametrize(
    "change, fault",
    [
        (break_tie, "tied to the embedding"),
        (take_positions, "without embed_positions.weight"),
        (take_last_norm, "without layer_norm.weight"),
        (take_decoder, "one with a text decoder"),
    ],
)
def test_decoders_that_are_built_otherwise(tmp_path, decoder, vocabulary, sentencepiece, change, fault):
    folder = write_official(tmp_path, decoder, vocabulary, sentencepiece)
    state = fairseq_state(decoder)
    change(state)
    torch.save({"args": argparse.Namespace(**FAIRSEQ_SETTINGS), "model": state}, folder / "model.pt")
    with pytest.raises(CheckpointError, match=fault):
        read_mbart(folder)


@pytest.mark.parametrize(
    "settings, fault",
    [
        ({"decoder_attention_heads": 3}, "a divisor of 16"),
        ({"activation_fn": "swish"}, "gelu or relu"),
        ({"decoder_normalize_before": False}, "decoder_normalize_before` must be true"),
    ],
)
def test_settings_that_the_decoder_lacks(tmp_path, decoder, vocabulary, sentencepiece, settings, fault):
    folder = write_official(tmp_path, decoder, vocabulary, sentencepiece)
    args = argparse.Namespace(**{**FAIRSEQ_SETTINGS, **settings})
    torch.save({"args": args, "model": fairseq_state(decoder)}, folder / "model.pt")
    with pytest.raises(CheckpointError, match=fault):
        read_mbart(folder)


@pytest.mark.parametrize(
    "settings, tensors, fault",
    [
        ({"model_type": "bart"}, {}, "model_type` must be mbart"),
        ({"d_model": 32}, {}, "d_model` must be 16, as the weights are"),
        ({"decoder_layers": 3}, {}, "decoder_layers` must be 2"),
        ({"tie_word_embeddings": False}, {}, "tie_word_embeddings` must be true"),
        ({}, {"lm_head.weight": torch.ones(173, 16)}, "tied to the embedding"),
        ({}, {"final_logits_bias": torch.full((1, 173), 0.5)}, "final_logits_bias` must be zero"),
    ],
)
def test_directories_of_other_models(tmp_path, decoder, sentencepiece, settings, tensors, fault):
    state = {f"model.decoder.{name}": tensor for name, tensor in decoder.state_dict().items()}
    folder = write_huggingface(tmp_path, {**state, **tensors}, sentencepiece, **settings)
    with pytest.raises(CheckpointError, match=fault):
        read_mbart(folder)


def test_weights_of_other_sizes_are_one_clear_error(tmp_path, decoder, vocabulary, sentencepiece):
    folder = write_official(tmp_path, decoder, vocabulary, sentencepiece)
    bigger = MBartDecoder(MBartDecoderConfig(len(vocabulary), **{**SIZES, "ffn_dim": 32}))
    with pytest.raises(CheckpointError, match=r"layers\.0\.fc1\.weight \(24, 16\) instead of \(32, 16\)"):
        load_strict(bigger, read_mbart(folder).state, where=str(folder))


def test_code_in_the_file_is_not_run(tmp_path, decoder, vocabulary, sentencepiece):
    folder = write_official(tmp_path, decoder, vocabulary, sentencepiece)
    torch.save({"args": print, "model": fairseq_state(decoder)}, folder / "model.pt")
    with pytest.raises(CheckpointError, match="Nothing was run"):
        read_mbart(folder)
