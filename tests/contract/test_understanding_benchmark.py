"""The benchmark of understanding measures systems that do the same: checked in seconds, at a tiny size."""

import os
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.measuring.process import RemoteWorker
from benchmarks.measuring.products import ProductRecorder, operations, time_alone
from benchmarks.measuring.rounds import Timings
from benchmarks.understanding import compare, report
from benchmarks.understanding.sizes import FIRST_LABEL, PAD, SIZES
from benchmarks.understanding.weights import write_state
from benchmarks.understanding.work import make_batch
from benchmarks.understanding.worker import Arm, Worker, start

TINY = SIZES["tiny"]
PEER_PYTHON = os.environ.get("SPEECHBRAIN_PYTHON", "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("weights")
    write_state(made, TINY)
    return made


@pytest.fixture(scope="module")
def worker(folder):
    return Worker(Arm("ours", "ours"), "tiny", folder)


@pytest.fixture
def few_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("size", SIZES)
def test_lengths_mean_the_same_frames_in_both_systems(size, worker):
    batch = make_batch(SIZES[size])
    frames = worker.system.model.encoder.count_frames(batch.lengths)
    shares = batch.shares * frames.max()
    assert torch.equal(shares.round().long(), frames)  # SpeechBrain's loss and best path
    assert torch.equal(shares.long(), frames)  # its packed sequences and beam search
    assert torch.equal(
        (batch.label_lengths / batch.labels.size(1) * batch.labels.size(1)).round().long(), batch.label_lengths
    )
    assert bool((batch.label_lengths * 2 < frames).all())


def test_a_batch_has_labels_an_end_and_padding():
    batch = make_batch(TINY)
    for row, count in zip(batch.labels, batch.label_lengths.tolist(), strict=True):
        assert bool((row[:count] >= FIRST_LABEL).all())
        assert row[count:].tolist() == [2] + [PAD] * (len(row) - count - 1)
    assert batch.wave[0, batch.lengths[0] :].abs().max() == 0 < batch.wave[0, : batch.lengths[0]].abs().max()


def test_the_peers_encoder_and_head_compute_what_ours_do(folder, worker):
    transformers = pytest.importorskip("transformers")
    encoder = transformers.Wav2Vec2Model.from_pretrained(folder / "encoder").train()
    batch, model = worker.batch, worker.system.model
    head = model.slu_head
    with torch.no_grad():
        states = encoder(batch.wave, attention_mask=~batch.padding_mask).last_hidden_state
        lengths = model.encoder.count_frames(batch.lengths)
        packed = nn.utils.rnn.pack_padded_sequence(states, lengths, batch_first=True, enforce_sorted=False)
        outputs = nn.utils.rnn.pad_packed_sequence(nn.LSTM.forward(head.lstm, packed)[0], batch_first=True)[0]
        expected = torch.log_softmax(head.output(nn.functional.leaky_relu(head.hidden(outputs))), dim=-1)
    model.eval()
    found = worker.system.log_probs(batch)
    valid = torch.arange(found.size(1)) < lengths[:, None]
    torch.testing.assert_close(found[valid], expected[valid], rtol=1e-3, atol=1e-3)
    assert worker.train()["loss"] == pytest.approx(
        nn.functional.ctc_loss(expected.transpose(0, 1), batch.labels, lengths, batch.label_lengths).item(), rel=1e-4
    )


def test_steps_repeat_and_differ_only_by_what_is_named(folder, worker):
    before = worker.train()["loss"]
    assert worker.train()["loss"] == before
    frozen = Worker(Arm("frozen", "ours", {"freeze": True}), "tiny", folder)
    cached = Worker(Arm("cached", "ours", {"freeze": True, "cached": True}), "tiny", folder)
    both = Worker(Arm("both", "ours", {"semantic_weight": 1.0}), "tiny", folder)
    assert frozen.train()["loss"] == pytest.approx(before, rel=1e-5)
    assert cached.train()["loss"] == pytest.approx(before, rel=1e-2)
    assert cached.gradient_norm() == pytest.approx(frozen.gradient_norm(), rel=1e-2)
    assert 0.0 < both.train()["loss"] - before < 2.0
    assert frozen.count_parameters()["tuned"] < worker.count_parameters()["tuned"] < worker.count_parameters()["all"]


def test_decoding_writes_labels(worker):
    greedy, beam = worker.greedy()["labels"], worker.beam()["labels"]
    assert beam == worker.search()["labels"]
    assert sum(map(len, greedy)) > 3
    assert all(label >= FIRST_LABEL for row in [*greedy, *beam] for label in row)


def test_products_of_a_fused_lstm_are_counted(few_threads):
    lstm = nn.LSTM(6, 5, bidirectional=True)
    frames = torch.randn(7, 2, 6, requires_grad=True)
    with ProductRecorder() as recorder:
        lstm(frames)[0].sum().backward()
    forward = 7 * 2 * 20 * (6 + 5)
    assert operations(recorder.products) == 2 * 2 * 3 * forward  # multiplications and additions, directions, passes
    assert time_alone(Counter(recorder.products)) > 0


@pytest.mark.parametrize("fault", ["loss", "gradient_norm", "parameters"])
def test_systems_that_do_other_work_are_refused(fault):
    timings = {name: Timings([1.0], {"loss": 2.0, "audio": 4.0}) for name in ("speechbrain", "ours")}
    found = {
        name: {"gradient_norm": 3.0, "parameters": {"all": 9}, "bound_seconds": 0.5, "operations": 10}
        for name in timings
    }
    assert compare.judge_training(timings, found)["systems"]["ours"]["share_of_bound"] == 0.5
    if fault == "loss":
        timings["speechbrain"].result = {"loss": 2.001, "audio": 4.0}
    else:
        found["speechbrain"][fault] = 3.01
    with pytest.raises(ValueError, match="the systems"):
        compare.judge_training(timings, found)


def test_other_labels_by_best_path_are_refused():
    def timing(labels):
        return Timings([1.0], {"labels": labels, "audio": 1.0})

    same = {"speechbrain": timing([[4]]), "ours": timing([[4]])}
    other = {"speechbrain": timing([[4]]), "ours": timing([[5]])}
    assert compare.judge_decoding({"greedy": same, "beam": other})["beam"]["speechbrain"]["equal"] == 0
    with pytest.raises(ValueError, match="other labels"):
        compare.judge_decoding({"greedy": other, "beam": same})


def test_goals_that_are_missed_are_shown():
    def faster(median, **more):
        return {"ours_times_faster": {"median": median, "low": median, "high": median}, **more}

    padded = "speechbrain, padding read"
    cached = {name: {"cached_times_faster": {"median": x, "low": 1, "high": 9}} for name, x in ((0, 5.1), (1, 4.9))}
    results = {
        "frozen": {"systems": {"speechbrain": faster(1.2, **cached[0]), padded: faster(1.05, **cached[1])}},
        "decoding": {name: {"speechbrain": faster(2.0)} for name in ("greedy", "beam", "search")},
    }
    assert [met for *_, met in report.goals(results)] == [True, False, True, False, True, True, True]


def test_a_failing_process_tells_why(folder):
    with pytest.raises(RuntimeError, match=r"broken: .*no_such_option"):
        RemoteWorker("broken", "benchmarks.understanding.worker:build", {"no_such_option": 1}, 1)


@pytest.mark.skipif(not PEER_PYTHON, reason="SPEECHBRAIN_PYTHON names no interpreter of an environment with it")
def test_the_whole_comparison_runs(tmp_path):
    told = []
    compare.measure(compare.Plan("tiny", 1, 1, PEER_PYTHON), keep=lambda results: told.append(sorted(results)))
    assert len(told) == len(compare.PARTS)
    assert {"tuned", "frozen", "decoding"} <= set(told[-1])


def test_a_process_measures(folder: Path):
    remote = start(Arm("ours", "ours", {"freeze": True}), "tiny", folder, "cpu", 1, "unused")
    remote.call("forget_peak")
    assert remote.call("train")["seconds"] > 0
    assert remote.call("peak_bytes") > 1 << 20
    assert remote.call("profile", "train")
    remote.close()
