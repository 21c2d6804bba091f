"""Recordings of every kind become 16 kHz mono of a known length; every damage an AudioError that names the row."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from fairseq_samu.data import audio_decoding
from fairseq_samu.data.audio import (
    SAMPLE_RATE,
    audio_samples,
    parse_audio_spec,
    read_audio,
    read_audio_bytes,
    resampled_length,
)
from fairseq_samu.data.audio_format import missing_formats, sniff
from fairseq_samu.errors import AudioError

KINDS = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "vorbis": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
WHERE = "train.tsv:17"


def tone(rate, seconds=0.5, hertz=440.0, channels=1, level=0.5):
    wave = level * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)
    return np.stack([wave] * channels, axis=1) if channels > 1 else wave


def encode(wave, rate, kind="wav"):
    container, subtype = KINDS.get(kind, ("WAV", kind))
    stream = io.BytesIO()
    soundfile.write(stream, wave, rate, format=container, subtype=subtype)
    return stream.getvalue()


def peak_hertz(wave):
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    return np.argmax(spectrum) * SAMPLE_RATE / len(wave)


def fault(spec, root=None, reader=read_audio):
    with pytest.raises(AudioError) as caught:
        reader(spec, root, WHERE)
    message = str(caught.value)
    assert message.startswith(f"{WHERE}: `{spec}` must be ") and "\n" not in message
    return message


@pytest.mark.parametrize(
    "kind, rate, channels",
    [(kind, rate, channels) for kind in ("wav", "flac", "vorbis") for rate in (8000, 16000, 22050, 44100, 48000)
     for channels in (1, 2)]
    + [("opus", 16000, 1), ("opus", 48000, 2), ("mp3", 16000, 1), ("mp3", 44100, 2)]
    + [("wav", 12000, 6), ("flac", 96000, 3)],
)  # fmt: skip
def test_every_kind_rate_and_channel_count(tmp_path, kind, rate, channels):
    (tmp_path / "a").write_bytes(encode(tone(rate, channels=channels), rate, kind))
    wave = read_audio("a", tmp_path)
    assert wave.dtype == np.float32 and wave.ndim == 1 and wave.flags.c_contiguous
    assert abs(peak_hertz(wave) - 440) < 3
    middle = wave[2000:-2000]
    assert 0.45 < np.abs(middle).max() < 0.55
    if kind != "mp3":  # its encoder pads
        assert len(wave) == resampled_length(int(rate * 0.5), rate) == 8000
    assert audio_samples("a", tmp_path) == audio_samples("a", tmp_path, decode=True) == len(wave)


@pytest.mark.parametrize("subtype, step", [("PCM_U8", 1 / 127), ("PCM_24", 1e-6), ("PCM_32", 1e-6), ("FLOAT", 1e-6),
                                           ("DOUBLE", 1e-6), ("ULAW", 0.03), ("MS_ADPCM", 0.05)])  # fmt: skip
def test_number_formats(tmp_path, subtype, step):
    source = tone(16000)
    (tmp_path / "a.wav").write_bytes(encode(source, 16000, subtype))
    assert np.abs(read_audio("a.wav", tmp_path)[:8000] - source).max() <= step


def test_float_formats_keep_their_level(tmp_path):
    (tmp_path / "a.wav").write_bytes(encode(tone(16000, level=3.0), 16000, "FLOAT"))
    assert read_audio("a.wav", tmp_path).max() > 2.9


def test_channels_are_averaged(tmp_path):
    left, right = tone(16000, hertz=300.0), tone(16000, hertz=1000.0)
    (tmp_path / "a.wav").write_bytes(encode(np.stack([left, right], axis=1), 16000, "FLOAT"))
    np.testing.assert_allclose(read_audio("a.wav", tmp_path), (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 11025, 16001, 22050, 44100, 48000])
def test_length_is_rounded_half_up(tmp_path, rate):
    for frames in (rate // 2, rate // 2 + 1, rate // 3 + 7, rate // 7 + 2):
        (tmp_path / "a.wav").write_bytes(encode(tone(rate, seconds=1.0)[:frames], rate))
        exact = frames * 16000 / rate
        assert len(read_audio("a.wav", tmp_path)) == resampled_length(frames, rate) == int(np.floor(exact + 0.5))


@pytest.mark.parametrize("kind", KINDS)
def test_long_recordings_are_read_in_pieces(tmp_path, monkeypatch, kind):
    (tmp_path / "a.raw").write_bytes(encode(tone(48000, channels=2), 48000, kind))
    whole = read_audio("a.raw", tmp_path)
    monkeypatch.setattr(audio_decoding, "_BLOCK", 3001)
    monkeypatch.setattr(audio_decoding, "_WHOLE_FILE", 10)
    if kind != "wav":  # soundfile takes a path that ends in .raw for headerless
        (tmp_path / "a.raw").rename(tmp_path / "a.x")
        np.testing.assert_allclose(read_audio("a.x", tmp_path), whole, atol=1e-6)


# ---- archives


def stored_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    content = path.read_bytes()
    return {info.filename: content.index(members[info.filename], info.header_offset) for info in infos}


def test_slices_of_an_archive(tmp_path):
    members = {f"{kind}-{rate}": encode(tone(rate), rate, kind) for kind in KINDS for rate in (16000, 48000)}
    starts = stored_zip(tmp_path / "audio.zip", members)
    for name, content in members.items():
        spec = f"audio.zip:{starts[name]}:{len(content)}"
        (tmp_path / name).write_bytes(content)
        assert read_audio_bytes(spec, tmp_path) == content == read_audio_bytes(name, tmp_path)
        np.testing.assert_array_equal(read_audio(spec, tmp_path), read_audio(name, str(tmp_path)))
        assert audio_samples(spec, tmp_path) == audio_samples(name, tmp_path)


def test_faults_of_slices(tmp_path):
    content = encode(tone(16000), 16000)
    start = stored_zip(tmp_path / "a.zip", {"x": content})["x"]
    size = (tmp_path / "a.zip").stat().st_size
    for reader in (read_audio, audio_samples, read_audio_bytes):
        for span in (f"{start}:{size}", f"{size}:1", f"{start}:0", f"{10**17}:{10**17}"):
            assert f"inside the {size} bytes" in fault(f"a.zip:{span}", tmp_path, reader)
        assert "existing file" in fault(f"none.zip:{start}:5", tmp_path, reader)
    assert "zip -0" in fault(f"a.zip:{start + 5}:100", tmp_path)
    assert "zip archive" in fault("a.zip", tmp_path)


@pytest.mark.parametrize(
    "spec, path, span",
    [
        ("a/b.wav", "root/a/b.wav", (None, None)),
        ("/a/b.wav", "/a/b.wav", (None, None)),
        ("a.zip:3:44", "root/a.zip", (3, 44)),
        ("c:d.zip:3:44", "root/c:d.zip", (3, 44)),
        ("12:30.wav", "root/12:30.wav", (None, None)),
        ("a.zip:3", "root/a.zip:3", (None, None)),
        ("a.zip:-3:4", "root/a.zip:-3:4", (None, None)),
        (f"a.zip:{'9' * 5000}:1", f"root/a.zip:{'9' * 5000}:1", (None, None)),
    ],
)
def test_specs(spec, path, span):
    assert parse_audio_spec(spec, "root") == (Path(path), *span)


# ---- faults


def test_files_that_cannot_be_opened(tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")
    for reader in (read_audio, audio_samples, read_audio_bytes):
        assert f"Relative paths start at '{tmp_path}'" in fault("none.wav", tmp_path, reader)
        assert "an empty file" in fault("empty.wav", tmp_path, reader)
        assert "a directory or device" in fault("folder.wav", tmp_path, reader)
        assert "a directory or device" in fault("pipe.wav", tmp_path, reader)
        assert "readable file" in fault("x" * 290, tmp_path, reader)
    with pytest.raises(AudioError, match=r"`'a\\x00b'` must be"):
        read_audio("a\0b", tmp_path)


@pytest.mark.parametrize(
    "content, kind",
    [
        (b"\0\0\0\x20ftypM4A " + b"\0" * 99, "MP4 or AAC"),
        (b"<!DOCTYPE html><title>404</title>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
        (b"\x1aE\xdf\xa3" + b"\0" * 99, "WebM"),
        (b"plain text, no sound at all", "no known audio format"),
        (b"R", "no known audio format"),
        (b"\xff\xf1" + b"\0" * 50, "AAC"),
        (b"OggS" + b"\0" * 60, "Ogg"),
        (b"RIFF\0\0\0\0WAVE", "WAV"),
    ],
)
def test_what_is_no_recording_is_named(tmp_path, content, kind):
    (tmp_path / "a.wav").write_bytes(content)
    assert kind in fault("a.wav", tmp_path)
    assert kind in fault("a.wav", tmp_path, audio_samples)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_recordings_cut_short(tmp_path, kind, share):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 200_000)
    content = encode(noise, 16000, kind)
    (tmp_path / "a").write_bytes(content[: int(len(content) * share)])
    assert "a whole recording" in (message := fault("a", tmp_path)) or "decodable throughout" in message
    assert "cut short" in message or kind == "flac"


@pytest.mark.parametrize("kind", ["wav", "vorbis", "opus", "mp3"])
def test_the_header_shows_a_cut(tmp_path, kind):
    content = encode(np.random.default_rng(0).uniform(-0.5, 0.5, 20000), 16000, kind)
    (tmp_path / "a").write_bytes(content[: len(content) // 2])
    assert "cut short" in fault("a", tmp_path, audio_samples)


def test_lengths_that_a_header_leaves_open(tmp_path):
    wav = bytearray(encode(tone(16000), 16000))
    wav[40:44] = wav[4:8] = b"\xff\xff\xff\xff"
    flac = bytearray(encode(tone(16000), 16000, "flac"))
    flac[21] &= 0xF0  # STREAMINFO's 36 bits of total samples
    flac[22:26] = bytes(4)
    for name, content in {"a.wav": wav, "a.flac": flac}.items():
        (tmp_path / name).write_bytes(content)
        assert len(read_audio(name, tmp_path)) == audio_samples(name, tmp_path) == 8000


@pytest.mark.parametrize("kind", ["wav", "flac", "vorbis", "opus"])
def test_silence(tmp_path, kind):
    (tmp_path / "a").write_bytes(encode(np.zeros(8000), 16000, kind))
    assert "silent throughout" in fault("a", tmp_path)
    assert audio_samples("a", tmp_path) == 8000  # the header is sound
    assert "silent" in fault("a", tmp_path, lambda *where: audio_samples(*where, decode=True))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_samples_that_are_no_numbers(tmp_path, bad):
    wave = tone(8000, channels=2)
    wave[2000, 1] = bad
    (tmp_path / "a.wav").write_bytes(encode(wave, 8000, "DOUBLE"))
    assert "NaN or infinite at 0.250 s" in fault("a.wav", tmp_path)


def test_samples_that_overflow_when_resampled(tmp_path):
    loud = np.where(np.arange(8000) % 40 < 20, 3.4e38, -3.4e38).astype(np.float32)
    (tmp_path / "a.wav").write_bytes(encode(loud, 44100, "FLOAT"))
    assert "finite" in fault("a.wav", tmp_path)


@pytest.mark.parametrize("frames, value", [(0, "empty"), (1, "0.1 ms"), (399, "24.9 ms")])
def test_too_short(tmp_path, frames, value):
    (tmp_path / "a.wav").write_bytes(encode(tone(16000)[1 : frames + 1], 16000))
    assert value in fault("a.wav", tmp_path)
    assert value in fault("a.wav", tmp_path, audio_samples)
    (tmp_path / "a.wav").write_bytes(encode(tone(16000)[:400], 16000))
    assert len(read_audio("a.wav", tmp_path)) == 400


@pytest.mark.parametrize("rate", [100, 2_000_000])
def test_rates_beyond_reason(tmp_path, rate):
    (tmp_path / "a.wav").write_bytes(encode(tone(16000), rate))
    assert f"{rate} Hz" in fault("a.wav", tmp_path)


@pytest.mark.parametrize("kind, version, needs", [("opus", "1.0.28", "1.0.29"), ("mp3", "1.0.31", "1.1.0")])
def test_a_format_that_libsndfile_lacks(tmp_path, monkeypatch, kind, version, needs):
    def refuse(*_):
        raise soundfile.LibsndfileError(1)

    (tmp_path / "a").write_bytes(encode(tone(16000), 16000, kind))
    monkeypatch.setattr(soundfile, "SoundFile", refuse)
    monkeypatch.setattr(soundfile, "__libsndfile_version__", version)
    message = fault("a", tmp_path)
    assert f"libsndfile {version}" in message and f"needs libsndfile {needs} or later" in message


def test_missing_formats():
    assert missing_formats("1.0.28") == ["Ogg Opus", "MP3"]
    assert missing_formats("1.0.31") == ["MP3"]
    assert missing_formats("1.1.0") == missing_formats("1.2") == missing_formats("2.0.0-rc1") == []


def test_sniffing():
    found = [sniff(encode(tone(16000), 16000, kind)[:64]) for kind in KINDS]
    assert found == ["WAV", "FLAC", "Ogg Vorbis", "Ogg Opus", "MP3"]
