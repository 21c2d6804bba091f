"""Several tasks over the same speech: every row of each, in batches of one task."""

import numpy as np
import pytest

pytest.importorskip("fairseq", reason="the dataset is the host's kind")

from fairseq_samu.data.dataset_options import DatasetOptions
from fairseq_samu.data.feature_cache import FeatureCache
from fairseq_samu.data.manifest import read_manifest, write_manifest
from fairseq_samu.data.multitask_dataset import MultitaskDataset
from fairseq_samu.data.speech_text_dataset import SpeechTextDataset
from fairseq_samu.data.targets import TargetTexts
from tests.e2e.training import COLUMNS, PROMPTS, row_fields
from tests.unit.data.test_targets import FakeVocabulary


class Tagless(FakeVocabulary):
    def tag(self, language):
        return 9


@pytest.fixture
def dataset(tmp_path):
    rows = [row for row in read_manifest(PROMPTS / "valid.tsv")][:13]
    fields = [{**row_fields(row), "tgt_text": "yes", "tgt_lang": "en"} for row in rows]
    fields.append({**fields[0], "id": "again", "tgt_lang": "de"})
    write_manifest(tmp_path / "train.tsv", fields, [*COLUMNS, "tgt_text", "tgt_lang"])
    manifest = read_manifest(tmp_path / "train.tsv")
    options = DatasetOptions(audio_root=PROMPTS, training=True)
    parts = {
        t: SpeechTextDataset(manifest, options, targets=TargetTexts(manifest, Tagless(), t)) for t in ("st", "asr")
    }
    return MultitaskDataset(parts)


def test_every_row_is_in_one_batch_of_one_task(dataset):
    indices = dataset.ordered_indices()
    assert len(indices) == len(dataset) == 14 + 13  # a recording that stands twice is transcribed once
    batches = dataset.batch_by_size(indices, max_sentences=4, required_batch_size_multiple=8)
    assert sorted(index for batch in batches for index in batch) == sorted(indices.tolist())
    for batch in batches:
        collated = dataset.collater([dataset[index] for index in batch])
        assert {"st": 0, "asr": 1}[collated["task"]] == batch[0] // dataset.stride == batch[-1] // dataset.stride
        assert collated["id"].tolist() == [index % dataset.stride for index in batch]


def test_sizes_are_those_of_the_rows(dataset):
    for index in dataset.ordered_indices()[[0, -1]]:
        assert dataset.size(index) == dataset[index].num_samples


def test_epochs_reach_every_part(dataset):
    dataset.set_epoch(3)
    assert [part.epoch for part in dataset.parts] == [3, 3]


def test_one_cache_serves_all_tasks(dataset, tmp_path):
    cache = FeatureCache(tmp_path / "cache", "0" * 64, 2)
    encoded = []

    def encode(waves):
        encoded.extend(waves)
        return [np.ones((3, 2), np.float16) for _ in waves]

    dataset.use_cache(cache, encode, 16000 * 60)
    assert len(encoded) == len(cache) == 13
    assert all(dataset[index].features.shape == (3, 2) for index in dataset.ordered_indices())
