"""`talk.wav:offset:length`: a part of a talk is what a file cut out of it would be, at the cost of the part."""

import numpy as np
import pytest
import soundfile

from fairseq_samu.data import audio_decoding, audio_source
from fairseq_samu.data.audio import audio_samples, read_audio, read_audio_bytes
from fairseq_samu.data.audio_source import identify_audio, parse_audio_spec
from fairseq_samu.data.feature_cache import audio_key
from fairseq_samu.errors import AudioError

KINDS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}


def write_talk(path, rate=16000, seconds=10, channels=1):
    """Noise, so that no stretch of it is like another; written in pieces, as long Vorbis files have to be."""
    wave = np.random.default_rng(7).standard_normal((rate * seconds, channels)).astype(np.float32) * 0.1
    container, subtype = KINDS[path.suffix.lower()]
    with soundfile.SoundFile(path, "w", rate, channels, subtype, format=container) as file:
        for start in range(0, len(wave), 1 << 16):
            file.write(wave[start : start + (1 << 16)])
    return path


def decode_all(path):
    """Oracle: every sample of the talk, channels averaged, decoded from the start without a seek."""
    with soundfile.SoundFile(path) as file:
        file.seekable = lambda: False
        blocks = []
        while len(block := file.read(1 << 16, "float32", always_2d=True)):
            blocks.append(block.mean(axis=1))
        return np.concatenate(blocks), file.samplerate


def cut(talk, offset, length, path):
    """Oracle: the part as a file of its own, in 32-bit floats."""
    wave, rate = decode_all(talk)
    soundfile.write(path, wave[offset : offset + length], rate, subtype="FLOAT")
    return path


@pytest.mark.parametrize(
    "suffix, rate, channels",
    [(suffix, rate, channels) for suffix in (".wav", ".flac", ".ogg") for rate, channels in ((16000, 1), (44100, 2))]
    + [(".flac", 48000, 3), (".opus", 16000, 1), (".opus", 48000, 3), (".mp3", 16000, 1), (".mp3", 44100, 2)],
)
def test_a_part_is_the_cut_recording(tmp_path, suffix, rate, channels):
    talk = write_talk(tmp_path / f"talk{suffix}", rate, channels=channels)
    total = 10 * rate
    for offset, length in ((0, rate), (1, 12345), (3 * rate + 1151, 2 * rate), (8 * rate, 2001), (total - rate, rate)):
        expected = read_audio(str(cut(talk, offset, length, tmp_path / "cut.wav")))
        spec = f"{talk.name}:{offset}:{length}"
        wave = read_audio(spec, tmp_path)
        assert wave.shape == expected.shape and wave.dtype == np.float32
        np.testing.assert_allclose(wave, expected, atol=2e-6)
        assert audio_samples(spec, tmp_path) == audio_samples(spec, tmp_path, decode=True) == len(wave)


def test_one_channel_of_a_part(tmp_path):
    talk = write_talk(tmp_path / "talk.flac", 16000, channels=2)
    whole = read_audio(str(talk), channel=1)
    np.testing.assert_array_equal(read_audio(f"{talk}:4000:8000", channel=1), whole[4000:12000])


def test_a_streamed_flac_without_a_length(tmp_path):
    content = bytearray(write_talk(tmp_path / "talk.flac").read_bytes())
    content[21] &= 0xF0  # STREAMINFO's 36 bits of total samples
    content[22:26] = bytes(4)
    whole = read_audio(str(tmp_path / "talk.flac"))
    (tmp_path / "streamed.flac").write_bytes(content)
    np.testing.assert_array_equal(read_audio("streamed.flac:100000:16000", tmp_path), whole[100000:116000])
    with pytest.raises(AudioError, match="inside the 160000 samples"):
        read_audio("streamed.flac:150000:16000", tmp_path)


def test_only_the_part_is_read(tmp_path, monkeypatch):
    """Of a talk of 12 MB at most a few percent go through the file, and blocks hold no more than the part."""
    talk = write_talk(tmp_path / "talk.wav", 48000, seconds=60, channels=2)
    size, read = talk.stat().st_size, 0

    class Counting:
        def __init__(self, stream):
            self.stream = stream

        def __getattr__(self, name):
            return getattr(self.stream, name)

        def read(self, count=-1):
            nonlocal read
            data = self.stream.read(count)
            read += len(data)
            return data

        def readinto(self, buffer):
            nonlocal read
            count = self.stream.readinto(buffer)
            read += count
            return count

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.stream.close()

    plain = audio_source.Path.open
    monkeypatch.setattr(audio_source.Path, "open", lambda path, mode: Counting(plain(path, mode)))
    assert len(read_audio(f"{talk}:{40 * 48000}:48000")) == 16000
    assert 48000 * 4 <= read < size / 20


@pytest.mark.parametrize("block", [1000, 1 << 22])
def test_long_parts_come_in_blocks(tmp_path, monkeypatch, block):
    talk = write_talk(tmp_path / "talk.flac", 44100, channels=2)
    expected = read_audio(f"{talk}:44100:100001")
    monkeypatch.setattr(audio_decoding, "_BLOCK", block)
    np.testing.assert_array_equal(read_audio(f"{talk}:44100:100001"), expected)


# ---- which ranges count samples


@pytest.mark.parametrize("name", ["a.wav", "a.WAV", "a.b.flac", "x/y.zip/a.ogg", "a.mp3", "a.opus", "a:b.wav", "a.sph"])
def test_ranges_of_sound_files_count_samples(name):
    source = parse_audio_spec(f"{name}:3:44")
    assert (source.sample_range, source.byte_range) == ((3, 44), None)


@pytest.mark.parametrize("name", ["a.zip", "a.ZIP", "a.tar", "a.wav.zip", "a", "a.npy", "wav"])
def test_ranges_of_all_else_count_bytes(name):
    source = parse_audio_spec(f"{name}:3:44")
    assert (source.sample_range, source.byte_range) == (None, (3, 44))
    assert parse_audio_spec("a.wav").sample_range is parse_audio_spec("a.zip").byte_range is None


# ---- faults


def fault(spec, root, reader=read_audio):
    with pytest.raises(AudioError) as caught:
        reader(spec, root, "train.tsv:17")
    assert str(caught.value).startswith(f"train.tsv:17: `{spec}` must be ")
    return str(caught.value)


@pytest.mark.parametrize("suffix", KINDS)
def test_ranges_outside_are_named(tmp_path, suffix):
    write_talk(tmp_path / f"talk{suffix}")
    for span in ("160000:16000", "150000:10001", "0:480001", f"{10**17}:{10**17}", "100:0"):
        for reader in (read_audio, audio_samples, read_audio_bytes):
            message = fault(f"talk{suffix}:{span}", tmp_path, reader)
            assert f"inside the 160000 samples (at 16000 Hz) of the recording, but is '{span}'" in message


def test_faults_of_files_and_parts(tmp_path):
    write_talk(tmp_path / "talk.wav", seconds=4)
    (tmp_path / "zip.wav").write_bytes(b"PK\3\4" + bytes(100))
    (tmp_path / "empty.wav").write_bytes(b"")
    with soundfile.SoundFile(tmp_path / "quiet.wav", "w", 16000, 1) as file:
        file.write(np.concatenate([np.zeros(16000), 0.1 * np.ones(16000)]))
    for reader in (read_audio, audio_samples, read_audio_bytes, identify_audio):
        assert "an existing file" in fault("none.wav:0:16000", tmp_path, reader)
        assert "an empty file" in fault("empty.wav:0:16000", tmp_path, reader)
    assert "a zip archive" in fault("zip.wav:0:16000", tmp_path)
    assert "24.9 ms" in fault("talk.wav:10:399", tmp_path)
    assert "24.9 ms" in fault("talk.wav:10:399", tmp_path, audio_samples)
    assert "silent throughout" in fault("quiet.wav:0:16000", tmp_path)
    assert len(read_audio("quiet.wav:8000:16000", tmp_path)) == 16000


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_talk_that_was_cut_short_serves_the_parts_that_are_there(tmp_path, suffix):
    talk = write_talk(tmp_path / f"talk{suffix}")
    whole = read_audio(str(talk))
    talk.write_bytes(talk.read_bytes()[: talk.stat().st_size // 2])
    np.testing.assert_array_equal(read_audio(f"{talk}:16000:16000"), whole[16000:32000])
    message = fault(f"{talk}:140000:16000", None)
    assert "cut short" in message or "decodable throughout" in message


# ---- encoded bytes and keys


def test_a_part_becomes_a_file_that_plays(tmp_path):
    talk = write_talk(tmp_path / "talk.wav", 44100, channels=2)
    (tmp_path / "part.flac").write_bytes(read_audio_bytes("talk.wav:44100:22050", tmp_path))
    assert soundfile.info(tmp_path / "part.flac").samplerate == 44100
    np.testing.assert_allclose(
        read_audio("part.flac", tmp_path), read_audio(f"{talk}:44100:22050"), atol=2**-15, rtol=0
    )


def test_keys_tell_parts_apart_and_a_talk_is_digested_once(tmp_path, monkeypatch):
    (tmp_path / "en-es").mkdir()
    talk, other = write_talk(tmp_path / "talk.wav"), write_talk(tmp_path / "other.wav", seconds=9)
    copy = tmp_path / "en-es" / "renamed.wav"
    copy.write_bytes(talk.read_bytes())
    digested = []
    plain = audio_source.hashlib.file_digest
    monkeypatch.setattr(
        audio_source.hashlib, "file_digest", lambda *given: (digested.append(given[0].name), plain(*given))[1]
    )
    specs = [f"{path}:{offset}:16000" for path in (talk, other) for offset in range(0, 140000, 1000)]
    specs += [f"{talk}:0:16001", str(talk), f"{talk}:16:1000"]
    keys = [audio_key(identify_audio(spec), 1.0) for spec in specs]
    assert len(set(keys)) == len(specs)
    assert digested == [str(talk), str(other)]
    # the same talk in another folder has the same frames; a file that changed has others
    assert audio_key(identify_audio(f"{copy}:0:16000"), 1.0) == keys[0]
    write_talk(talk, seconds=11)
    assert audio_key(identify_audio(specs[0]), 1.0) != keys[0]


def test_whole_recordings_keep_their_keys(tmp_path):
    talk = write_talk(tmp_path / "talk.wav", seconds=1)
    (tmp_path / "a.zip").write_bytes(b"#" * 10 + talk.read_bytes())
    size = talk.stat().st_size
    assert identify_audio(str(talk)) == identify_audio(f"a.zip:10:{size}", tmp_path) == read_audio_bytes(str(talk))
