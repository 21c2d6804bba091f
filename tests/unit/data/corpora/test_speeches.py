import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from fairseq_samu.data.corpora.speeches import cut_speech, decode_speech
from fairseq_samu.errors import AudioError

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="decodes with ffmpeg")


@pytest.fixture
def stereo(tmp_path, tones):
    sides = tones.wave(2.0), tones.wave(2.0)
    soundfile.write(tmp_path / "stereo.wav", np.stack(sides, axis=1), 16000)
    return tmp_path / "stereo.wav", sides


def test_segments_of_one_channel(stereo):
    path, sides = stereo
    for channel, side in enumerate(sides):
        (content,) = cut_speech(path, [(0.5, 1.25)], channel)
        (path.parent / "part.flac").write_bytes(content)
        wave, rate = soundfile.read(path.parent / "part.flac")
        assert (len(wave), rate) == (12000, 16000)
        np.testing.assert_allclose(wave, side[8000:20000], atol=2**-14)
    assert isinstance(cut_speech(path, [(0.5, 1.25)], 2)[0], AudioError)


@needs_ffmpeg
def test_one_channel_by_ffmpeg(stereo):
    path, sides = stereo
    subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-b:a", "256k", path.with_suffix(".m4a")], check=True)
    for channel, side in enumerate(sides):
        wave = decode_speech(path.with_suffix(".m4a"), channel)[4000:28000]
        expected = side[4000:28000]
        assert float(wave @ expected / np.linalg.norm(wave) / np.linalg.norm(expected)) > 0.99
