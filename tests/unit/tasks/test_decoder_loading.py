"""The vocabulary of a run: what trimming keeps, and where it says that a language is not known."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("fairseq", reason="the task stands on the host")
pytest.importorskip("sentencepiece", reason="the texts are pieces")

from fairseq_samu.checkpoints.mbart import LoadedDecoder
from fairseq_samu.data.manifest import write_manifest
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import CheckpointError, ManifestError
from fairseq_samu.tasks._checkpoint_vocabulary import require_vocabulary_of_checkpoint
from fairseq_samu.tasks._decoder_loading import PretrainedText, find_kept
from fairseq_samu.tasks._multitask_st_config import MultitaskStConfig
from tests.unit.models.test_samu_xlsr_mbart import build
from tests.unit.tiny_sentencepiece import TEXTS, train_model

COLUMNS = ["id", "audio", "n_frames", "tgt_text", "tgt_lang", "src_text", "src_lang"]


def write(path: Path, text: str, language: str) -> None:
    row = {"id": "1", "audio": "a.wav", "n_frames": 100, "tgt_text": text, "tgt_lang": language}
    write_manifest(path, [{**row, "src_text": TEXTS[0], "src_lang": "cs"}], COLUMNS)


def test_tokens_of_the_tasks_in_use_are_kept(tmp_path: Path) -> None:
    vocabulary = Vocabulary.from_sentencepiece(train_model(tmp_path))
    write(tmp_path / "train.tsv", TEXTS[1], "en")
    cfg = MultitaskStConfig(data=str(tmp_path), trim_vocabulary="train.tsv")
    kept = set(find_kept(cfg, vocabulary, []).tolist())
    assert set(vocabulary.encode(TEXTS[1], "en").tolist()) <= kept
    assert vocabulary.tag("cs") not in kept
    assert vocabulary.tag("cs") in find_kept(cfg, vocabulary, ["cs"]).tolist()
    cfg.tasks = "st,asr"
    both = find_kept(cfg, vocabulary, [])
    assert kept | set(vocabulary.encode(TEXTS[0], "cs").tolist()) <= set(both.tolist())


@pytest.mark.parametrize("options", [{"tasks": "mt"}, {"tasks": "st", "joint_tasks": True}])
def test_sources_and_transcripts_are_kept_without_a_tag_of_theirs(tmp_path: Path, options: dict[str, object]) -> None:
    vocabulary = Vocabulary.from_sentencepiece(train_model(tmp_path))
    row = {"id": "1", "src_text": TEXTS[0], "src_lang": "cs", "tgt_text": TEXTS[1], "tgt_lang": "en"}
    write_manifest(tmp_path / "pairs.tsv", [row], list(row))  # recordings are not needed
    cfg = MultitaskStConfig(data=str(tmp_path), trim_vocabulary="pairs.tsv", **options)
    kept = set(find_kept(cfg, vocabulary, []).tolist())
    assert {*vocabulary.encode(TEXTS[1], "en").tolist(), *vocabulary.encode(TEXTS[0]).tolist()} <= kept
    assert vocabulary.tag("cs") not in kept


def test_a_language_without_a_tag_is_named_with_its_row(tmp_path: Path) -> None:
    vocabulary = Vocabulary.from_sentencepiece(train_model(tmp_path))
    write(tmp_path / "train.tsv", TEXTS[1], "be")
    cfg = MultitaskStConfig(data=str(tmp_path), trim_vocabulary="train.tsv")
    with pytest.raises(ManifestError, match=r"train.tsv:2: .*--added-languages be=RELATIVE"):
        find_kept(cfg, vocabulary, [])


def save_checkpoint(path: Path, vocabulary: Vocabulary) -> None:
    path.parent.mkdir(exist_ok=True)
    torch.save({"model": {"w": torch.zeros(2)}, "task_state": {"vocabulary": vocabulary.state_dict()}}, path)


@pytest.mark.parametrize("option", ["save_dir", "finetune_from_model"])
def test_a_checkpoint_of_equally_many_other_tokens_is_refused(tmp_path: Path, option: str) -> None:
    model = train_model(tmp_path)
    vocabulary = Vocabulary.from_sentencepiece(model, ["en", "cs"])
    checkpoint = tmp_path / "model" / "checkpoint_last.pt"
    places = {"save_dir": str(checkpoint.parent), "finetune_from_model": str(checkpoint)}
    cfg = MultitaskStConfig(restore_file="checkpoint_last.pt", **{"save_dir": "none", option: places[option]})
    require_vocabulary_of_checkpoint(cfg, vocabulary, "Mend it.")  # there is none yet
    save_checkpoint(checkpoint, vocabulary)
    require_vocabulary_of_checkpoint(cfg, vocabulary, "Mend it.")
    other = Vocabulary.from_sentencepiece(model, ["en", "de"])
    assert len(other) == len(vocabulary)
    save_checkpoint(checkpoint, other)
    with pytest.raises(CheckpointError, match="`vocabulary` must be the same"):
        require_vocabulary_of_checkpoint(cfg, vocabulary, "Mend it.")


def test_a_checkpoint_of_another_task_is_left_to_the_host(tmp_path: Path) -> None:
    torch.save({"model": {}, "task_state": {}}, tmp_path / "checkpoint_last.pt")
    cfg = MultitaskStConfig(restore_file="checkpoint_last.pt", save_dir=str(tmp_path), finetune_from_model=None)
    require_vocabulary_of_checkpoint(cfg, Vocabulary(), "Mend it.")


@pytest.mark.parametrize("names", ["", "be,ro"])
def test_new_adapters_stay_new_in_a_pretrained_decoder(names: str) -> None:
    pretrained = build().decoder.state_dict()
    model = build(decoder_adapter_dim=4, adapter_names=names)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.add_(1.0)
    before = {name: tensor.clone() for name, tensor in model.decoder.state_dict().items()}
    text = PretrainedText(Vocabulary(), LoadedDecoder({}, pretrained, "folder", [], b""), [], None)
    text.load_into(model, SimpleNamespace(decoder_path="mbart"))
    after = model.decoder.state_dict()
    assert len(after) > len(pretrained)
    for name, tensor in after.items():
        assert tensor.equal(pretrained.get(name, before[name])), name
    del pretrained["layer_norm.weight"]
    with pytest.raises(CheckpointError, match="layer_norm"):
        text.load_into(model, SimpleNamespace(decoder_path="mbart"))
