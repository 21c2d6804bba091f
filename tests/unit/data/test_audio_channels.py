"""One channel of a recording alone, such as the caller's side of a telephone dialogue."""

import numpy as np
import pytest
import soundfile

from fairseq_samu.data.audio import read_audio
from fairseq_samu.errors import AudioError


def tone(rate, hertz):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(rate) / rate)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_channel_is_what_it_is_in_a_file_of_its_own(tmp_path, rate):
    sides = [tone(rate, 440.0), tone(rate, 700.0)]
    soundfile.write(tmp_path / "stereo.wav", np.stack(sides, axis=1), rate)
    for number, side in enumerate(sides):
        soundfile.write(tmp_path / "mono.wav", side, rate)
        mono = read_audio("mono.wav", tmp_path)
        np.testing.assert_array_equal(read_audio("stereo.wav", tmp_path, channel=number), mono)
    np.testing.assert_array_equal(read_audio("mono.wav", tmp_path, channel=0), mono)
    assert np.abs(read_audio("stereo.wav", tmp_path) - mono).max() > 0.1


def test_a_channel_that_is_not_there_is_named(tmp_path):
    soundfile.write(tmp_path / "mono.wav", tone(16000, 440.0), 16000)
    with pytest.raises(AudioError, match=r"train.tsv:17: `mono.wav` must be of at least 2 channels, but is '1'"):
        read_audio("mono.wav", tmp_path, "train.tsv:17", channel=1)


def test_silence_of_the_other_channel_does_not_matter(tmp_path):
    sides = [np.zeros(16000), tone(16000, 440.0)]
    soundfile.write(tmp_path / "stereo.wav", np.stack(sides, axis=1), 16000)
    assert read_audio("stereo.wav", tmp_path, channel=1).max() > 0.4
    with pytest.raises(AudioError, match="silent throughout"):
        read_audio("stereo.wav", tmp_path, channel=0)
