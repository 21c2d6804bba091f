import json

import pytest
import torch
from torch import nn

from fairseq_samu.checkpoints import load_strict, read_speech_encoder
from fairseq_samu.errors import CheckpointError
from fairseq_samu.models.speech_encoders import build_speech_encoder

transformers = pytest.importorskip("transformers")

WAV2VEC2 = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 12,
}
WHISPER = {
    "d_model": 32,
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_layers": 1,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 48,
    "vocab_size": 60,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 3,
}


def randomise(model):
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if "embed_positions" not in name:
            nn.init.normal_(parameter, std=0.2)
    return model.eval()


def rebuild(folder, **changes):
    loaded = read_speech_encoder(folder)
    encoder = build_speech_encoder({**loaded.config, **changes}).eval()
    return encoder, load_strict(encoder, loaded.state, where=str(folder), left_over=loaded.left_over)


@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("stable", [False, True])
@pytest.mark.parametrize("kind", ["Wav2Vec2", "Hubert"])
def test_wav2vec2_family_gives_the_frames_of_transformers(tmp_path, kind, norm, stable):
    config = getattr(transformers, f"{kind}Config")(
        **WAV2VEC2, feat_extract_norm=norm, do_stable_layer_norm=stable, conv_bias=norm == "layer"
    )
    theirs = randomise(getattr(transformers, f"{kind}Model")(config))
    theirs.save_pretrained(tmp_path)
    encoder, report = rebuild(tmp_path, normalize=False)
    assert not report.left_over
    wave = torch.randn(2, 16_001) * 0.3
    with torch.no_grad():
        assert (encoder(wave).frames - theirs(wave).last_hidden_state).abs().max() < 1e-5


def test_a_padded_batch_of_the_layer_norm_variant_equals_transformers(tmp_path):
    """The group-norm variant of transformers is wrong for padded batches, so only single rows are compared there."""
    config = transformers.Wav2Vec2Config(
        **WAV2VEC2, feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True
    )
    theirs = randomise(transformers.Wav2Vec2Model(config))
    theirs.save_pretrained(tmp_path)
    extractor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True, do_normalize=True)
    extractor.save_pretrained(tmp_path)
    encoder, _ = rebuild(tmp_path)
    assert encoder.config()["normalize"]
    waves = [torch.randn(9_000).numpy(), torch.randn(5_000).numpy() * 3 + 1]
    inputs = extractor(waves, sampling_rate=16_000, padding=True, return_tensors="pt")
    source = nn.utils.rnn.pad_sequence([torch.from_numpy(wave) for wave in waves], batch_first=True)
    with torch.no_grad():
        expected = theirs(**inputs).last_hidden_state
        ours = encoder(source, ~inputs.attention_mask.bool())
    valid = ~ours.padding_mask
    # They normalise with 1e-7 under the root, the host and this package with 1e-5.
    assert (ours.frames - expected)[valid].abs().max() < 1e-4


@pytest.mark.parametrize("shape", ["safetensors", "sharded", "bin", "sharded bin"])
@pytest.mark.parametrize("name", ["Wav2Vec2ForPreTraining", "Wav2Vec2ForCTC", "WhisperForConditionalGeneration"])
def test_every_layout_and_head_is_read(tmp_path, name, shape):
    whisper = name.startswith("Whisper")
    config = transformers.WhisperConfig(**WHISPER) if whisper else transformers.Wav2Vec2Config(**WAV2VEC2)
    model = randomise(getattr(transformers, name)(config))
    base = model.model.encoder if whisper else model.wav2vec2
    model.save_pretrained(tmp_path, max_shard_size="100KB" if "sharded" in shape else "1GB")
    if "bin" in shape:
        rewrite_as_bin(tmp_path)
    encoder, report = rebuild(tmp_path)
    assert report.left_over
    heads = ("model.decoder.", "proj_out", "lm_head", "quantizer", "project_")
    assert all(key.startswith(heads) for key in report.left_over)
    expected = base.layers[0].fc1.weight if whisper else base.encoder.layers[0].feed_forward.intermediate_dense.weight
    assert torch.equal(encoder.transformer_layers()[0].fc1.weight, expected)


def rewrite_as_bin(folder):
    """Write the directory as older versions of transformers did."""
    from safetensors.torch import load_file

    for path in folder.glob("*.safetensors"):
        name = path.stem.replace("model", "pytorch_model") + ".bin"
        torch.save(load_file(path), folder / name)
        path.unlink()
    for path in folder.glob("*.index.json"):
        index = json.loads(path.read_text().replace(".safetensors", ".bin").replace("model-", "pytorch_model-"))
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
        path.unlink()


def test_older_names_of_weight_norm_are_read(tmp_path):
    model = randomise(transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**WAV2VEC2)))
    model.save_pretrained(tmp_path)
    state = dict(model.state_dict())
    for new, old in (("original0", "weight_g"), ("original1", "weight_v")):
        place = "encoder.pos_conv_embed.conv."
        state[place + old] = state.pop(f"{place}parametrizations.weight.{new}")
    del state["masked_spec_embed"]  # as in a model that was saved without masking
    (tmp_path / "model.safetensors").unlink()
    torch.save(state, tmp_path / "pytorch_model.bin")
    encoder, _ = rebuild(tmp_path)
    wave = torch.randn(1, 4_000)
    with torch.no_grad():
        assert (encoder(wave).frames - model(wave).last_hidden_state).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bert"}, "`model_type` must be wav2vec2, hubert or whisper"),
        ({"add_adapter": True}, "`add_adapter` must be False"),
        ({"hidden_size": None}, "hidden_size"),
    ],
)
def test_other_models_are_refused(tmp_path, changes, message):
    config = {"model_type": "wav2vec2", **WAV2VEC2, **changes}
    (tmp_path / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    with pytest.raises(CheckpointError, match=message):
        read_speech_encoder(tmp_path)


def test_a_directory_without_weights_or_config_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match=r"config\.json"):
        read_speech_encoder(tmp_path)
    transformers.Wav2Vec2Config(**WAV2VEC2).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"model\.safetensors or pytorch_model\.bin"):
        read_speech_encoder(tmp_path)


def test_an_index_cannot_point_out_of_its_directory(tmp_path):
    inside = tmp_path / "inside"
    transformers.Wav2Vec2Config(**WAV2VEC2).save_pretrained(inside)
    torch.save({}, tmp_path / "secret.bin")
    index = {"weight_map": {"a": "../secret.bin"}}
    (inside / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"inside/secret\.bin"):
        read_speech_encoder(inside)
