import pytest
import torch

from fairseq_samu.checkpoints import load_strict, read_speech_encoder
from fairseq_samu.checkpoints.fairseq_files import parse_conv_layers
from fairseq_samu.errors import CheckpointError
from fairseq_samu.models.speech_encoders import build_speech_encoder


def rebuild(path):
    loaded = read_speech_encoder(path)
    encoder = build_speech_encoder(loaded.config).eval()
    return encoder, load_strict(encoder, loaded.state, where=str(path), left_over=loaded.left_over), loaded


@pytest.mark.parametrize("name", ["xlsr", "hubert"])
@pytest.mark.parametrize("era", ["args", "cfg"])
def test_official_files_give_their_encoder_and_list_their_heads(official_file, name, era):
    path, original, heads = official_file(name, era)
    encoder, report, loaded = rebuild(path)
    assert loaded.source == "fairseq file"
    assert sorted(report.left_over) == sorted(heads)
    assert encoder.config() == original.config()
    wave = torch.randn(1, 4000)
    assert torch.equal(encoder(wave).frames, original(wave).frames)


@pytest.mark.parametrize("prefix", ["w2v_encoder.w2v_model.", "encoder.model.", "module.student."])
def test_an_encoder_is_found_inside_a_larger_model(official_file, prefix):
    path, original, _ = official_file("xlsr", prefix=prefix)
    content = torch.load(path, weights_only=True)
    content["model"].update({"pooling.attention.weight": torch.ones(1, 32), "proj.bias": torch.ones(4)})
    # A fine-tuned model keeps the settings of the one that it started from in its own.
    content["cfg"]["model"] = {"_name": "fork", "normalize": True, "w2v_args": {"model": content["cfg"]["model"]}}
    torch.save(content, path)
    encoder, report, _ = rebuild(path)
    assert {"pooling.attention.weight", "proj.bias"} < set(report.left_over)
    assert encoder.config() == original.config()


def test_a_file_that_says_nothing_is_read_by_its_weights(official_file):
    path, original, _ = official_file("xlsr")
    content = torch.load(path, weights_only=True)
    state = {name: tensor for name, tensor in content["model"].items() if not name.startswith(("quant", "proj", "fin"))}
    torch.save(state, path)
    with pytest.raises(CheckpointError, match="does not say the heads"):
        read_speech_encoder(path)
    content["cfg"] = {"model": {"encoder_attention_heads": 4, "extractor_mode": "layer_norm"}}
    torch.save(content, path)
    assert rebuild(path)[0].config() == original.config()


def test_parts_of_a_fork_beside_the_encoder_are_left_over_but_what_feeds_it_is_not(official_file):
    path, original, heads = official_file("xlsr")
    content = torch.load(path, weights_only=True)
    content["model"]["attentive_pooling.weight"] = torch.ones(1, 32)
    torch.save(content, path)
    encoder, report, _ = rebuild(path)
    assert sorted(report.left_over) == sorted([*heads, "attentive_pooling.weight"])
    assert encoder.config() == original.config()
    content["model"]["project_inp.weight"] = torch.ones(1)
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"project_inp\.weight"):
        rebuild(path)


def test_names_of_newer_weight_norm_are_read(official_file):
    path, original, _ = official_file("xlsr")
    content = torch.load(path, weights_only=True)
    for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
        tensor = content["model"].pop(f"encoder.pos_conv.0.{old}")
        content["model"][f"encoder.pos_conv.0.parametrizations.weight.{new}"] = tensor
    torch.save(content, path)
    encoder, _, _ = rebuild(path)
    assert torch.equal(encoder.encoder.pos_conv[0].weight_v, original.encoder.pos_conv[0].weight_v)


def test_what_is_unknown_or_missing_is_told_by_name(official_file):
    path, _, _ = official_file("hubert")
    content = torch.load(path, weights_only=True)
    content["model"]["encoder.layers.1.extra.weight"] = torch.ones(1)
    del content["model"]["encoder.layers.0.fc2.bias"]
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"encoder\.layers\.0\.fc2\.bias[\s\S]*encoder\.layers\.1\.extra\.weight"):
        rebuild(path)


def test_another_kind_of_model_is_refused(tmp_path):
    torch.save({"model": {"decoder.weight": torch.ones(1)}, "args": None}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=r"must be one of the wav2vec 2\.0 family"):
        read_speech_encoder(tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="whisper-base or the path"):
        read_speech_encoder(tmp_path / "absent.pt")


def test_convolutions_are_read_without_running_them():
    assert parse_conv_layers("[(512, 10, 5)] + [(512, 3, 2)] * 2") == [[512, 10, 5], [512, 3, 2], [512, 3, 2]]
    bad = ["__import__('os').getcwd()", "[(1, 2)]", "[(1, 2, 3)] * 10 ** 9", "5", "[", "[(1, 2, 'x')]", "(" * 500]
    for expression in bad:
        with pytest.raises(CheckpointError, match="conv_feature_layers"):
            parse_conv_layers(expression)
