"""Recognition adapted by texts alone: decoder adapters on text translation, without a speech encoder, then on speech.

The fourth and fifth recipe of arXiv:2410.13445, by the real command line.
"""

import shutil
from pathlib import Path

import pytest
import torch

from fairseq_samu.cli.main import main
from fairseq_samu.data.manifest import read_manifest, write_manifest
from tests.e2e.joint_training import joint_command
from tests.e2e.training import ENCODER, assert_same_state, kill_after, logged, read_checkpoint, run
from tests.e2e.translation import TranslationCorpus, generate, make_translation_corpus

pytest.importorskip("transformers", reason="writes the initial files")
pytestmark = pytest.mark.slow

LANGUAGE = "fr"
# Whoever builds a speech encoder, reads the file of one, or reads a recording fails
NO_SPEECH = """
import fairseq, fairseq_samu.tasks.multitask_st
from fairseq_samu.data.speech_text_dataset import SpeechTextDataset
from fairseq_samu.models.speech_encoder import SpeechEncoder
def refuse(*args, **kwargs):
    raise RuntimeError("speech was touched")
SpeechEncoder.__init__ = refuse
fairseq_samu.tasks.multitask_st.read_speech_encoder = refuse
SpeechTextDataset.__init__ = refuse
"""
BASE = {"tasks": "st,asr,mt", "max_update": 30, "lr": 0.01, "no_epoch_checkpoints": True}
FROM_WHOLE = {"encoder_config": None, "text_config": None, "sentencepiece_model": None}
TEXT_ALONE = {
    **FROM_WHOLE,
    "joint_tasks": None,
    "tasks": "mt",
    "without_speech": True,
    "audio_root": None,
    "adapter_names": "fr,es",
    "decoder_adapter_dim": 8,
    "adapter_placement": "one",
    "tuned_adapters": LANGUAGE,
    "tuned_groups": "decoder_adapters",
    "lr": 0.02,
    "max_update": 24,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> TranslationCorpus:
    """Speech in five languages, a third of it to be translated into French."""
    return make_translation_corpus(tmp_path_factory.mktemp("corpus"), {"train": 26, "valid": 6, "test": 16})


@pytest.fixture(scope="module")
def base(corpus: TranslationCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A system that has learnt translation and recognition together, without adapters."""
    folder = tmp_path_factory.mktemp("base")
    run(joint_command(corpus, folder, **BASE))
    return folder / "checkpoint_last.pt"


@pytest.fixture(scope="module")
def texts(corpus: TranslationCorpus, tmp_path_factory: pytest.TempPathFactory) -> TranslationCorpus:
    """Pairs of texts into French, whose manifest names no recording."""
    folder = tmp_path_factory.mktemp("texts")
    columns = ["id", "src_text", "src_lang", "tgt_text", "tgt_lang"]
    rows = [row for row in read_manifest(corpus.folder / "train.tsv") if row.tgt_lang == LANGUAGE]
    fields = [{name: getattr(row, name) for name in columns} for row in rows]
    for split in ("train", "valid"):
        write_manifest(folder / f"{split}.tsv", fields, columns)
    return TranslationCorpus(folder, corpus.encoder, corpus.decoder)


def text_command(texts: TranslationCorpus, base: Path, save_dir: Path) -> list[str]:
    return joint_command(texts, save_dir, text_path=base, encoder_path=base.with_name("none.pt"), **TEXT_ALONE)


@pytest.fixture(scope="module")
def adapted(texts: TranslationCorpus, base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The base's text parts with decoder adapters of French that texts alone have tuned, and the log."""
    folder = tmp_path_factory.mktemp("adapted")
    output = run(text_command(texts, base, folder), NO_SPEECH)
    return folder / "checkpoint_last.pt", output


@pytest.fixture(scope="module")
def file(adapted: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The adapter of French as a small file."""
    folder = tmp_path_factory.mktemp("adapters")
    options = ["--output", folder, "--names", LANGUAGE]
    assert main(["adapters", "export", str(adapted[0]), *map(str, options)]) == 0
    return folder / f"{LANGUAGE}.safetensors"


def groups_of(output: str) -> list[list[str]]:
    """Lines of the table of parameter groups: name, parameters, tuned or frozen."""
    return [line.split() for line in output.partition("\ngroup ")[2].partition("\nall ")[0].splitlines()[1:]]


def scored(output: str) -> dict[int, tuple[str, ...]]:
    """Hypotheses of rows with their scores."""
    lines = [line.split("\t") for line in output.splitlines() if line.startswith("D-")]
    return {int(line[0][2:]): tuple(line[1:]) for line in lines}


def adapter_of(name: str) -> str:
    """Name of the adapter that a parameter belongs to; empty for none."""
    return name.partition("layer_adapter.")[2].partition(".")[0]


def test_texts_tune_the_decoders_adapters_and_nothing_of_speech_is_there(base: Path, adapted: tuple[Path, str]) -> None:
    checkpoint, output = adapted
    table = groups_of(output)
    assert [line[0] for line in table if line[2] == "tuned"] == ["decoder_adapters.fr"]
    assert {"text_encoder", "cross_attention"} <= {line[0] for line in table}
    assert not {"encoder", "feature_extractor", "projection"} & {line[0] for line in table}
    losses = logged(output, "train_loss")
    assert losses[-1] < 0.95 * losses[0], losses
    before, after = (read_checkpoint(path)["model"] for path in (base, checkpoint))
    assert {name.partition(".")[0] for name in after} == {"text_encoder", "decoder"}
    own = {name: adapter_of(name) for name in after}
    assert {*own.values()} == {"", "fr", "es"}
    for name, tensor in after.items():
        if not own[name]:
            assert torch.equal(tensor, before[name]), name
        elif ".up." in name:
            assert bool(tensor.any()) == (own[name] == LANGUAGE), name


def test_killed_and_resumed(texts: TranslationCorpus, base: Path, adapted: tuple[Path, str], tmp_path: Path) -> None:
    command = text_command(texts, base, tmp_path)
    kill_after(command, 9, 0.05)
    run(command, NO_SPEECH)
    assert_same_state(adapted[0], tmp_path / "checkpoint_last.pt")


@pytest.fixture(scope="module")
def whole(base: Path, file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base with that adapter."""
    path = tmp_path_factory.mktemp("whole") / "whole.pt"
    assert main(["adapters", "add", str(base), str(file), "--output", str(path)]) == 0
    return path


def test_recognition_from_the_same_file(corpus: TranslationCorpus, base: Path, whole: Path, tmp_path: Path) -> None:
    """Speech in French goes through the adapter; every other row is as it was without it, to the last digit."""
    shutil.copy(corpus.folder / "test.tsv", tmp_path)
    options = {"tasks": "asr", "beam": 2, "batch_size": 4, "max_len_b": 12}
    before = scored(generate(tmp_path, base, **options))
    after = scored(generate(tmp_path, whole, missing_adapter="base", **options))
    languages = [row.src_lang for row in read_manifest(tmp_path / "test.tsv")]
    assert sorted(before) == sorted(after) == list(range(len(languages)))
    french = {row for row, language in enumerate(languages) if language == LANGUAGE}
    assert french and len(french) < len(languages)
    assert {row for row in after if after[row] != before[row]} == french


def test_speech_then_tunes_the_encoders_adapters_beside_them(
    corpus: TranslationCorpus, whole: Path, tmp_path: Path
) -> None:
    """Text-only adaptation, then recognition: encoder adapters are new, all else is as in the file."""
    options = {
        **FROM_WHOLE,
        "encoder_path": whole,
        "text_path": whole,
        "adapter_names": LANGUAGE,
        "adapter_placement": "one",
        "adapter_dim": 6,
        "decoder_adapter_dim": 8,
        "tuned_groups": "encoder_adapters",
        "tasks": "asr",
        "asr_ce_weight": 1.0,
        "missing_adapter": "base",
        "max_update": 4,
    }
    output = run(joint_command(corpus, tmp_path, **options))
    assert {line[0] for line in groups_of(output) if line[2] == "tuned"} == {"encoder_adapters.fr"}
    before, after = (read_checkpoint(path)["model"] for path in (whole, tmp_path / "checkpoint_last.pt"))
    assert any(adapter_of(name) == LANGUAGE for name in before if name.startswith("decoder."))
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert changed == ["compressor.num_updates"]  # which counts those of this run
    added = {name: tensor for name, tensor in after.items() if name not in before}
    assert len(added) == ENCODER["num_layers"] * 4
    for name, tensor in added.items():
        assert name.startswith("encoder.") and adapter_of(name) == LANGUAGE
        assert tensor.any(), name
