"""The feature cache keeps what was written, and survives a writer that was cut off."""

import pickle

import numpy as np
import pytest

from fairseq_samu.data.feature_cache import FeatureCache, audio_key
from fairseq_samu.errors import ConfigError

DIM = 4


def encode(waves):
    return [np.repeat(wave[:1], DIM)[None, :].repeat(len(wave) // 2, axis=0) for wave in waves]


def fill(cache, count, calls=None, fail_at=None):
    def read(position):
        if position == fail_at:
            raise KeyboardInterrupt
        if calls is not None:
            calls.append(position)
        return np.full(2 + 2 * position, position, dtype=np.float32)

    return cache.build([(f"k{i}", 2 + 2 * i) for i in range(count)], read, encode, batch_samples=20)


def test_written_frames_are_read_back(tmp_path):
    cache = FeatureCache(tmp_path, "abc", DIM)
    assert fill(cache, 6) > 0
    for opened in (cache, FeatureCache(tmp_path, "abc", DIM), pickle.loads(pickle.dumps(cache))):
        assert len(opened) == 6
        for i in range(6):
            assert opened.get(f"k{i}").shape == (1 + i, DIM)
            assert (opened.get(f"k{i}") == i).all()


def test_an_interrupted_build_goes_on_where_it_stopped(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fill(FeatureCache(tmp_path, "abc", DIM), 8, fail_at=6)
    cache = FeatureCache(tmp_path, "abc", DIM)
    kept = len(cache)
    assert 0 < kept < 8
    calls = []
    fill(cache, 8, calls)
    assert len(calls) == 8 - kept
    assert len(cache) == 8
    assert cache.build_seconds > 0


def test_bytes_of_a_killed_writer_are_not_believed(tmp_path):
    cache = FeatureCache(tmp_path, "abc", DIM)
    fill(cache, 3)
    with (cache.folder / "frames.f16").open("ab") as file:
        file.write(b"\x01\x02\x03")
    with (cache.folder / "index.tsv").open("a") as file:
        file.write("k3\t900\t5\nk4\t6")
    cache = FeatureCache(tmp_path, "abc", DIM)
    assert len(cache) == 3
    fill(cache, 6)
    fresh = FeatureCache(tmp_path, "abc", DIM)
    assert all((fresh.get(f"k{i}") == i).all() and len(fresh.get(f"k{i}")) == 1 + i for i in range(6))


def test_encoders_do_not_share_frames(tmp_path):
    fill(FeatureCache(tmp_path, "abc", DIM), 2)
    assert len(FeatureCache(tmp_path, "other", DIM)) == 0


def test_unusable_recordings_are_left_out(tmp_path):
    cache = FeatureCache(tmp_path, "abc", DIM)
    cache.build([("bad", 4), ("good", 4)], lambda i: None if i == 0 else np.ones(4, np.float32), encode, 100)
    assert "bad" not in cache
    assert "good" in cache


def test_keys_tell_bytes_and_speeds_apart():
    keys = {audio_key(b"a", 1.0), audio_key(b"b", 1.0), audio_key(b"a", 0.9), audio_key(b"a", 1.1)}
    assert len(keys) == 4
    assert audio_key(b"a", 1.0) == audio_key(b"a", 1.0)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="feature_cache"):
        FeatureCache(tmp_path / "file", "abc", DIM)
