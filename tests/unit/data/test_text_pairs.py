"""Pairs of texts: lengths, limits, noise, and rows to decode."""

import numpy as np
import pytest

pytest.importorskip("fairseq", reason="the dataset is the host's kind")

from fairseq_samu.data.dataset_options import DatasetOptions
from fairseq_samu.data.manifest import read_manifest, write_manifest
from fairseq_samu.data.targets import required_columns
from fairseq_samu.data.text_pairs import TextPairDataset
from fairseq_samu.errors import ManifestError
from tests.unit.data.test_targets import FakeVocabulary

PAIRS = [("ano", "yes"), ("dobrý den", "good day"), ("ne", "no"), ("a" * 30, "b"), ("c", "d" * 30)]


class Doubling:
    """Noise for tests: says when and of which row it was asked, and puts one blank in front."""

    max_share = 0.5

    def __init__(self):
        self.asked = []

    def noise(self, tokens, epoch, row):
        self.asked.append((tokens.tolist(), epoch, row))
        return np.concatenate([[0], tokens])


@pytest.fixture
def make(tmp_path):
    def build(training=True, noise=None, without=(), pairs=PAIRS, **limits):
        texts = [
            {"id": n, "src_text": s, "src_lang": "cs", "tgt_text": t, "tgt_lang": "en"}
            for n, (s, t) in enumerate(pairs)
        ]
        columns = [name for name in texts[0] if name not in without]
        write_manifest(tmp_path / "pairs.tsv", [{c: row[c] for c in columns} for row in texts], columns)
        manifest = read_manifest(tmp_path / "pairs.tsv", required_columns(["mt"], not without, "en" if without else ""))
        options = DatasetOptions(audio_root=tmp_path, training=training, max_audio_seconds=0.01)
        return TextPairDataset(manifest, FakeVocabulary(), options, noise, language="en" if without else "", **limits)

    return build


def test_a_row_holds_both_texts(make):
    item = make()[1]
    assert item.source_tokens.tolist() == list(map(ord, "dobrý den"))
    assert item.target.tokens.tolist() == [10, *map(ord, "good day"), 2]
    assert (item.target.task, item.target.tag, item.index, item.language) == ("mt", 10, 1, None)


def test_lengths_count_the_tokens_of_both_texts_and_limits_on_audio_do_not_hold(make):
    dataset = make()
    assert len(dataset) == 5
    expected = [len(source) + len(target) + 2 for source, target in PAIRS]
    assert dataset.num_tokens_vec(np.arange(5)).tolist() == expected
    assert [dataset[index].num_samples for index in range(5)] == expected
    assert dataset.size(3) == expected[3]


def test_batches_keep_their_limit_and_every_row(make):
    dataset = make()
    batches = dataset.batch_by_size(dataset.ordered_indices(), max_tokens=40, required_batch_size_multiple=8)
    assert sorted(row for batch in batches for row in batch) == list(range(5))
    assert all(len(batch) * max(dataset.num_tokens(row) for row in batch) <= 40 for batch in batches)
    assert [len(batch) for batch in batches] == [2, 1, 1, 1]


def test_an_own_limit_goes_before_that_of_the_host(make):
    dataset = make(max_batch_tokens=40)
    batches = dataset.batch_by_size(dataset.ordered_indices(), max_tokens=1000000)
    assert batches == make().batch_by_size(dataset.ordered_indices(), max_tokens=40)


def test_training_leaves_out_what_positions_do_not_reach(make, caplog):
    assert make(max_positions=29).rows.tolist() == [0, 1, 2]
    assert "2 of 5 rows are left out of training" in caplog.text
    assert "the first: 3, 4" in caplog.text
    assert make(max_positions=30).rows.tolist() == [0, 1, 2, 3]  # tag and end count: 32 tokens
    assert make(max_positions=32).rows.tolist() == [0, 1, 2, 3, 4]


def test_noise_must_fit_into_the_positions(make):
    assert make(max_positions=44, noise=Doubling()).rows.tolist() == [0, 1, 2, 4]
    assert make(max_positions=45, noise=Doubling()).rows.tolist() == [0, 1, 2, 3, 4]


def test_training_needs_a_row_that_fits(make):
    with pytest.raises(ManifestError, match="at most 2 tokens long, one pair of them"):
        make(max_positions=2)


def test_what_is_not_for_training_is_never_left_out(make):
    with pytest.raises(ManifestError) as caught:
        make(training=False, max_positions=29)
    assert "pairs.tsv:5: `src_text` must be at most 29 tokens long, but is '30 tokens'" in str(caught.value)
    assert "pairs.tsv:6: `tgt_text` must be at most 29 tokens long, but is '32 tokens'" in str(caught.value)


def test_noise_is_for_the_source_in_training_and_knows_epoch_and_row(make):
    noise = Doubling()
    dataset = make(noise=noise)
    dataset.set_epoch(3)
    item = dataset[2]
    assert noise.asked == [([ord("n"), ord("e")], 3, 2)]
    assert item.source_tokens.tolist() == [0, ord("n"), ord("e")]
    assert item.target.tokens.tolist() == [10, *map(ord, "no"), 2]
    assert make(training=False, noise=noise)[2].source_tokens.tolist() == [ord("n"), ord("e")]


def test_rows_without_targets_are_decoded_all_of_them(make):
    dataset = make(training=False, without=("tgt_text", "tgt_lang", "src_lang"))
    assert not dataset.has_texts
    rows = dataset.ordered_indices()
    assert sorted(rows) == list(range(5))
    assert dataset.num_tokens_vec(np.arange(5)).tolist() == [len(source) for source, _ in PAIRS]
    batch = dataset.collater([dataset[row] for row in rows])
    assert batch["target"] is None
    assert batch["target_tag"].tolist() == [10] * 5
    assert batch["net_input"]["source_tokens"].shape == (5, 30)


def test_an_empty_text_is_named_with_its_place(make):
    with pytest.raises(ManifestError, match=r"pairs\.tsv:3: `src_text` must be filled in every row"):
        make(pairs=[("a", "b"), (" ", "c")])


def test_nothing_is_cached(make):
    assert make().use_cache(None, None, 1) == 0.0
