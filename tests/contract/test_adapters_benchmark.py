"""The benchmark of adapter tuning measures systems that do the same: checked in seconds, at a tiny size."""

import os

import pytest
import torch

from benchmarks.adapters import compare, report
from benchmarks.adapters.sizes import EOS, PAD, SIZES, SPECIALS, TAG
from benchmarks.adapters.weights import make_state, whisper_names, write_state
from benchmarks.adapters.work import SAMPLE_RATE, SAMPLES_A_FRAME, load_batch, read_batch
from benchmarks.adapters.worker import Arm, Worker, start
from benchmarks.measuring.rounds import Timings

TINY = SIZES["tiny"]
PEER_PYTHON = os.environ.get("PEFT_PYTHON", "")
MATCHED = {"whole_windows": False, "tuned_by": "hooks"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("weights")
    write_state(made, TINY)
    read_batch(TINY).save(made)
    return made


@pytest.fixture(scope="module")
def ours(folder):
    return Worker(Arm("ours", "ours", {"fresh": False}), "tiny", folder)


def test_the_batch_is_real_speech_within_its_bounds(folder):
    batch = read_batch(TINY)
    assert torch.equal(load_batch(folder).wave, batch.wave)
    assert len(batch.lengths) == TINY.utterances
    assert bool((batch.lengths >= TINY.seconds[0] * SAMPLE_RATE).all())
    assert bool((batch.lengths <= TINY.seconds[1] * SAMPLE_RATE).all())
    assert batch.wave.size(1) % SAMPLES_A_FRAME == 0 <= batch.wave.size(1) - batch.lengths.max() < SAMPLES_A_FRAME
    for wave, length, target in zip(batch.wave, batch.lengths, batch.target, strict=True):
        assert wave[:length].abs().max() > 0.01 and not wave[length:].any()
        text = target[target.ne(PAD)].tolist()
        assert (text[0], text[-1]) == (TAG, EOS) and min(text[1:-1]) >= SPECIALS


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_both_tune_about_as_many_parameters(sizes):
    dim, layers = sizes.encoder["dim"], sizes.encoder["num_layers"]
    adapters = layers * (2 * dim * sizes.bottleneck + sizes.bottleneck + dim)
    lora = layers * 2 * 2 * dim * sizes.rank  # of two square matrices
    assert lora == pytest.approx(adapters, rel=compare.COUNT_TOLERANCE)
    assert lora <= adapters


def test_the_norm_of_the_embeddings_has_nothing_to_do():
    state, source = make_state(TINY)
    tokens, positions = state["decoder.embed_tokens.weight"], state["decoder.embed_positions.weight"]
    embedded = tokens[:40] + positions[2:42]
    weight, bias = (state[f"decoder.layernorm_embedding.{name}"] for name in ("weight", "bias"))
    normalised = torch.nn.functional.layer_norm(embedded, embedded.shape[-1:], weight, bias)
    torch.testing.assert_close(normalised, embedded, rtol=1e-5, atol=1e-5)
    assert source == "random weights"
    assert not [name for name in whisper_names(state) if "adapter" in name or "layernorm_embedding" in name]


@pytest.mark.parametrize("whole_windows", [True, False])
def test_the_peer_computes_what_ours_does(folder, ours, whole_windows):
    pytest.importorskip("transformers")
    options = {"tuned_by": "hooks", "whole_windows": whole_windows, "fresh": False}
    peer = Worker(Arm("peer", "huggingface", options), "tiny", folder)
    torch.testing.assert_close(
        torch.from_numpy(peer.frames()), torch.from_numpy(ours.frames(whole_windows)), rtol=1e-3, atol=1e-4
    )
    assert peer.count_parameters() == ours.count_parameters()
    loss = peer.train()["loss"]
    ours.optimizer.zero_grad()
    unmasked = ours.system.unmasked_loss(ours.batch, whole_windows)
    unmasked.backward()
    assert loss == pytest.approx(unmasked.item(), rel=1e-5)
    assert peer.gradient_norm() == pytest.approx(ours.gradient_norm(), rel=1e-3)
    assert peer.train()["loss"] == loss


def test_steps_repeat_and_levers_change_nothing(folder, ours):
    before = ours.train()["loss"]
    assert ours.train()["loss"] == before
    norm = ours.gradient_norm()
    for options in ({"cached": True}, {"recompute": True}, {"products_of_peer": True}):
        lever = Worker(Arm("lever", "ours", {"fresh": False, **options}), "tiny", folder)
        assert lever.train()["loss"] == pytest.approx(before, rel=1e-5)
        assert lever.gradient_norm() == pytest.approx(norm, rel=1e-4)
    fresh = Worker(Arm("fresh", "ours"), "tiny", folder)
    assert fresh.train()["loss"] != pytest.approx(before, rel=1e-3)


def test_fresh_adapters_leave_the_base_as_it_is(folder):
    pytest.importorskip("transformers")
    fresh, peer = (
        Worker(Arm(name, name, options), "tiny", folder) for name, options in (("ours", {}), ("huggingface", MATCHED))
    )
    without = peer.frames()
    for layer in peer.system.base.get_encoder().layers:
        layer._forward_hooks.clear()
    assert (peer.frames() == without).all()
    torch.testing.assert_close(torch.from_numpy(fresh.frames()), torch.from_numpy(without), rtol=1e-3, atol=1e-4)


def test_what_is_kept_is_little_more_than_the_adapters(ours):
    bytes_a_parameter = ours.saved_bytes() / ours.count_parameters()["tuned"]
    assert bytes_a_parameter > 4
    assert ours.saved_bytes() < 4 * ours.count_parameters()["tuned"] + 2_000_000


def timings_of(**losses):
    return {name: Timings([1.0], {"loss": loss, "audio": 4.0}, 10) for name, loss in losses.items()}


@pytest.mark.parametrize("fault", ["loss", "tuned"])
def test_systems_that_do_other_work_are_refused(fault):
    timings = timings_of(ours=2.0) | {compare.MATCHED: timings_of(x=2.1)["x"]}
    found = {name: {"tuned": 100} for name in timings}
    found["ours"]["unmasked_loss"] = 2.1
    judged = compare.judge(timings, found)["systems"]
    assert judged[compare.MATCHED]["memory_share_of_ours"] == 1.0
    if fault == "loss":
        timings[compare.MATCHED].result["loss"] = 2.101
    else:
        found[compare.MATCHED]["tuned"] = 110
    with pytest.raises(ValueError, match="the systems"):
        compare.judge(timings, found)


def test_other_frames_are_refused():
    one = torch.ones(2, 3).numpy()
    frames = {compare.OURS: one, compare.MATCHED: one, compare.HOOKS: one}
    assert compare.require_equal_frames(frames) == 0.0
    with pytest.raises(ValueError, match="the frames"):
        compare.require_equal_frames({**frames, compare.HOOKS: 1.01 * one})


def test_goals_that_are_missed_are_shown():
    def systems(peer, faster, share):
        times = {"median": faster, "low": 1, "high": 9}
        return {"systems": {peer: {"ours_times_faster": times, "memory_share_of_ours": share}}}

    results = {"used": systems(compare.USED, 2.9, 0.3), "matched": systems(compare.MATCHED, 1.2, 0.9)}
    assert [met for *_, met in report.goals(results)] == [False, True, True, False]
    assert report.goals({"levers": {}}) == []


@pytest.mark.skipif(not PEER_PYTHON, reason="PEFT_PYTHON names no interpreter of an environment with it")
def test_the_whole_comparison_runs():
    told = []
    plan = compare.Plan("tiny", 1, 1, PEER_PYTHON)
    results = compare.measure(plan, keep=lambda results: told.append(sorted(results)))
    assert len(told) == len(compare.PARTS)
    assert {name for part in compare.PARTS for name in results[part]["systems"]} == set(report.NAMES)
    assert "PEFT's environment: peft " in report.write_report(results)


def test_a_process_measures(folder):
    remote = start(Arm("ours", "ours"), "tiny", folder, "cpu", 1, "unused")
    remote.call("forget_peak")
    assert remote.call("train")["seconds"] > 0
    held = remote.call("held_bytes")
    assert held > 1 << 20
    assert remote.call("peak_bytes") == pytest.approx(held, rel=0.5)
    remote._process.kill()
    remote._process.wait()
    with pytest.raises(RuntimeError, match="ours: the process died"):
        remote.call("train")
