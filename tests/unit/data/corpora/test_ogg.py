import io
import struct

import numpy as np
import pytest
import soundfile

from fairseq_samu.data.corpora.ogg import encode_opus, encode_vorbis, fix_serial, page_checksum
from fairseq_samu.errors import AudioError


@pytest.mark.parametrize("encode", [encode_opus, encode_vorbis])
def test_encoding_twice_gives_the_same_bytes_and_the_same_length(tones, encode):
    for samples in (400, 16000, 24001):
        wave = tones.wave(samples / 16000)
        first, second = encode(wave), encode(wave)
        assert first == second
        decoded, rate = soundfile.read(io.BytesIO(first), dtype="float32")
        assert (len(decoded), rate) == (samples, 16000)


@pytest.mark.parametrize("encode", [encode_opus, encode_vorbis])
def test_speech_survives(tones, encode):
    wave = tones.wave(1.0)
    decoded, _ = soundfile.read(io.BytesIO(encode(wave)), dtype="float32")
    assert np.corrcoef(wave, decoded)[0, 1] > 0.99


def test_checksum_agrees_with_libogg(tones):
    buffer = io.BytesIO()
    soundfile.write(buffer, tones.wave(0.5), 16000, format="OGG", subtype="OPUS")
    stream = buffer.getvalue()
    end = 27 + stream[26] + sum(stream[27 : 27 + stream[26]])
    page = bytearray(stream[:end])
    (stated,) = struct.unpack_from("<I", page, 22)
    page[22:26] = bytes(4)
    assert page_checksum(bytes(page)) == stated


def test_other_bytes_are_refused():
    with pytest.raises(AudioError, match="byte 0"):
        fix_serial(b"RIFF" + bytes(60))
