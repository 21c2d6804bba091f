"""The benchmark of the compressor measures arms that do the same: checked in seconds, at a tiny size."""

import itertools
import json
from types import SimpleNamespace
from unittest.mock import ANY

import pytest
import torch
from torch import nn

from benchmarks.compressor import agreement, bound, compare, report, step_tables
from benchmarks.compressor.plan import FUNCTIONS, LOOP, MASKED, OURS, Plan, arms_of, is_measured
from benchmarks.compressor.sizes import BLANK, LONG_BATCH, SIZES, Case, Sizes
from benchmarks.compressor.step_sizes import STEPS
from benchmarks.compressor.step_worker import ARMS, PartTimer, StepWorker
from benchmarks.compressor.steps import Chosen, summarise
from benchmarks.compressor.systems import build_compressor
from benchmarks.compressor.work import draw_labels, make_batch
from benchmarks.compressor.worker import Arm, Worker, start
from benchmarks.measuring.rounds import Timings
from fairseq_samu.ops.segmentation import find_segments

TINY = SIZES["tiny"]


@pytest.fixture(scope="module")
def step_worker():
    return StepWorker("tiny-step")


def run_lengths(row):
    return [(label, len(list(run))) for label, run in itertools.groupby(row)]


def test_labels_come_as_from_a_trained_head():
    labels = draw_labels([20000], 100, torch.Generator().manual_seed(3))[0].tolist()
    runs = run_lengths(labels)
    spikes = [length for label, length in runs if label != BLANK]
    assert 3.5 < len(labels) / len(runs) < 4.3
    assert set(spikes) == {1, 2} and 1.25 < sum(spikes) / len(spikes) < 1.35
    assert 0.8 < labels.count(BLANK) / len(labels) < 0.84
    assert 0.8 < (len(runs) - len(spikes)) / len(spikes) < 0.9


@pytest.mark.parametrize("labels", [3, 8])
def test_a_batch_has_the_segments_that_it_says(labels):
    batch = make_batch(40, 4, 6, labels)
    found = find_segments(batch.logits.argmax(dim=-1), batch.padding_mask, BLANK)
    assert found.counts.tolist() == batch.segments.tolist()
    assert (~batch.padding_mask).sum(dim=1).tolist() == [40, 38, 36, 34]
    assert batch.incoming.shape == (*found.padding_mask.shape, 6)
    assert torch.equal((batch.incoming == 0).all(dim=2), found.padding_mask)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_all_arms_compute_the_same(function):
    arms = arms_of(function)
    assert arms[0].name == OURS and arms[-1].name == LOOP
    assert 0.0 < agreement.check_functions(arms, TINY) < agreement.EXACT


@pytest.mark.parametrize("function", ["segment", "global"])
def test_the_oracle_of_numbers_computes_the_same(function):
    batch = make_batch(14, 2, TINY.dim, TINY.labels)
    arms = (Arm(name, name, function) for name in ("loop", "numbers"))
    frames = batch.frames.double()
    with torch.no_grad():
        loop, numbers = (
            build_compressor(arm, TINY).double()(frames, batch.logits.double(), batch.padding_mask) for arm in arms
        )
    torch.testing.assert_close(numbers[0], loop[0], rtol=0, atol=1e-9)
    assert torch.equal(numbers[1], loop[1])


@pytest.mark.parametrize(("system", "functions"), [("matrix", ("avg", "weighted")), ("loop", ("segment", "global"))])
def test_arms_that_compute_something_else_are_refused(system, functions):
    arms = [Arm("ours", "ours", functions[0]), Arm("other", system, functions[1])]
    with pytest.raises(ValueError, match="other computes another output than ours"):
        agreement.check_functions(arms, TINY)


@pytest.mark.parametrize("name", [*agreement.NORMS, "segments"])
def test_arms_that_did_other_work_are_refused(name):
    arms = [Arm("ours", "ours", "avg"), Arm("matrix", "matrix", "avg")]
    same = {"output": 1.0, "gradient": 2.0, "weight_gradient": 0.0, "segments": 7}
    agreement.check_norms(arms, {"ours": same, "matrix": same})
    with pytest.raises(ValueError, match="matrix did other work than ours"):
        agreement.check_norms(arms, {"ours": same, "matrix": {**same, name: same[name] + 1}})


def test_a_worker_tells_what_it_did():
    worker = Worker(Arm("ours", "ours", "segment"), "tiny", "cpu")
    worker.choose(40, 3)
    forward, both = worker.forward(), worker.both()
    assert forward["output"] == pytest.approx(both["output"], rel=1e-6) and both["output"] > 1
    assert forward["gradient"] == forward["weight_gradient"] == 0
    assert both["gradient"] > 0 and both["weight_gradient"] > 0
    assert worker.extra_bytes("both") >= 0 and worker.both() == {**both, "seconds": ANY}
    assert both["segments"] == int(make_batch(40, 3, TINY.dim, TINY.labels).segments.sum())


def test_long_batches_are_measured_less():
    full = SIZES["full"]
    assert {3000, 64} == {max(case.frames for case in full.cases()), max(case.rows for case in full.cases())}
    assert Sizes.rounds(Case(LONG_BATCH, 1), 5) == 5 and Sizes.rounds(Case(LONG_BATCH + 1, 1), 5) == 2
    longest = Case(3000, 64)
    assert [arm.name for arm in arms_of("segment") if not is_measured(arm, longest, full)] == [MASKED, LOOP]
    assert all(is_measured(arm, Case(250, 1), full) for function in FUNCTIONS for arm in arms_of(function))


def cases(seconds, memory=lambda frames: frames):
    return [
        {
            "frames": frames,
            "rows": 8,
            "rounds": 2,
            "ratio": 4.0,
            "arms": {
                name: {
                    task: {
                        "median": seconds(frames),
                        "extra_bytes": memory(frames),
                        "ours_times_faster": {"median": 25.0 if name == LOOP else 1.0},
                    }
                    for task in ("forward", "both")
                }
                for name in (OURS, LOOP)
            },
        }
        for frames in (250, 500, 1000, 2000)
    ]


@pytest.mark.parametrize(("exponent", "met"), [(1.0, True), (1.2, False)])
def test_growth_is_judged_by_its_power(exponent, met):
    part = {"cases": cases(lambda frames: 0.001 * frames**exponent)}
    found = report.growths(part["cases"], "both")
    assert found["time"][8] == pytest.approx(exponent) and found["memory"][8] == pytest.approx(1.0)
    rows = report.goals({"segment": part})
    assert [row[3] for row in rows] == [met, True, True, True]
    part["cases"][1]["arms"][LOOP]["both"]["ours_times_faster"]["median"] = 19.0
    assert [row[3] for row in report.goals({"segment": part})] == [met, True, True, False]


def test_the_timer_counts_forward_and_backward_of_the_compressor_alone():
    class Doubling(nn.Module):
        def forward(self, frames, logits, padding_mask):
            ticks.append("forward")
            assert logits is trained
            return SimpleNamespace(frames=2.0 * frames)

    ticks, trained = [], torch.ones(1, 3, 5)
    clock = itertools.count().__next__
    timer, compressor = PartTimer(lambda: float(clock()), trained), Doubling()
    timer.watch(compressor)
    frames = torch.randn(1, 3, 2, requires_grad=True)
    before = frames * 3.0
    loss = (compressor(before, torch.zeros(1, 3, 5), torch.zeros(1, 3).bool()).frames * 5.0).sum() + before.sum()
    assert timer.seconds == 1
    loss.backward()
    assert timer.seconds == 2  # the clock was asked twice more
    assert torch.equal(frames.grad, torch.full_like(frames, 33.0))
    with pytest.raises(ValueError, match="the encoder gives"):
        compressor(before, torch.zeros(1, 4, 5), None)


def test_steps_repeat_and_differ_only_by_the_compressor(step_worker):
    results = {}
    for arm in ARMS:
        step_worker.choose(arm)
        results[arm] = step_worker.train()
        assert step_worker.train()["loss"] == results[arm]["loss"]
    assert len({result["loss"] for result in results.values()}) == len(ARMS)
    assert results["off"]["compressor"] == 0
    assert all(0 < results[arm]["compressor"] < results[arm]["seconds"] for arm in ARMS if arm != "off")
    assert 2 < step_worker.ratio() < 6
    step_worker.choose("segment")
    counts = step_worker.count_parameters()
    dim, ffn = STEPS["tiny-step"].text["dim"], STEPS["tiny-step"].text["ffn_dim"]
    assert counts["compressor"] == 4 * dim * (dim + 1) + 2 * dim * ffn + ffn + dim + 3 * 2 * dim
    step_worker.choose("off")
    assert step_worker.count_parameters() == {"all": counts["all"], "compressor": 0}


def test_goals_of_steps_that_are_missed_are_shown(step_worker):
    told = []
    worker = SimpleNamespace(call=lambda *asked: told.append(asked))
    Chosen(worker, "segment").call("train")
    assert told == [("choose", "segment"), ("train",)]

    def timing(seconds, inside):
        results = [{"seconds": seconds, "compressor": inside, "loss": 1.0}]
        return Timings([seconds], results[0], results=results)

    off = timing(4.0, 0.0)
    for seconds, inside, met in ((2.0, 0.1, [True, True]), (5.0, 0.5, [False, False])):
        arms = {"segment": summarise(timing(seconds, inside), off)}
        assert [row[3] for row in step_tables.step_goals({"study": {"arms": arms}})] == met


def test_batches_that_were_measured_before_stay(tmp_path):
    def results(rows):
        part = {"cases": cases(float), "largest_difference": 0.0, "load_before": 0.0}
        machine = {name: 0 for name in ("cpu", "cores", "threads", "memory_bytes", "load_before")}
        machine |= {"versions": {}, "date": "", "instructions": "", "python": ""}
        for case in part["cases"]:
            case["rows"] = rows
        return {"avg": part, "size": "tiny", "rounds": 1, "clock": "cpu", "machine": machine}

    compare.keep(tmp_path, results(8))
    compare.keep(tmp_path, results(1))
    kept = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert [case["rows"] for case in kept["avg"]["cases"]] == [1] * 4 + [8] * 4
    assert "| 2000 | 8 | 2 | 4.0 |" in (tmp_path / "results.md").read_text("utf-8")


@pytest.mark.slow
def test_processes_measure_and_report():
    told = []
    results = compare.measure(Plan("tiny", 1, 1, "cpu", (1,)), ["global"], keep=lambda found: told.append(1))
    assert len(told) == 2 == len(results["global"]["cases"])
    found = results["global"]["cases"][0]["arms"]
    assert set(found) == {arm.name for arm in arms_of("global")}
    assert "### Looking back at all frames" in report.write_report(results)


@pytest.mark.slow
def test_the_bound_is_measured():
    found = bound.measure_bound(Plan("tiny", 1, 1, "cpu"))
    assert set(found["arms"]) == set(bound.EXPLAINED)
    assert all(arm["operations"] > 0 and arm["share_of_products"] > 0 for arm in found["arms"].values())
    assert any(line.startswith(f"| {OURS} |") for line in bound.describe_bound(found))


def test_a_process_of_an_arm_measures():
    remote = start(Arm("loop", "loop", "global"), "tiny", "cpu", 1)
    remote.call("choose", 12, 1)
    assert remote.call("both")["seconds"] > 0
    assert remote.call("peak_bytes") > 1 << 20
    remote.close()
