"""Text translation, then speech beside it, by the real command line: staged, killed, resumed, decoded in all ways."""

import json
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from fairseq_samu.cli.main import main
from fairseq_samu.data.manifest import read_manifest
from tests.e2e.joint_training import joint_command, read_lines
from tests.e2e.training import assert_same_state, kill_after, logged, read_checkpoint, run
from tests.e2e.translation import LANGUAGES, TranslationCorpus, generate, make_translation_corpus

pytest.importorskip("transformers", reason="writes the initial files")
pytestmark = pytest.mark.slow

TEXT_ALONE = {
    "tasks": "mt",
    "joint_tasks": None,
    "without_speech": True,
    "audio_root": None,
    "encoder_config": None,
    "disable_validation": None,
    "source_noise_prob": 0.5,
    "text_dropout": 0.2,
    "l2g_norm": "batch",
    "num_workers": 2,
    "max_update": 12,
}
# every draw and every schedule there is, each beginning or ending in the middle of a run
STAGED = {
    "encoder_path": "{encoder}",
    "encoder_config": None,
    "text_config": None,
    "text_path": "{text}",
    "sentencepiece_model": None,
    "source_noise_prob": 0.5,
    "text_dropout": 0.2,
    "compressor_dropout": 0.1,
    "mask_time_prob": 0.3,
    "mask_time_length": 5,
    "encoder_layerdrop": 0.3,
    "speed_factors": "0.9,1.0,1.1",
    "encoder_freeze_updates": 3,
    "compressor_start_update": 4,
    "st_start_update": 2,
    "alignment_weight": 1.0,
    "alignment_step": 2,
    "asr_last_update": 10,
    "l2g_norm": "batch",
    "disable_validation": None,
    "num_workers": 2,
    "max_update": 16,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> TranslationCorpus:
    """26 rows to train on (a batch of 4 leaves a remainder of 2), 6 to validate, 13 to test, in three languages."""
    return make_translation_corpus(tmp_path_factory.mktemp("corpus"), {"train": 26, "valid": 6, "test": 13})


@pytest.fixture(scope="module")
def translator(corpus: TranslationCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The best checkpoint of a translator of texts."""
    folder = tmp_path_factory.mktemp("text")
    output = run(joint_command(corpus, folder, **TEXT_ALONE))
    assert logged(output, "valid_accuracy")
    return folder / "checkpoint_best.pt"


def staged_command(corpus: TranslationCorpus, text: Path, save_dir: Path, **changed: object) -> list[str]:
    places = {"encoder_path": corpus.encoder, "text_path": text}
    return joint_command(corpus, save_dir, **{**STAGED, **places, **changed})


@pytest.fixture(scope="module")
def staged(corpus: TranslationCorpus, translator: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of all tasks that nobody touched."""
    folder = tmp_path_factory.mktemp("staged")
    output = run(staged_command(corpus, translator, folder))
    assert logged(output, "valid_accuracy")
    assert "asr is dropped" in output
    for name in ("loss_st", "loss_asr", "loss_mt", "ctc_loss", "alignment_loss"):
        values = logged(output, name)
        assert values and torch.tensor(values).isfinite().all(), name
    return folder


def test_text_translation_killed_and_resumed(corpus: TranslationCorpus, translator: Path, tmp_path: Path) -> None:
    command = joint_command(corpus, tmp_path, **TEXT_ALONE)
    kill_after(command, random.Random(5).randrange(4, 9), 0.05)
    run(command)
    assert read_checkpoint(tmp_path / "checkpoint_last.pt")["optimizer_history"][-1]["num_updates"] == 12
    assert_same_state(translator.with_name("checkpoint_last.pt"), tmp_path / "checkpoint_last.pt")


def test_all_tasks_killed_and_resumed(
    corpus: TranslationCorpus, translator: Path, staged: Path, tmp_path: Path
) -> None:
    command = staged_command(corpus, translator, tmp_path)
    rng = random.Random(7)
    for first, last in ((3, 6), (9, 13)):
        kill_after(command, rng.randrange(first, last), rng.random() * 0.1)
    run(command)
    assert read_checkpoint(tmp_path / "checkpoint_last.pt")["optimizer_history"][-1]["num_updates"] == 16
    assert_same_state(staged / "checkpoint_last.pt", tmp_path / "checkpoint_last.pt")
    # the host repeats no update whose measurement was written and not saved
    assert read_lines(tmp_path / "consistency.jsonl") == read_lines(staged / "consistency.jsonl")


def test_the_text_parts_are_those_of_the_translator(
    corpus: TranslationCorpus, translator: Path, tmp_path: Path
) -> None:
    """What is frozen keeps the bits of its file, through updates with weight decay; what is tuned moves."""
    options = {"tuned_groups": "projection,compressor", "encoder_freeze_updates": 0, "weight_decay": 0.1}
    run(staged_command(corpus, translator, tmp_path, max_update=6, **options))
    before = read_checkpoint(translator)["model"]
    after = read_checkpoint(tmp_path / "checkpoint_last.pt")["model"]
    assert {name.partition(".")[0] for name in before} == {"text_encoder", "decoder"}
    changed = [name for name, tensor in before.items() if not torch.equal(after[name], tensor)]
    assert not changed
    assert {name.partition(".")[0] for name in after.keys() - before.keys()} == {"encoder", "projection", "compressor"}


@contextmanager
def hidden(*folders: Path) -> Iterator[None]:
    """As long as this lasts, folders are not where they were."""
    places = {folder: folder.with_name(f"{folder.name}-hidden") for folder in folders}
    for folder, place in places.items():
        folder.rename(place)
    yield
    for folder, place in places.items():
        place.rename(folder)


def hypotheses_of(output: str) -> dict[int, str]:
    lines = [line.split("\t") for line in output.splitlines() if line.startswith("D-")]
    found = {int(line[0][2:]): line[2] for line in lines}
    assert len(found) == len(lines)
    return found


def test_every_direction_where_none_of_the_initial_files_is(
    corpus: TranslationCorpus, translator: Path, staged: Path, tmp_path: Path
) -> None:
    """Rows in = rows out for st, asr by decoder and by CTC, and mt; the last one without any recording."""
    away = tmp_path / "away"
    away.mkdir()
    checkpoint = Path(shutil.copy(staged / "checkpoint_last.pt", away / "model.pt"))
    shutil.copy(corpus.folder / "test.tsv", away / "test.tsv")
    with hidden(corpus.encoder, corpus.decoder, translator.parent):
        directions = {
            "st": {"tasks": "st", "beam": 8, "lenpen": 1.2, "batch_size": 4},
            "asr": {"tasks": "asr", "beam": 1, "batch_size": 5},
            "ctc": {"tasks": "asr", "ctc_decoding": True, "batch_size": 5},
            "mt": {"tasks": "mt", "beam": 2, "batch_size": 5, "audio_root": away},
        }
        written = {name: generate(away, checkpoint, max_len_b=12, **options) for name, options in directions.items()}
    rows = read_manifest(away / "test.tsv", ("tgt_text",))
    for name, output in written.items():
        (away / f"{name}.txt").write_text(output, "utf-8")
        assert sorted(hypotheses_of(output)) == list(range(13)), name
        references = {int(line.split("\t")[0][2:]) for line in output.splitlines() if line.startswith("T-")}
        assert references == set(range(13)), name
    scores = away / "scores.json"
    for name in ("st", "mt"):
        words = ["score", "st", "--generate", away / f"{name}.txt", "--manifest", away / "test.tsv", "--json", scores]
        assert main([str(word) for word in words]) == 0
        result = json.loads(scores.read_text("utf-8"))
        assert result["rows"] == len(rows) == 13
        assert {pair.partition("-")[2] for pair in result["pairs"]} == set(LANGUAGES)
    words = ["score", "asr", "--generate", away / "asr.txt", "--baseline-generate", away / "ctc.txt"]
    assert main([str(word) for word in (*words, "--manifest", away / "test.tsv", "--json", scores)]) == 0
    result = json.loads(scores.read_text("utf-8"))
    assert result["rows"] == result["systems"]["baseline"]["rows"] == 13
    assert set(result["languages"]) == set(result["comparison"]["languages"]) == {row.src_lang for row in rows}
    words_of_references = sum(len((row.src_text or "").split()) for row in rows)
    assert result["counts"]["wer"]["reference"] == words_of_references
