from itertools import pairwise

import numpy as np
import pytest

from fairseq_samu.errors import ConfigError
from fairseq_samu.inference.segmentation import measure_levels, segment_wave

RATE = 16_000


def speech(seconds, pauses=(), seed=0, noise=1e-4):
    """Loud noise for speech, faint noise for the (start, end) pauses."""
    random = np.random.default_rng(seed)
    wave = random.normal(size=int(seconds * RATE)) * 0.1
    for start, end in pauses:
        cut = slice(int(start * RATE), int(end * RATE))
        wave[cut] = random.normal(size=cut.stop - cut.start) * noise
    return wave.astype(np.float32)


def test_a_short_recording_stays_whole():
    for seconds in (0.01, 5.0, 20.0):
        segments = segment_wave(speech(seconds))
        assert [(s.start, s.end) for s in segments] == [(0, int(seconds * RATE))]


def test_cuts_stand_in_the_middle_of_pauses():
    wave = speech(50.0, [(8.0, 8.5), (16.0, 17.0), (31.0, 31.6)])
    cuts = [segment.end / RATE for segment in segment_wave(wave)]
    assert cuts[0] == pytest.approx(16.5, abs=0.1)
    assert cuts[1] == pytest.approx(31.3, abs=0.1)
    assert cuts[-1] == 50.0


def test_a_longer_pause_wins_over_a_shorter_of_the_same_depth():
    wave = speech(30.0, [(12.0, 12.5), (15.0, 16.0), (18.0, 18.4)])
    assert segment_wave(wave)[0].end / RATE == pytest.approx(15.5, abs=0.1)


@pytest.mark.parametrize("seed", range(30))
def test_segments_are_the_whole_recording_and_within_limits(seed):
    random = np.random.default_rng(seed)
    seconds = float(random.uniform(0.1, 90.0))
    starts = random.uniform(0, seconds, 5)
    wave = speech(seconds, [(start, min(start + 0.4, seconds)) for start in starts], seed)
    segments = segment_wave(wave)
    assert segments[0].start == 0
    assert segments[-1].end == len(wave)
    assert all(a.end == b.start for a, b in pairwise(segments))
    assert all(segment.end - segment.start <= 20 * RATE for segment in segments)
    if len(segments) > 1:
        assert all(segment.end - segment.start >= RATE for segment in segments)


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_silence_and_steady_tones_end(value):
    segments = segment_wave(np.full(61 * RATE, value, dtype=np.float32))
    assert segments[-1].end == 61 * RATE
    assert len(segments) <= 6


def test_active_seconds_leave_pauses_out():
    [segment] = segment_wave(speech(10.0, [(2.0, 6.0)]))
    assert segment.active_seconds == pytest.approx(6.0, abs=0.05)


def test_levels_by_hand():
    wave = np.concatenate([np.full(160, 0.5), np.full(80, 1.0)]).astype(np.float32)
    assert measure_levels(wave).tolist() == pytest.approx([0.25, 0.5])


def test_limits_that_cannot_hold_are_refused():
    with pytest.raises(ConfigError, match="min_seconds"):
        segment_wave(speech(1.0), max_seconds=2.0, min_seconds=1.5)
