"""Several corpora of one task: shares, draws, numbering, folders."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("fairseq", reason="the dataset is the host's kind")

from fairseq_samu.data.mixed_corpora import MixedCorpora
from tests.unit.data.numbered_rows import NumberedRows


def mix(sizes, temperature=1.0):
    lengths = [[10 + (7 * row) % 23 for row in range(size)] for size in sizes]
    return MixedCorpora([NumberedRows(rows, value) for value, rows in enumerate(lengths)], temperature)


def draw(dataset, epoch, total=None):
    dataset.set_epoch(epoch)
    return dataset.ordered_indices() if total is None else dataset.draw((epoch - 1) * total, total)


def test_temperature_one_takes_every_row_once():
    dataset = mix([5, 12])
    for epoch in (1, 2):
        assert sorted(draw(dataset, epoch)) == [0, 1, 2, 3, 4, *range(12, 24)]
    assert (draw(dataset, 1) != draw(dataset, 2)).any()


@pytest.mark.parametrize(
    ("temperature", "expected"), [(1.0, [90, 10]), (2.0, [75, 25]), (0.5, [99, 1]), (1e9, [50, 50])]
)
def test_a_corpus_has_the_share_of_the_formula(temperature, expected):
    drawn = draw(mix([90, 10], temperature), 4)
    assert np.bincount(drawn // 90).tolist() == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=3), st.sampled_from([1.0, 1.5, 5.0]), st.integers(1, 20))
def test_all_rows_of_a_corpus_come_before_one_repeats(sizes, temperature, total):
    dataset = mix(sizes, temperature)
    epochs = [draw(dataset, epoch, total) for epoch in range(1, 12)]
    assert {len(rows) for rows in epochs} == {total}
    for number, size in enumerate(sizes):
        own = [rows[rows // dataset.stride == number] % dataset.stride for rows in epochs]
        seen = np.cumsum([len(rows) for rows in own])
        share = size ** (1 / temperature) / sum(other ** (1 / temperature) for other in sizes)
        assert (np.abs(seen - share * total * np.arange(1, 12)) <= 2).all()
        counts = np.zeros(size, dtype=int)
        for rows in own:  # an epoch is in order of length: after each, no row is two readings ahead of another
            counts += np.bincount(rows, minlength=size)
            assert counts.max() - counts.min() <= 1


def test_a_small_corpus_comes_though_epochs_are_short():
    dataset = mix([200, 2])
    drawn = np.concatenate([draw(dataset, epoch, 20) for epoch in range(1, 102)])
    assert np.bincount(drawn).tolist() == [10] * 202


def test_rows_are_nearly_sorted_by_length():
    dataset = mix([30, 60])
    lengths = dataset.num_tokens_vec(draw(dataset, 1))
    assert (lengths[1:] >= lengths[:-1] / 1.1).all()


def test_items_come_from_their_corpus_and_name_no_language_of_it():
    dataset = mix([5, 12])
    item = dataset[12 + 3]
    assert (item.index, item.language, set(item.source)) == (3, None, {1.0})
    batch = dataset.collater([dataset[2], dataset[13]])
    assert batch["id"].tolist() == [2, 1]
    assert "language" not in batch
    assert dataset.size(12 + 3) == dataset.parts[1].lengths[3]


def test_batches_mix_corpora_and_keep_the_limit():
    dataset = mix([40, 40])
    batches = dataset.batch_by_size(draw(dataset, 1), max_tokens=200)
    assert sorted(row for batch in batches for row in batch) == list(range(80))
    assert all(len(batch) * dataset.num_tokens_vec(np.array(batch)).max() <= 200 for batch in batches)
    assert any({row // 40 for row in batch} == {0, 1} for batch in batches)


def test_an_unreadable_row_stays_one():
    dataset = mix([2, 2])
    dataset.parts[1] = type("Broken", (), {"__getitem__": lambda self, index: None})()
    assert dataset[2] is None
    assert dataset.collater([dataset[2], dataset[0]])["num_skipped"] == 1


def test_epochs_reach_every_corpus():
    dataset = mix([2, 2])
    dataset.set_epoch(3)
    assert [corpus.epoch for corpus in dataset.parts] == [3, 3]
    assert replace(dataset.options) == dataset.parts[0].options
