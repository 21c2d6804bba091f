"""Speech translation by the real command line: train, kill, resume, decode on another machine, score."""

import json
import random
import shutil
from pathlib import Path

import pytest
import torch

from fairseq_samu.checkpoints.mbart import read_mbart
from fairseq_samu.checkpoints.speech_encoder import read_speech_encoder
from fairseq_samu.cli.main import main
from fairseq_samu.data.manifest import read_manifest
from tests.e2e.training import (
    assert_same_state,
    finish_workers,
    free_port,
    kill_after,
    logged,
    read_checkpoint,
    run,
    start,
)
from tests.e2e.translation import (
    LANGUAGES,
    TranslationCorpus,
    choose_rows,
    generate,
    make_translation_corpus,
    move_to_another_machine,
    translation_command,
    translations,
    write_translations,
)

pytest.importorskip("transformers", reason="writes the initial files")

DRAWS = {
    "mask_time_prob": 0.3,
    "mask_time_length": 5,
    "mask_channel_prob": 0.2,
    "mask_channel_length": 4,
    "encoder_layerdrop": 0.3,
    "decoder_dropout": 0.2,
    "speed_factors": "0.9,1.0,1.1",
    "noise_prob": 0.5,
    "sampling_alpha": 0.3,
    "num_workers": 2,
    "max_update": 16,
}
MEMORISE = {
    "tuned_groups": "encoder,encoder_adapters,decoder",
    "label_smoothing": 0.0,
    "decoder_dropout": 0.0,
    "weight_decay": 0.0,
    "clip_norm": 1.0,
    "batch_size": 12,
    "lr": 0.006,
    "lr_scheduler": "inverse_sqrt",
    "warmup_updates": 20,
    "max_update": 400,
    "save_interval_updates": None,
    "keep_interval_updates": None,
    "disable_validation": True,
    "log_interval": 100,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> TranslationCorpus:
    """26 rows to train on (a batch of 4 leaves a remainder of 2), 10 to validate, 13 to test, in three languages."""
    return make_translation_corpus(tmp_path_factory.mktemp("corpus"), {"train": 26, "valid": 10, "test": 13})


def test_killed_and_resumed_to_the_same_bits(corpus: TranslationCorpus, tmp_path: Path) -> None:
    untouched = run(translation_command(corpus, tmp_path / "untouched", **DRAWS))
    assert logged(untouched, "valid_accuracy")
    command = translation_command(corpus, tmp_path / "killed", **DRAWS)
    rng = random.Random(5)
    for first, last in ((3, 7), (9, 13)):
        kill_after(command, rng.randrange(first, last), rng.random() * 0.1)
    run(command)
    last = tmp_path / "killed" / "checkpoint_last.pt"
    assert read_checkpoint(last)["optimizer_history"][-1]["num_updates"] == 16
    assert_same_state(tmp_path / "untouched" / "checkpoint_last.pt", last)


def test_frozen_parts_keep_the_bits_of_their_files(corpus: TranslationCorpus, tmp_path: Path) -> None:
    """Twenty updates with weight decay: adapters, cross-attention and norms move, the rest is as it was read."""
    run(translation_command(corpus, tmp_path, max_update=20, weight_decay=0.1, lr=0.01))
    state = read_checkpoint(tmp_path / "checkpoint_last.pt")["model"]
    speech, text = read_speech_encoder(corpus.encoder).state, read_mbart(corpus.decoder).state
    files = {f"encoder.{name}": tensor for name, tensor in speech.items()}
    files |= {f"decoder.{name}": tensor for name, tensor in text.items()}
    tuned = {name for name in files if name.startswith("decoder.") and ("encoder_attn." in name or "norm" in name)}
    changed = {name for name in files if name in state and not torch.equal(state[name], files[name])}
    # a key's bias shifts all scores of a query alike: attention gives it no gradient, and zero has nothing to decay
    resting = {name for name in tuned if name.endswith("k_proj.bias")}
    assert tuned - resting <= changed <= tuned
    assert len(files.keys() & state.keys()) >= len(files) - 1  # but for the vector of masks of pre-training
    adapters = {name: tensor for name, tensor in state.items() if "_adapter." in name}
    assert len(adapters) == 3 * 2 * 4
    assert all(bool(tensor.any()) for tensor in adapters.values())


def test_two_workers_equal_update_freq_two(corpus: TranslationCorpus, tmp_path: Path) -> None:
    # no dropout: it is drawn by the place in the batch, which differs
    options = {"mask_time_prob": 0.3, "mask_time_length": 5, "encoder_layerdrop": 0.3, "decoder_dropout": 0.0}
    options |= {"max_update": 8, "optimizer": "sgd", "momentum": 0.9, "adam_betas": None, "lr": 0.005}
    alone = run(translation_command(corpus, tmp_path / "one", update_freq=2, **options))
    options |= {"distributed_world_size": 2, "distributed_init_method": f"tcp://localhost:{free_port()}"}
    options |= {"distributed_no_spawn": True, "distributed_backend": "gloo", "ddp_backend": "legacy_ddp"}
    commands = [translation_command(corpus, tmp_path / "two", distributed_rank=rank, **options) for rank in range(2)]
    workers = [start(command) for command in commands]
    outputs = finish_workers(workers)
    one = read_checkpoint(tmp_path / "one" / "checkpoint_last.pt")["model"]
    two = read_checkpoint(tmp_path / "two" / "checkpoint_last.pt")["model"]
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-4, atol=1e-5, msg=lambda text, name=name: name + text)
    for key in ("valid_loss", "valid_nll_loss", "valid_num_target_tokens"):
        pairs = list(zip(logged(alone, key), logged(outputs[0], key), strict=True))
        assert pairs and all(abs(first - second) < 2e-3 for first, second in pairs)


def distinct_recordings(count: int) -> list:
    """Recordings whose texts differ from each other and between languages."""
    texts, seen, chosen = translations(), set(), []
    for row in choose_rows("train", 60)[::3]:
        own = {texts[row.parallel_id, language].lower() for language in LANGUAGES}
        if len(own) == len(LANGUAGES) and not own & seen and len(chosen) < count:
            seen |= own
            chosen.append(row)
    return chosen


def test_a_moved_checkpoint_writes_the_language_asked_for_in_every_row(tmp_path: Path) -> None:
    """Four recordings in three languages each are memorised, then decoded where none of the initial files is."""
    home = tmp_path / "home"
    home.mkdir()
    corpus = make_translation_corpus(home, {"train": 1, "valid": 1, "test": 1})
    pairs = [(row, language) for row in distinct_recordings(4) for language in LANGUAGES]
    write_translations(home / "train.tsv", pairs)
    write_translations(home / "test.tsv", [*pairs, (pairs[0][0], "en")])  # 13 rows, not a multiple of 8
    run(translation_command(corpus, home / "save", feature_cache=home / "cache", **MEMORISE))
    shutil.rmtree(home / "cache")
    away = tmp_path / "away"
    checkpoint = move_to_another_machine(corpus, home / "save" / "checkpoint_last.pt", away)
    # A wide beam fills up with short hypotheses and stops, however unlikely they are: beam 1 tells what was learnt.
    searches = {"one": {"beam": 1, "batch_size": 12}, "five": {"beam": 5, "batch_size": 10}}
    outputs = {name: generate(away, checkpoint, **options) for name, options in searches.items()}
    hypotheses = {}
    for name, output in outputs.items():
        (away / f"{name}.txt").write_text(output, "utf-8")
        rows = [line.split("\t") for line in output.splitlines() if line.startswith("D-")]
        assert sorted(int(row[2:]) for row, _, _ in rows) == list(range(13))
        hypotheses[name] = {int(row[2:]): text for row, _, text in rows}
    references = [row.tgt_text for row in read_manifest(away / "test.tsv", ("tgt_text",))]
    assert sum(hypotheses["one"][row] == references[row] for row in range(13)) >= 12
    assert all(found[12] == found[0] for found in hypotheses.values()), "the same recording into the same language"
    options = ["--generate", away / "one.txt", "--baseline-generate", away / "five.txt", "--json", away / "scores.json"]
    assert main(["score", "st", *map(str, options), "--manifest", str(away / "test.tsv")]) == 0
    result = json.loads((away / "scores.json").read_text("utf-8"))
    assert result["rows"] == 13
    assert {name.partition("-")[2] for name in result["pairs"]} == set(LANGUAGES)
    assert result["chrf"] > 90
    assert result["systems"]["baseline"]["chrf"] > 50


def test_a_killed_run_with_a_length_compressor_decodes(corpus: TranslationCorpus, tmp_path: Path) -> None:
    """Nothing is compressed in the first five updates; a checkpoint of that time and the last one write texts."""
    options = {"ctc_head": True, "ctc_weight": 0.3, "compressor": "first", "compressor_start_update": 5}
    options |= {"compressor_heads": 4, "compressor_ffn_dim": 64, "weight_decay": 0.0}
    options |= {"max_update": 8, "save_interval_updates": 2, "keep_interval_updates": None}
    run(translation_command(corpus, tmp_path / "untouched", **options))
    command = translation_command(corpus, tmp_path / "killed", **options)
    kill_after(command, 3, 0.05)
    run(command)
    last = tmp_path / "killed" / "checkpoint_last.pt"
    assert_same_state(tmp_path / "untouched" / "checkpoint_last.pt", last)
    files = [next((tmp_path / "untouched").glob(f"checkpoint_*_{update}.pt")) for update in (2, 4)]
    states = [read_checkpoint(file)["model"] for file in (*files, last)]
    assert [int(state["compressor.num_updates"]) for state in states] == [1, 3, 7]
    first, second, third = (state["compressor.fc1.weight"] for state in states)
    assert torch.equal(first, second) and not torch.equal(second, third)
    for checkpoint in (files[1], last):
        written = generate(corpus.folder, checkpoint, beam=1, batch_size=8)
        assert len([line for line in written.splitlines() if line.startswith("D-")]) == 13
