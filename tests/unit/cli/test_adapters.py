"""`fairseq-samu adapters`: extract, merge, info; what was merged is what was taken apart."""

import json

import pytest
import torch

import fairseq_samu
from fairseq_samu.cli.main import main
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.inference.translator_building import probe_translator
from tests.unit.checkpoints.test_mbart import write_official
from tests.unit.tiny_sentencepiece import TEXTS
from tests.unit.tiny_translator import DECODER, ENCODER, make_translator


@pytest.fixture
def trained(tmp_path):
    made = make_translator(tmp_path)
    made.save(tmp_path / "base.pt")
    made.train()
    made.save(tmp_path / "trained.pt")
    return made


def extract(tmp_path):
    path = tmp_path / "tuned.safetensors"
    assert main(["adapters", "extract", str(tmp_path / "trained.pt"), "--output", str(path)]) == 0
    return path


def test_extract_merge_and_decode_by_the_host(trained, tmp_path, capsys):
    from fairseq.checkpoint_utils import load_model_ensemble_and_task

    fairseq_samu.register()
    path = extract(tmp_path)
    assert "tuned parameters" in capsys.readouterr().err
    assert path.stat().st_size < 0.6 * (tmp_path / "trained.pt").stat().st_size
    merged = tmp_path / "merged.pt"
    assert main(["adapters", "merge", str(path), "--base", str(tmp_path / "base.pt"), "--output", str(merged)]) == 0
    models, _, task = load_model_ensemble_and_task([str(merged)])
    assert task.vocabulary.fingerprint == trained.vocabulary.fingerprint
    for name, tensor in trained.model.state_dict().items():
        assert torch.equal(models[0].state_dict()[name], tensor), name
    for name, tensor in probe_translator(trained.model).items():
        torch.testing.assert_close(probe_translator(models[0])[name], tensor)


def test_info(trained, tmp_path, capsys):
    path = extract(tmp_path)
    capsys.readouterr()
    assert main(["adapters", "info", str(path)]) == 0
    told = json.loads(capsys.readouterr().out)
    sizes = {name: sum(p.numel() for p in group) for name, group in trained.model.parameter_groups().items()}
    tuned = {name: sizes[name] for name in ("encoder_adapters", "cross_attention", "layer_norms")}
    total = sum(tuned.values())
    assert told["parameters"] == {**tuned, "total": total}
    assert told["base_parameters"] + total == sum(sizes.values())
    assert told["share"] == round(100 * total / sum(sizes.values()), 2)
    assert told["vocabulary_size"] == len(trained.vocabulary) and told["languages"] == trained.vocabulary.languages
    assert told["config"]["adapter_dim"] == 8 and told["kind"] == "tuned parameters"
    assert main(["adapters", "info", str(path), "--json", str(tmp_path / "info.json")]) == 0
    assert json.loads((tmp_path / "info.json").read_text()) == told
    capsys.readouterr()
    assert main(["convert", "--info", str(path)]) == 0
    assert json.loads(capsys.readouterr().out) == told


def test_pretrained_files_are_a_base(tmp_path):
    """A model with an added language and a trimmed vocabulary finds its rows in the files that it began from."""
    base = make_translator(tmp_path)
    write_official(tmp_path / "mbart", base.model.decoder, base.vocabulary, base.sentencepiece)
    mbart = torch.load(tmp_path / "mbart" / "model.pt", weights_only=False)
    mbart["args"].activation_fn = "gelu"
    torch.save(mbart, tmp_path / "mbart" / "model.pt")
    speech = {"cfg": {"model": {"encoder_config": json.dumps(ENCODER)}}, "model": base.model.state_dict()}
    torch.save(speech, tmp_path / "encoder.pt")

    vocabulary = Vocabulary.from_sentencepiece(base.sentencepiece)
    new, relative = vocabulary.add_language("be", like="ru")
    kept = vocabulary.kept_ids([(TEXTS[0], "en")], ["be"])
    rows = torch.where(kept == new, relative, kept)
    vocabulary.trim(kept)
    sizes = json.dumps({**DECODER, "num_added_tags": 1})
    groups = "encoder_adapters,cross_attention,layer_norms,added_tags"
    trained = make_translator(tmp_path, vocabulary, decoder_config=sizes, tuned_groups=groups)
    state = {**base.model.state_dict(), "decoder.added_tags": torch.zeros(1, 32)}
    state["decoder.embed_tokens.weight"] = state["decoder.embed_tokens.weight"][rows]
    trained.model.load_state_dict(state)
    trained.train()
    trained.save(tmp_path / "trained.pt", added_languages="be=ru")

    merged = tmp_path / "merged.pt"
    command = ["adapters", "merge", str(extract(tmp_path)), "--output", str(merged)]
    assert (
        main([*command, "--base-encoder", str(tmp_path / "encoder.pt"), "--base-decoder", str(tmp_path / "mbart")]) == 0
    )
    for name, tensor in torch.load(merged, weights_only=True)["model"].items():
        assert torch.equal(trained.model.state_dict()[name], tensor), name


def test_another_base_is_refused_and_nothing_is_written(trained, tmp_path, capsys):
    path = extract(tmp_path)
    with torch.no_grad():
        trained.model.encoder.state_dict()["feature_extractor.conv_layers.0.0.weight"].mul_(1.01)
    other = trained.save(tmp_path / "other.pt")
    before = sorted(item.name for item in tmp_path.iterdir())
    output = tmp_path / "merged.pt"
    capsys.readouterr()
    assert main(["adapters", "merge", str(path), "--base", str(other), "--output", str(output)]) == 1
    message = capsys.readouterr().err
    assert message.startswith("`base` must be the one that was trained from (fingerprint ") and message.count("\n") == 1
    assert sorted(item.name for item in tmp_path.iterdir()) == before


def test_tuned_parameters_that_were_changed_are_refused(trained, tmp_path, capsys):
    from fairseq_samu.checkpoints.tuned_parameters import read_tuned, write_tuned

    path = extract(tmp_path)
    tuned = read_tuned(path)
    tuned.tuned["decoder.layer_norm.bias"].add_(1.0)
    write_tuned(path, tuned)
    output = tmp_path / "merged.pt"
    assert main(["adapters", "merge", str(path), "--base", str(tmp_path / "base.pt"), "--output", str(output)]) == 1
    assert "merged model: `hidden` must be equal" in capsys.readouterr().err
    assert not output.exists()


def test_a_full_disk_leaves_no_half_file(trained, tmp_path, monkeypatch, capsys):
    def fail(state, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    path = extract(tmp_path)
    monkeypatch.setattr(torch, "save", fail)
    output = tmp_path / "merged.pt"
    assert main(["adapters", "merge", str(path), "--base", str(tmp_path / "base.pt"), "--output", str(output)]) == 1
    assert "No space left" in capsys.readouterr().err
    assert not output.exists() and not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["extract", "a.pt"],
        ["merge", "a.safetensors", "--output", "b.pt"],
        ["merge", "a.safetensors", "--output", "b.pt", "--base", "c.pt", "--base-decoder", "d"],
        ["merge", "a.safetensors", "--base", "c.pt"],
        [],
    ],
)
def test_usage(arguments):
    with pytest.raises(SystemExit) as caught:
        main(["adapters", *arguments])
    assert caught.value.code == 2


def test_missing_and_foreign_files(trained, tmp_path, capsys):
    output = tmp_path / "x.safetensors"
    assert main(["adapters", "extract", str(tmp_path / "none.pt"), "--output", str(output)]) == 1
    assert main(["adapters", "info", str(tmp_path / "base.pt")]) == 1
    assert "a whole safetensors file" in capsys.readouterr().err
    assert not output.exists()
