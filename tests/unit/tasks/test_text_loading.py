"""The text side of a run of multitask_st: from pieces, or from a checkpoint, with what stands between it and speech."""

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

pytest.importorskip("fairseq", reason="the task stands on the host")
pytest.importorskip("sentencepiece", reason="the texts are pieces")

from fairseq_samu.checkpoints.text_parts import read_text_parts
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import CheckpointError, ConfigError
from fairseq_samu.tasks._multitask_st_config import MultitaskStConfig
from fairseq_samu.tasks._text_loading import read_text_side
from tests.unit.models.test_multitask_st import TEXT, build
from tests.unit.tiny_sentencepiece import train_model


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    return Vocabulary.from_sentencepiece(train_model(tmp_path_factory.mktemp("pieces")), ["en", "fr"])


def save(path: Path, model: Any, vocabulary: Vocabulary, text: Any = TEXT) -> Path:
    model_cfg = {"text_config": text if text is None else json.dumps(text), "l2g_kernel": 3}
    state = {"cfg": {"model": model_cfg}, "model": model.state_dict()}
    torch.save({**state, "task_state": {"vocabulary": vocabulary.state_dict()}}, path)
    return path


def settings(path: Path | str = "", text_config: str = "{}") -> SimpleNamespace:
    return SimpleNamespace(text_path=str(path), text_config=text_config)


def changed(model: Any) -> Any:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    return model


def test_a_translator_of_texts_starts_a_model_with_speech(tmp_path: Path, vocabulary: Vocabulary) -> None:
    size = len(vocabulary)
    texts = changed(build(vocabulary_size=size, without_speech=True))
    cfg = settings(save(tmp_path / "mt.pt", texts, vocabulary))
    side = read_text_side(MultitaskStConfig(), cfg)
    side.configure(cfg)
    assert side.vocabulary.fingerprint == vocabulary.fingerprint
    assert {name: json.loads(cfg.text_config)[name] for name in TEXT} == TEXT
    model = build(vocabulary_size=size)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    side.load_into(model, cfg)
    for name, value in model.state_dict().items():
        taken = name.startswith(("text_encoder.", "decoder."))
        assert value.equal(texts.state_dict()[name] if taken else before[name]), name


def test_projection_and_compressor_come_with_a_model_of_speech(tmp_path: Path, vocabulary: Vocabulary) -> None:
    old = changed(build(vocabulary_size=len(vocabulary)))
    old.set_num_updates(70)
    cfg = settings(save(tmp_path / "joint.pt", old, vocabulary))
    model = build(vocabulary_size=len(vocabulary), compressor_start_update=5)
    read_text_side(MultitaskStConfig(), cfg).load_into(model, cfg)
    for name, value in old.state_dict().items():
        if name.startswith(("projection.", "compressor.")) and "num_updates" not in name:
            assert model.state_dict()[name].equal(value), name
    assert int(model.compressor.num_updates) == 0  # this run's updates count
    without = build(vocabulary_size=len(vocabulary), compressor="off")
    read_text_side(MultitaskStConfig(), cfg).load_into(without, cfg)
    assert without.projection.weight.equal(old.projection.weight)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"num_length_adapter_layers": 1}, False), ({}, True), ({"without_speech": True}, False)],
    ids=["has one", "none", "no speech"],
)
def test_a_length_adapter_comes_along_or_is_said_to_be_left_out(
    tmp_path: Path, vocabulary: Vocabulary, caplog: pytest.LogCaptureFixture, options: dict[str, Any], said: bool
) -> None:
    conformer = {"length_adapter_kind": "conformer", "length_adapter_heads": 4, "vocabulary_size": len(vocabulary)}
    old = changed(build(num_length_adapter_layers=1, **conformer))
    cfg = settings(save(tmp_path / "joint.pt", old, vocabulary))
    new = build(**conformer, **options)
    with caplog.at_level(logging.WARNING, "fairseq_samu"):
        read_text_side(MultitaskStConfig(), cfg).load_into(new, cfg)
    assert any("its length_adapter is left out" in record.message for record in caplog.records) == said
    own = {name: tensor for name, tensor in new.state_dict().items() if name.startswith("length_adapter.")}
    assert bool(own) == ("num_length_adapter_layers" in options)
    assert all(tensor.equal(old.state_dict()[name]) for name, tensor in own.items())


@pytest.mark.parametrize("kernels", [(3, 0), (0, 3)])
def test_extractors_may_be_put_in_or_left_out(tmp_path: Path, vocabulary: Vocabulary, kernels: tuple[int, int]) -> None:
    old, new = (build(vocabulary_size=len(vocabulary), l2g_kernel=kernel, without_speech=True) for kernel in kernels)
    changed(old)
    cfg = settings(save(tmp_path / "mt.pt", old, vocabulary))
    kept = {name: value.clone() for name, value in new.state_dict().items() if "extractors." in name}
    read_text_side(MultitaskStConfig(), cfg).load_into(new, cfg)
    assert new.decoder.embed_tokens.weight.equal(old.decoder.embed_tokens.weight)
    assert all(new.state_dict()[name].equal(value) for name, value in kept.items())


@pytest.mark.parametrize(("size", "names", "warnings"), [(4, "be,ro", 0), (4, "", 1), (0, "", 1)])
def test_adapters_of_the_decoder_come_along_or_are_said_to_be_left_out(
    tmp_path: Path, vocabulary: Vocabulary, caplog: pytest.LogCaptureFixture, size: int, names: str, warnings: int
) -> None:
    old = changed(
        build(vocabulary_size=len(vocabulary), without_speech=True, decoder_adapter_dim=4, adapter_names="be,ro")
    )
    cfg = settings(save(tmp_path / "mt.pt", old, vocabulary))
    new = build(vocabulary_size=len(vocabulary), decoder_adapter_dim=size, adapter_names=names)
    with caplog.at_level(logging.WARNING, "fairseq_samu"):
        read_text_side(MultitaskStConfig(), cfg).load_into(new, cfg)
    state = new.decoder.state_dict()
    assert all(tensor.equal(state[name]) for name, tensor in old.decoder.state_dict().items() if name in state)
    assert any("_adapter.be." in name for name in state) == bool(names)
    assert sum("adapters of this decoder are left out" in record.message for record in caplog.records) == warnings


def test_other_sizes_than_the_checkpoint_s_are_refused(tmp_path: Path, vocabulary: Vocabulary) -> None:
    path = save(tmp_path / "mt.pt", build(vocabulary_size=len(vocabulary), without_speech=True), vocabulary)
    cfg = settings(path, '{"dim": 48}')
    with pytest.raises(ConfigError, match=r"`text_config` must be as in .*mt.pt, but is '\{'dim': 48\}'"):
        read_text_side(MultitaskStConfig(), cfg).configure(cfg)


def test_every_option_that_the_checkpoint_decides_is_named(tmp_path: Path) -> None:
    cfg = MultitaskStConfig(sentencepiece_model="x.model", trim_vocabulary="train.tsv", added_languages="be=ru")
    with pytest.raises(ConfigError, match="sentencepiece_model") as caught:
        read_text_side(cfg, settings(tmp_path / "mt.pt"))
    assert "trim_vocabulary" in str(caught.value) and "added_languages" in str(caught.value)


def test_a_file_that_is_missing_or_of_another_model_is_refused(tmp_path: Path, vocabulary: Vocabulary) -> None:
    with pytest.raises(CheckpointError, match="`text_path` must be a file"):
        read_text_parts(tmp_path / "none.pt")
    other = save(tmp_path / "other.pt", build(vocabulary_size=len(vocabulary)), vocabulary, text=None)
    with pytest.raises(CheckpointError, match="of the model multitask_st"):
        read_text_parts(other)
