"""Batches with a part of every task against a dealing by hand: shares, limits, epochs, workers, dropping."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("fairseq", reason="the dataset is the host's kind")


from fairseq.data.iterators import EpochBatchIterator

from fairseq_samu.data.feature_cache import FeatureCache
from fairseq_samu.data.joint_dataset import JointTaskDataset
from fairseq_samu.data.mixed_corpora import MixedCorpora
from fairseq_samu.errors import ConfigError
from tests.unit.data.numbered_rows import NumberedRows

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=40)
RATIOS = st.sampled_from([0.1, 0.5, 1.0, 1.7])


def join(main, asr, mt, ratios=None, seed=1, **settings):
    parts = {"st": main, "asr": asr, "mt": mt}
    parts = {task: NumberedRows(lengths, n, **settings) for n, (task, lengths) in enumerate(parts.items()) if lengths}
    return JointTaskDataset(parts, ratios or {}, seed)


def batches_of(dataset, epoch=1, **limits):
    """Rows of each task by batch."""
    dataset.set_epoch(epoch)
    joint = dataset.batch_by_size(dataset.ordered_indices(), **(limits or {"max_sentences": 4}))
    return [
        [[i % dataset.stride for i in batch if i // dataset.stride == n] for n in range(len(dataset.parts))]
        for batch in joint
    ]


def deal_by_hand(drawn, sizes, ratio):
    """Rows for batches of the given sizes, one after the other from a sorted draw."""
    shares, given, seen = [], 0, 0
    for size in sizes:
        seen += size
        upto = math.floor(seen / sum(sizes) * len(drawn) + 0.5)
        shares.append(sorted(drawn[given:upto]))
        given = upto
    return shares


@settings(max_examples=60, deadline=None)
@given(LENGTHS, LENGTHS, RATIOS, st.integers(1, 9))
def test_rows_are_dealt_out_in_the_order_of_length(main, other, ratio, rows):
    dataset = join(main, other, [], {"asr": ratio})
    found = batches_of(dataset, 3, max_sentences=rows)
    sizes = [len(own) for own, _ in found]
    total = max(1, round(ratio * len(main)))
    drawn = dataset.parts[1].draw(2 * total, total).tolist()
    assert [sorted(share) for _, share in found] == deal_by_hand(drawn, sizes, ratio)
    assert all(abs(len(share) - ratio * len(own)) <= 1 for own, share in found)
    firsts = [min(other[row] for row in share) for _, share in found if share]
    assert all(late >= early / 1.1 for early, late in pairwise(firsts))


@settings(max_examples=60, deadline=None)
@given(LENGTHS, LENGTHS, LENGTHS, RATIOS, st.integers(1, 200), st.integers(1, 4))
def test_each_part_keeps_the_limit_and_the_main_one_is_as_if_alone(main, asr, mt, ratio, limit, epoch):
    joint = join(main, asr, mt, {"asr": ratio, "mt": 1.0})
    found = batches_of(joint, epoch, max_tokens=limit)
    alone = batches_of(join(main, [], []), epoch, max_tokens=limit)
    assert [own for own, *_ in found] == [own for (own,) in alone]
    assert sorted(row for own, *_ in found for row in own) == list(range(len(main)))
    for batch in found:
        for lengths, rows in zip((main, asr, mt), batch, strict=True):
            assert len(rows) <= 1 or len(rows) * max(lengths[row] for row in rows) <= limit
    total = max(1, round(ratio * len(main)))
    drawn = np.bincount(joint.parts[1].draw((epoch - 1) * total, total), minlength=len(asr))
    used = np.bincount([row for _, share, _ in found for row in share], minlength=len(asr))
    assert (used <= drawn).all()


@settings(max_examples=30, deadline=None)
@given(LENGTHS, LENGTHS, RATIOS)
def test_all_rows_of_a_task_come_before_one_repeats(main, other, ratio):
    dataset = join(main, other, [], {"asr": ratio})
    counts = np.zeros(len(other), dtype=int)
    for epoch in range(1, 8):
        for _, share in batches_of(dataset, epoch):
            counts += np.bincount(share, minlength=len(other))
        assert counts.max() - counts.min() <= 1


def test_a_small_corpus_comes_though_an_epoch_has_few_of_its_task():
    corpora = MixedCorpora([NumberedRows([5] * 99, 1.0), NumberedRows([6], 2.0)])
    dataset = JointTaskDataset({"st": NumberedRows([4] * 40, 0.0), "asr": corpora}, {}, 1)
    drawn = [row for epoch in range(1, 6) for _, share in batches_of(dataset, epoch) for row in share]
    assert np.bincount(drawn).tolist() == [2] * 100


def test_what_does_not_fit_is_counted_and_drawn_again_later(caplog):
    caplog.set_level("INFO")
    dataset = join([10] * 20, [50] * 20, [])
    found = batches_of(dataset, max_tokens=100)
    assert [(len(own), len(share)) for own, share in found] == [(10, 2), (10, 2)]
    assert (
        "asr: 4 of 20 rows drawn from 20 are in 2 joint batches; 16 do not fit and wait for another epoch"
        in caplog.text
    )
    seen = {row for epoch in range(1, 40) for _, share in batches_of(dataset, epoch, max_tokens=100) for row in share}
    assert seen == set(range(20))


def test_chance_and_not_length_chooses_what_fits():
    dataset = join([10] * 8, [10, 60] * 4, [])
    longest = [
        max(dataset.parts[1].lengths[row] for row in share)
        for epoch in range(1, 30)
        for _, share in batches_of(dataset, epoch, max_tokens=80)
    ]
    assert set(longest) == {10, 60}


def test_a_row_comes_though_it_is_longer_than_the_limit():
    assert [len(share) for _, share in batches_of(join([5] * 4, [500] * 4, []), max_tokens=10)] == [1, 1]


def test_batches_depend_on_seed_and_epoch_alone():
    def make(seed):
        return join([5 + n % 7 for n in range(40)], [4 + n % 9 for n in range(30)], [3] * 25, seed=seed)

    first = batches_of(make(1), 2)
    dataset = make(1)
    batches_of(dataset, 1)
    assert batches_of(dataset, 2) == first
    assert batches_of(dataset, 3) != first


def test_another_task_changes_nothing_in_the_others():
    lengths = [5 + n % 7 for n in range(40)]
    both, one = join(lengths, lengths, [3] * 10), join(lengths, lengths, [])
    assert [batch[:2] for batch in batches_of(both, 2)] == batches_of(one, 2)


def test_a_joint_batch_holds_what_its_documentation_says():
    dataset = join([4, 6], [5, 7], [8, 9])
    batch = dataset.collater([dataset[index] for index in (0, 1, 2, 3, 4)])
    assert set(batch) == {"tasks", "id", "nsentences", "ntokens", "grid", "num_skipped", "net_input"}
    assert {task: part["id"].tolist() for task, part in batch["tasks"].items()} == {
        "st": [0, 1],
        "asr": [0, 1],
        "mt": [0],
    }
    assert {task: part["net_input"]["source"].max() for task, part in batch["tasks"].items()} == {
        "st": 0,
        "asr": 1,
        "mt": 2,
    }
    assert batch["id"].tolist() == [0, 1]
    assert (batch["nsentences"], batch["ntokens"], batch["grid"]) == (2, 4 + 6 + 5 + 7 + 8, 12 + 14 + 8)
    assert batch["net_input"] is batch["tasks"]["st"]["net_input"]


def test_unreadable_rows_are_counted():
    dataset = join([4, 6], [5, 7], [])
    batch = dataset.collater([(0, None), dataset[1], (1, None), (1, None)])
    assert batch["num_skipped"] == 3
    assert list(batch["tasks"]) == ["st"]


def test_a_batch_that_is_lost_with_its_main_rows_is_counted_in_the_log(caplog):
    dataset = join([4, 6], [5, 7], [8, 9])
    assert dataset.collater([(0, None), (0, None), dataset[2], dataset[3], (1, None), dataset[4]]) == {}
    assert [record.getMessage() for record in caplog.records] == [
        "a joint batch is left out, because no row of st in it can be read: "
        "3 unreadable rows and 3 others, which num_skipped does not count"
    ]
    assert dataset.collater([]) == {}
    assert len(caplog.records) == 1


def test_a_dropped_task_is_neither_read_nor_collated():
    dataset = join([4, 6], [5, 7], [8, 9])
    held = [dataset[0], dataset[2], dataset[4]]
    dataset.drop("asr")
    assert (dataset.active("asr"), dataset.active("mt"), dataset.active("st")) == (False, True, True)
    assert dataset[2] is None
    assert list(dataset.collater(held)["tasks"]) == ["st", "mt"]
    assert dataset.collater([dataset[index] for index in (0, 2, 4)])["num_skipped"] == 0


@pytest.mark.parametrize("task", ["st", "slu"])
def test_the_main_task_stays(task):
    with pytest.raises(ConfigError, match="dropped task"):
        join([4], [5], []).drop(task)


def iterate(dataset, epoch=1, **options):
    return EpochBatchIterator(
        dataset,
        dataset.collater,
        dataset.batch_by_size(dataset.ordered_indices(), max_sentences=2),
        epoch=epoch,
        **options,
    )


def rows_of(batch):
    return {task: sorted(part["id"].tolist()) for task, part in batch["tasks"].items()}


def test_workers_of_a_training_get_whole_joint_batches():
    dataset = join([4 + n for n in range(12)], [5] * 12, [6] * 12)
    whole = [rows_of(batch) for batch in iterate(dataset).next_epoch_itr()]
    shards = [
        [rows_of(batch) for batch in iterate(dataset, num_shards=2, shard_id=shard).next_epoch_itr()]
        for shard in (0, 1)
    ]
    assert [batch for pair in zip(*shards, strict=True) for batch in pair] == whole
    assert all(len(rows) == 2 for batch in whole for rows in batch.values())


def test_a_resumed_epoch_goes_on_where_it_was():
    dataset = join([4 + n for n in range(12)], [5] * 12, [6] * 12)
    dataset.set_epoch(2)
    unbroken = [rows_of(batch) for batch in iterate(dataset, 2).next_epoch_itr()]
    killed = iterate(dataset, 2)
    running = killed.next_epoch_itr()
    next(running), next(running)
    state = killed.state_dict()
    again = join([4 + n for n in range(12)], [5] * 12, [6] * 12)
    again.set_epoch(state["epoch"])
    resumed = iterate(again, state["epoch"])
    resumed.load_state_dict(state)
    assert [rows_of(batch) for batch in resumed.next_epoch_itr()] == unbroken[2:]


def test_running_data_workers_stop_reading_a_dropped_task():
    read = {task: torch.zeros(40, dtype=torch.int64).share_memory_() for task in ("st", "asr", "mt")}

    def count(task):
        def note(row):
            read[task][row] += 1

        return note

    parts = {task: NumberedRows([5] * 40, n, count(task)) for n, task in enumerate(read)}
    dataset = JointTaskDataset(parts, {}, 1)
    running = iterate(dataset, num_workers=2).next_epoch_itr()
    batches = [next(running) for _ in range(3)]
    assert all(list(batch["tasks"]) == ["st", "asr", "mt"] for batch in batches)
    dataset.drop("asr")
    # each of the two workers holds two fetched batches and may be reading a third
    batches = [next(running) for _ in range(6)]
    after = read["asr"].sum().item()
    rest = list(running)
    assert len(rest) == 20 - 9
    assert all(list(batch["tasks"]) == ["st", "mt"] for batch in rest)
    assert read["asr"].sum().item() == after < 40
    assert (read["st"] == 1).all()
    assert (read["mt"] == 1).all()


def test_one_cache_serves_all_speech(tmp_path):
    dataset = join([4, 6], [5, 7], [])
    served = []
    for part in dataset.parts:
        part.use_cache = lambda *given: served.append(given) or 2.0
    cache = FeatureCache(tmp_path, "0" * 64, 2)
    assert dataset.use_cache(cache, len, 5) == 4.0
    assert served == [(cache, len, 5)] * 2


def test_a_task_may_have_several_corpora():
    corpora = MixedCorpora([NumberedRows([5] * 9, 1.0), NumberedRows([6] * 3, 2.0)])
    dataset = JointTaskDataset({"st": NumberedRows([4] * 12, 0.0), "asr": corpora}, {}, 1)
    assert dataset.stride == 18
    batches = dataset.batch_by_size(dataset.ordered_indices(), max_sentences=4)
    drawn = [index - 18 for batch in batches for index in batch if index >= 18]
    assert sorted(drawn) == [*range(9), 9, 10, 11]
    values = {float(value) for batch in batches for index in batch for value in dataset[index][1].source}
    assert values == {0.0, 1.0, 2.0}
