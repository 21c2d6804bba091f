"""The dataset over rows of the embedded corpus: limits, speeds, order, teacher."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("fairseq", reason="the dataset is the host's kind")

from fairseq_samu.data.dataset_options import DatasetOptions, hash_to_integers
from fairseq_samu.data.feature_cache import FeatureCache
from fairseq_samu.data.manifest import read_manifest
from fairseq_samu.data.speech_text_dataset import SpeechTextDataset
from fairseq_samu.errors import ManifestError

PROMPTS = Path(__file__).parents[3] / "manifests" / "prompts"


@pytest.fixture(scope="module")
def manifest():
    return read_manifest(PROMPTS / "valid.tsv")


def make(manifest, **options):
    return SpeechTextDataset(manifest, DatasetOptions(audio_root=PROMPTS, **options))


def test_limits_hold_in_training_and_name_what_they_leave_out(manifest, caplog):
    dataset = make(manifest, training=True, max_audio_seconds=3.0)
    assert (dataset.lengths[dataset.rows] <= 48000).all()
    assert f"{len(manifest) - len(dataset)} of {len(manifest)} rows are left out" in caplog.text
    assert len(make(manifest, max_audio_seconds=3.0)) == len(manifest)


def test_limits_that_leave_nothing_are_an_error(manifest):
    with pytest.raises(ManifestError, match="at least one"):
        make(manifest, training=True, max_audio_seconds=0.01)


def test_speeds_depend_on_epoch_and_row_and_change_the_length(manifest):
    dataset = make(manifest, training=True, speed_factors=(0.9, 1.0, 1.1))
    rows = np.arange(len(manifest))
    first = dataset.speeds(rows)
    assert set(first) == {0.9, 1.0, 1.1}
    index = int(np.flatnonzero(first == 0.9)[0])
    item = dataset[index]
    assert abs(item.num_samples - dataset.num_tokens(index)) <= 1
    assert item.num_samples == pytest.approx(manifest[index].n_frames / 0.9, abs=2)
    dataset.set_epoch(2)
    assert (dataset.speeds(rows) != first).any()
    dataset.set_epoch(1)
    assert (dataset.speeds(rows) == first).all()
    assert (make(manifest, speed_factors=(0.9,)).speeds(rows) == 1.0).all()


def test_items_and_order_repeat(manifest):
    augment_calls = []

    def augment(wave, rng):
        augment_calls.append(float(rng.random()))
        return wave

    dataset = make(manifest, training=True, augment=augment)
    dataset[3], dataset[3]
    dataset.set_epoch(2)
    dataset[3]
    assert augment_calls[0] == augment_calls[1] != augment_calls[2]
    order = dataset.ordered_indices()
    assert sorted(order) == list(range(len(manifest)))
    assert (order == dataset.ordered_indices()).all()


def test_a_column_that_is_absent_is_named(tmp_path):
    path = tmp_path / "bare.tsv"
    path.write_text("id\taudio\tn_frames\na\ta.wav\t16000\n")
    dataset = SpeechTextDataset(read_manifest(path), DatasetOptions(audio_root=tmp_path))
    with pytest.raises(ManifestError, match="--teacher-text-column"):
        dataset.text_of(0)


def test_parts_of_a_talk_are_read_and_cached_apart(tmp_path):
    talk = np.random.default_rng(3).standard_normal((44100 * 4, 2)) * 0.1
    soundfile.write(tmp_path / "talk.flac", talk, 44100)
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.flac", talk[22050 * number : 22050 * (number + 2)], 44100)
    cut = "".join(f"cut{number}\t{number}.flac\t16000\n" for number in range(3))
    parts = "".join(f"part{number}\ttalk.flac:{22050 * number}:44100\t16000\n" for number in range(3))
    (tmp_path / "m.tsv").write_text(f"id\taudio\tn_frames\n{cut}{parts}")
    dataset = SpeechTextDataset(read_manifest(tmp_path / "m.tsv"), DatasetOptions(audio_root=tmp_path))
    waves = [dataset[number].source for number in range(6)]
    for number in range(3):
        np.testing.assert_array_equal(waves[number], waves[number + 3])
    dataset.use_cache(FeatureCache(tmp_path, "f", 1), lambda given: [wave[:5, None] for wave in given], 100_000)
    assert len({dataset.key_of(number, 1.0) for number in range(6)}) == 6
    for number in range(6):
        np.testing.assert_allclose(dataset[number].features[:, 0], waves[number][:5], atol=1e-3)


def test_hashes_are_spread_and_repeat():
    values = np.arange(30000)
    drawn = hash_to_integers(values, (1, 2, 3)) % np.uint64(3)
    assert (drawn == hash_to_integers(values, (1, 2, 3)) % np.uint64(3)).all()
    assert np.bincount(drawn.astype(int)).min() > 9700
    assert (hash_to_integers(values[5:6], (1, 2, 3)) % np.uint64(3))[0] == drawn[5]
