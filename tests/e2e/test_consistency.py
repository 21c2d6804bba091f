"""Measured gradients by the real command line: recomputed by a plain script, on two workers, killed, tasks dropped."""

import argparse
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

import fairseq_samu
from tests.e2e.joint_training import SAVE_BATCHES, TELL_READING, joint_command, read_lines
from tests.e2e.training import assert_same_state, finish_workers, free_port, kill_after, read_checkpoint, run, start
from tests.e2e.translation import TranslationCorpus, make_translation_corpus

pytest.importorskip("transformers", reason="writes the initial files")
pytestmark = pytest.mark.slow

TASKS = ("st", "asr", "mt")
MODULES = {"acoustic_encoder": "encoder.", "textual_encoder": "text_encoder.", "decoder": "decoder."}

# 26 rows are 7 batches of 4: the last update of an epoch has one batch alone, and the second worker none
OPTIONS = {
    "update_freq": 2,
    "weight_mode": "consistency",
    "asr_last_update": 6,
    "optimizer": "sgd",
    "momentum": 0.9,
    "adam_betas": None,
    "lr": 0.0005,
    "max_update": 8,
    "save_interval_updates": 1,
    "keep_interval_updates": -1,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> TranslationCorpus:
    return make_translation_corpus(tmp_path_factory.mktemp("corpus"), {"train": 26, "valid": 6})


@pytest.fixture(scope="module")
def alone(corpus: TranslationCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one worker, with its batches in the folder ``batches``."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "batches").mkdir()
    run(joint_command(corpus, folder, **OPTIONS), prelude=SAVE_BATCHES.format(folder=folder / "batches"))
    return folder


def recompute(checkpoint: Path, batches: list[Path]) -> dict[str, dict[str, list[list[float]]]]:
    """Gradient of each task's mean loss on each layer, by `.backward()` of a model that is read anew for each task.

    Returns:
        By task and module, one flat vector a layer; none where a task does not reach it.
    """
    from fairseq.checkpoint_utils import load_model_ensemble_and_task

    fairseq_samu.register()
    found: dict[str, dict[str, list[list[float]]]] = {}
    for task in TASKS:
        with torch.serialization.safe_globals([argparse.Namespace]):
            (model,), _, _ = load_model_ensemble_and_task([str(checkpoint)])
        total, size = torch.zeros(()), 0
        for path in batches:
            batch = torch.load(path, weights_only=True)["tasks"].get(task)
            if batch is not None:
                loss, count = plain_loss(model, task, batch)
                total, size = total + loss, size + count
        if not size:
            continue
        (total / size).backward()
        found[task] = {}
        for module, place in MODULES.items():
            probed = [
                parameter.grad
                for name, parameter in model.named_parameters()
                if name.startswith(place) and name.endswith("self_attn.out_proj.weight")
            ]
            found[task][module] = [gradient.flatten().tolist() for gradient in probed if gradient is not None]
    return found


def plain_loss(model: torch.nn.Module, task: str, batch: dict) -> tuple[torch.Tensor, int]:
    """Cross-entropy smoothed by 0.2 of a written text, CTC of what is recognised; summed, with the number of tokens."""
    output = model(**batch["net_input"])
    if task == "asr":
        frames, lengths = (~output.padding_mask).sum(dim=1), batch["transcript_lengths"]
        log_probs = F.log_softmax(output.ctc_logits, dim=-1).transpose(0, 1)
        loss = F.ctc_loss(log_probs, batch["transcript"], frames, lengths, reduction="sum", zero_infinity=True)
        return loss, int(lengths.sum())
    is_token = batch["target"] != 1
    log_probs = F.log_softmax(output.logits()[is_token], dim=-1)
    own = log_probs.gather(1, batch["target"][is_token][:, None])
    share = 0.2 / (log_probs.size(1) - 1)
    return -(0.8 * own.sum() + share * (log_probs.sum() - own.sum())), int(is_token.sum())


def compare(own: list[float], main: list[float]) -> tuple[float, float, float]:
    """Cosine, norm, norm of the main task."""
    norms = math.hypot(*own), math.hypot(*main)
    return sum(a * b for a, b in zip(own, main, strict=True)) / norms[0] / norms[1], *norms


@pytest.mark.parametrize("update", [3, 4, 7])
def test_a_plain_script_finds_the_same_numbers(alone: Path, update: int) -> None:
    lines = {
        (line["task"], line["module"], line["layer"]): [line[name] for name in ("cosine", "norm", "main_norm")]
        for line in read_lines(alone / "consistency.jsonl")
        if line["update"] == update
    }
    (checkpoint,) = alone.glob(f"checkpoint_*_{update - 1}.pt")
    batches = sorted((alone / "batches").glob(f"{update}-*.pt"))
    assert len(batches) == (1 if update == 4 else 2)
    gradients = recompute(checkpoint, batches)
    assert {task for task, _, _ in lines} == ({"mt"} if update == 7 else {"asr", "mt"})
    for task in ("asr", "mt"):
        if (task, "decoder", None) not in lines:
            continue
        for module in MODULES:
            own, main = gradients[task][module], gradients["st"][module]
            assert bool(own) == (module in {"asr": ["acoustic_encoder"], "mt": ["textual_encoder", "decoder"]}[task])
            layers = [compare(a, b) for a, b in zip(own, main, strict=True)] if own else []
            for number, expected in enumerate(layers):
                assert lines[task, module, number] == pytest.approx(expected, rel=1e-3, abs=1e-5)
            if layers:
                means = [sum(column) / len(layers) for column in zip(*layers, strict=True)]
                assert lines[task, module, None] == pytest.approx(means, rel=1e-3, abs=1e-5)
            else:
                assert lines[task, module, None][:2] == [None, None]


def test_weights_follow_the_cosines_since_the_last_change(alone: Path) -> None:
    lines = {(line["update"], line["task"], line["module"], line["layer"]): line for line in log_of(alone)}
    own = {"asr": ["acoustic_encoder"], "mt": ["textual_encoder", "decoder"]}
    weights = dict.fromkeys(own, 1.0)
    for change in (3, 6):
        for task, modules in own.items():
            cosines = [lines[change - n, task, module, None]["cosine"] for n in range(3) for module in modules]
            weights[task] *= max(0.0, 1 - 0.5 * (1 - sum(cosines) / len(cosines)))
        assert lines[change, "mt", "decoder", 0]["weight"] == pytest.approx(weights["mt"])
        # its last update is the sixth
        left = 0.0 if change == 6 else weights["asr"]
        assert lines[change, "asr", "decoder", 0]["weight"] == pytest.approx(left)
    assert 0 < weights["asr"] < 1
    kept = read_checkpoint(alone / "checkpoint_last.pt")["extra_state"]["MultitaskStTask"]["balance"]
    assert kept["weights"] == pytest.approx(weights)
    assert kept["update"] == 8


def log_of(folder: Path) -> list[dict]:
    return read_lines(folder / "consistency.jsonl")


def test_two_workers_equal_update_freq_two(corpus: TranslationCorpus, alone: Path, tmp_path: Path) -> None:
    port = free_port()
    workers = [
        start(
            joint_command(
                corpus,
                tmp_path,
                **{**OPTIONS, "update_freq": 1},
                distributed_world_size=2,
                distributed_rank=rank,
                distributed_init_method=f"tcp://localhost:{port}",
                distributed_no_spawn=True,
                distributed_backend="gloo",
                ddp_backend="legacy_ddp",
            )
        )
        for rank in range(2)
    ]
    finish_workers(workers)
    one, two = log_of(alone), log_of(tmp_path)
    assert len(one) == len(two)
    for first, second in zip(one, two, strict=True):
        for name, value in first.items():
            expected = pytest.approx(value, rel=1e-2, abs=1e-4) if isinstance(value, float) else value
            assert second[name] == expected, (name, first, second)


def test_killed_and_resumed_the_log_is_that_of_an_unbroken_run(
    corpus: TranslationCorpus, alone: Path, tmp_path: Path
) -> None:
    command = joint_command(corpus, tmp_path, **{**OPTIONS, "save_interval_updates": 2})
    kill_after(command, 5, 0.05)
    left = {line["update"] for line in log_of(tmp_path)}
    assert max(left) >= 5
    run(command)
    assert log_of(tmp_path) == log_of(alone)
    assert_same_state(alone / "checkpoint_last.pt", tmp_path / "checkpoint_last.pt")


def test_a_task_that_is_dropped_is_read_no_more_and_nothing_stalls(corpus: TranslationCorpus, tmp_path: Path) -> None:
    told = tmp_path / "told.txt"
    changed = {"batch_size": 1, "num_workers": 2, "data_buffer_size": 2, "max_update": 52, "measure_interval": 13}
    command = joint_command(
        corpus, tmp_path, asr_last_update=4, weight_mode="fixed", save_interval_updates=None, no_save=True, **changed
    )
    output = run(command, prelude=TELL_READING.format(file=told))
    assert "asr is dropped" in output
    lines = [line.split() for line in told.read_text().splitlines()]
    trained = [words for words in lines if words[0] == "train"]
    assert [int(words[1]) for words in trained] == list(range(1, 53))
    assert all("asr" in words for words in trained[:4])
    # what had been fetched when the task was dropped is all that is still read of it
    assert not any("asr" in words for words in trained[20:])
    assert all("mt" in words for words in trained)
    read = [words[1] for words in lines if words[0] == "read"]
    assert 4 <= read.count("asr") < 20
    assert read.count("st") >= 52
