"""What a checkpoint brings back, and what the log holds after a run that was killed."""

import json

import pytest
import torch

pytest.importorskip("fairseq", reason="criterions stand on the host")

from fairseq_samu.criterions.task_balance import TaskBalance
from tests.unit.criterions.planted_gradients import cosines, norms, options, run


@pytest.mark.parametrize("mode", ["task_norm", "consistency"])
@pytest.mark.parametrize("stop", [3, 5, 6, 8])
def test_a_resumed_run_goes_on_as_an_unbroken_one(tmp_path, mode, stop):
    source = cosines(0.9, 0.7, 0.8) if mode == "consistency" else norms(0.9, 0.3, 0.5)
    cut = options(mode=mode, last_updates={"asr": 13, "mt": 0}, drop_below=0.2)
    unbroken = TaskBalance(cut, log_path=str(tmp_path / "unbroken.jsonl"))
    run(unbroken, 1, 16, source)
    killed = TaskBalance(cut, log_path=str(tmp_path / "log.jsonl"))
    run(killed, 1, stop, source)
    torch.save({"balance": killed.state_dict()}, tmp_path / "checkpoint.pt")
    run(killed, stop + 1, stop + 3, source)  # went on after the checkpoint, and wrote
    resumed = TaskBalance(cut, log_path=str(tmp_path / "log.jsonl"))
    resumed.load_state_dict(torch.load(tmp_path / "checkpoint.pt", weights_only=True)["balance"])
    assert resumed.state_dict() == torch.load(tmp_path / "checkpoint.pt", weights_only=True)["balance"]
    run(resumed, stop + 1, 16, source)
    ends = [{**balance.state_dict(), "seconds": 0.0} for balance in (unbroken, resumed)]
    assert ends[0] == ends[1]
    assert read_log(tmp_path / "log.jsonl") == read_log(tmp_path / "unbroken.jsonl")


def read_log(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert all(line.pop("seconds") >= 0 for line in lines)
    assert lines
    return lines


def test_a_run_that_was_killed_before_its_first_checkpoint_writes_its_log_anew(tmp_path):
    path = tmp_path / "log.jsonl"
    run(TaskBalance(options(), log_path=str(path)), 1, 3, norms())
    first = read_log(path)
    run(TaskBalance(options(), log_path=str(path)), 1, 3, norms())
    assert read_log(path) == first


def test_loading_a_state_without_training_leaves_the_log_whole(tmp_path):
    path = tmp_path / "log.jsonl"
    balance = TaskBalance(options(), log_path=str(path))
    run(balance, 1, 2, norms())
    state = balance.state_dict()
    run(balance, 3, 6, norms())
    content = path.read_text()
    TaskBalance(options(), log_path=str(path)).load_state_dict(state)
    assert path.read_text() == content


def test_only_who_has_a_path_writes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(TaskBalance(options()), 1, 4, norms())
    assert list(tmp_path.iterdir()) == []


def test_lines_of_the_log_are_what_was_measured(tmp_path):
    path = tmp_path / "log.jsonl"
    found = run(TaskBalance(options(), log_path=str(path)), 1, 4, norms())
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["update"] for line in lines] == [2] * 12 + [4] * 12
    assert lines == [vars(one) for one in found]
    assert lines[0] | {"seconds": 0} == {
        "update": 2,
        "task": "asr",
        "module": "acoustic_encoder",
        "layer": 0,
        "cosine": 1.0,
        "norm": 1.0,
        "main_norm": 2.0,
        "weight": 1.0,
        "seconds": 0,
    }
    assert [line["weight"] for line in lines if (line["update"], line["task"]) == (4, "asr")] == [0.5] * 6
    seconds = [line["seconds"] for line in lines]
    assert seconds == sorted(seconds)


def test_fixed_weights_are_those_of_the_options_after_a_resume():
    decayed = TaskBalance(options())
    run(decayed, 1, 4, norms())
    resumed = TaskBalance(options(mode="fixed", weights={"asr": 0.9, "mt": 0.8}))
    resumed.load_state_dict(decayed.state_dict())
    assert (resumed.weight("asr"), resumed.weight("mt")) == (0.9, 0.8)


@pytest.mark.parametrize(
    ("before", "after"), [("fixed", "task_norm"), ("fixed", "consistency"), ("consistency", "task_norm")]
)
def test_another_mode_begins_with_the_weights_of_the_options(before, after):
    first = TaskBalance(options(mode=before, weights={"asr": 0.3, "mt": 0.4}))
    run(first, 1, 4, cosines(-1.0, 0.5, 0.5))
    assert first.active("asr") == (before == "fixed")
    resumed = TaskBalance(options(mode=after, weights={"asr": 0.9, "mt": 0.8}))
    resumed.load_state_dict(first.state_dict())
    assert (resumed.weight("asr"), resumed.weight("mt")) == (0.9, 0.8)
    assert resumed.state_dict()["update"] == 4
    assert resumed.state_dict()["cosines"] == {}


def test_tasks_that_are_no_longer_trained_are_passed_over():
    both = TaskBalance(options())
    run(both, 1, 4, norms())
    only_mt = TaskBalance(options(weights={"mt": 1.0}))
    only_mt.load_state_dict(both.state_dict())
    assert only_mt.weight("mt") == both.weight("mt")
    assert not only_mt.active("asr")


def test_a_run_that_counts_its_updates_from_one_again_is_measured_in_every_batch(tmp_path):
    first = TaskBalance(options(drop_below=0.0))
    run(first, 1, 20, norms(0.99, 0.99, 0.99))
    state = first.state_dict()
    again = TaskBalance(options(drop_below=0.0))
    again.load_state_dict(state)
    source = norms()
    for update in (1, 2):
        for _ in range(2):
            again.begin_update(update)
            assert again.due == (update == 2)
            for task in source.vectors:
                again.add(task, source.loss(task), 1, source.probes)
        found = again.finish_update()
    assert {one.norm for one in found if one.layer is None and one.task == "asr"} == {1.0, None}
