"""The benchmark of translation measures systems that do the same: checked in seconds, at a tiny size."""

from collections import Counter

import pytest
import torch

from benchmarks.measuring.products import ProductRecorder, operations, time_alone
from benchmarks.translation import adapters, report
from benchmarks.translation.sizes import SIZES, TAG
from benchmarks.translation.weights import kept_tokens, random_state
from benchmarks.translation.work import one_batch, real_batches
from benchmarks.translation.worker import Arm, Worker

SYSTEMS = ("fairseq", "huggingface", "ours")
TINY = SIZES["tiny"]


@pytest.fixture(scope="module")
def workers():
    pytest.importorskip("transformers")
    return {name: Worker(Arm(name, name, "tiny")) for name in SYSTEMS}


def test_systems_have_the_same_parameters(workers):
    counts = {name: worker.count_parameters() for name, worker in workers.items()}
    assert counts["fairseq"] == counts["huggingface"] == counts["ours"]
    assert 0 < counts["ours"]["tuned"] < counts["ours"]["all"] / 2


def test_systems_have_equal_losses_and_gradients(workers):
    losses, norms = {}, {}
    for name, worker in workers.items():
        losses[name] = worker.train()["loss"]
        norms[name] = sum(parameter.grad.norm().item() for parameter in worker.system.tuned())
    assert losses["fairseq"] == pytest.approx(losses["ours"], rel=1e-5)
    assert losses["huggingface"] == pytest.approx(losses["ours"], rel=1e-5)
    assert norms["fairseq"] == pytest.approx(norms["ours"], rel=1e-4)
    assert norms["huggingface"] == pytest.approx(norms["ours"], rel=1e-4)


def test_systems_write_equal_hypotheses(workers):
    found = {name: worker.decode()["hypotheses"] for name, worker in workers.items()}
    assert found["fairseq"] == found["huggingface"] == found["ours"]
    assert all(row[0] == TAG for row in found["ours"])
    assert 3 < max(len(row) for row in found["ours"]) < TINY.max_tokens


@pytest.mark.parametrize("options", [{"cache_features": True}, {"chunked_loss": False}])
def test_exact_levers_do_not_change_the_loss(workers, options):
    lever = Worker(Arm("lever", "ours", "tiny", options=options))
    assert lever.train()["loss"] == pytest.approx(workers["ours"].train()["loss"], rel=1e-5)


def test_a_trimmed_vocabulary_is_smaller_and_keeps_its_rows():
    whole, trimmed = random_state(TINY), random_state(TINY, trim=True)
    name = "decoder.embed_tokens.weight"
    assert trimmed[name].size(0) == TINY.trimmed < TINY.vocabulary
    assert torch.equal(trimmed[name], whole[name][kept_tokens(TINY)])
    assert len(kept_tokens(TINY).unique()) == TINY.trimmed


def test_sorted_batches_hold_the_same_recordings_with_less_padding():
    mixed, tidy = real_batches(TINY, sort=False), real_batches(TINY, sort=True)
    assert sorted(n for batch in mixed for n in batch.lengths.tolist()) == [
        n for batch in tidy for n in batch.lengths.tolist()
    ]
    assert sum(batch.wave.numel() for batch in tidy) <= sum(batch.wave.numel() for batch in mixed)


def test_operations_of_products_are_counted():
    first, second = torch.randn(2, 3, requires_grad=True), torch.randn(3, 5)
    wave, weight = torch.randn(1, 4, 10), torch.randn(6, 4, 3)
    queries = torch.randn(2, 2, 7, 4)
    with ProductRecorder() as recorder:
        (first @ second).sum().backward()  # forward, and the gradient of `first`
        torch.nn.functional.conv1d(wave, weight)
        torch.nn.functional.scaled_dot_product_attention(queries, queries, queries)
    expected = 2 * (2 * 2 * 3 * 5) + 2 * 6 * 8 * 4 * 3 + 2 * (2 * 4 * 7 * 7 * 4)
    assert operations(recorder.products) == expected
    assert time_alone(recorder.products) > 0
    assert time_alone(Counter()) == 0


def test_the_tuned_part_is_a_small_file():
    found = adapters.measure("tiny")
    assert found["adapter_bytes"] < found["whole_bytes"]
    assert found["share"] == found["adapter_bytes"] / found["whole_bytes"]


def test_goals_that_are_missed_are_shown():
    results = {
        "training": {
            "systems": {
                "fairseq": {"ours_times_faster": 1.2, "exact_times_faster": 1.6},
                "huggingface": {"ours_times_faster": 1.05, "exact_times_faster": 1.5},
                "ours": {"ours_times_faster": 1.0, "share_of_bound": 0.9},
            }
        },
        "adapters": {"share": 0.13},
    }
    reached = {name: met for name, _, _, met in report.goals(results)}
    assert reached == {
        "training: faster than the faster peer": False,
        "training: share of the products' bound": True,
        "training, exact levers: faster than the faster peer": True,
        "file of the tuned part: share of the whole": False,
    }


def test_batches_are_padded_at_the_end():
    batch = one_batch(TINY)
    assert batch.wave[0, batch.lengths[0] :].abs().max() == 0 < batch.wave[0, : batch.lengths[0]].abs().max()
    assert torch.equal(
        batch.prev_output_tokens[:, 1:][batch.target[:, 1:].ne(1)], batch.target[:, :-1][batch.target[:, 1:].ne(1)]
    )
