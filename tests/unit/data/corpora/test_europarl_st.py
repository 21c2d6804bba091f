import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from fairseq_samu.data.audio import audio_samples, read_audio

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="decodes with ffmpeg")


def write_lists(folder, source, target, segments, write_text, speakers=None):
    """``segments``: (speech, start, end, text, translation), or one whole line with two texts."""
    texts = zip(*(row[-2:] for row in segments), strict=True)
    lines = [" ".join(map(str, row[:-2])) for row in segments]
    write_text(folder / "segments.lst", "\n".join(lines) + "\n")
    for lang, column in zip((source, target), texts, strict=True):
        write_text(folder / f"segments.{lang}", "\n".join(column) + "\n")
    if speakers:
        write_text(folder / "speeches.lst", "\n".join(speakers) + "\n")
        write_text(folder / "speakers.lst", "\n".join(speakers.values()) + "\n")


@pytest.fixture
def source(tmp_path, tones, write_text):
    """French into English and Italian with one malformed row of each kind, German into English."""
    root = tmp_path / "v1.1"
    tones.write(root / "fr/audios/fr.1.wav", 6.0, 44100)
    for name in ("fr.2", "fr.3", "fr.4"):
        tones.write(root / f"fr/audios/{name}.wav", 6.0)
    tones.write(root / "de/audios/de.1.flac", 3.0)
    wave = tones.wave(6.0)
    wave[32000:64000] = 0
    soundfile.write(root / "fr/audios/fr.5.wav", wave, 16000)
    (root / "fr/audios/fr.6.wav").write_bytes(b"not a recording" * 50)
    train = [
        ("fr.1", 0.5, 2.0, "Merci beaucoup", "Thank you very much"),
        ("fr.1", 2.0, 6.2, "Nous sommes\u2028d'accord", "We agree"),
        ("fr.2", 0.0, 1.0, "Dans le test italien", "Held out by its speech"),
        ("fr.5", 0.0, 1.0, "LE TEST", "Something else"),
        ("fr.5", 1.0, 2.0, "Autre chose", "Same words elsewhere"),
        ("fr.5", 2.5, 3.5, "Silence", "Silence"),
        ("fr.5", 4.0, 5.0, "Bon", "Good"),
        ("fr.5", 4.0, 5.0, "Bon encore", "Good again"),
        ("fr.5", 0.0, 4.5, "Trop long", "Too long"),
        ("fr.5", 3.0, 3.0, "Rien", "Nothing"),
        ("fr.5", 5.0, 8.0, "Trop loin", "Too far"),
        ("fr.5", 5.0, 5.01, "Trop court", "Too short"),
        ("fr.5", "late", 5.0, "Pas un nombre", "No number"),
        ("fr.5", 5.0, "Deux champs", "Two fields"),
        ("fr.5", "nan", 5.0, "Pas un nombre non plus", "No number either"),
        ("fr.5", 0.0, 1.5, "", "No source"),
        ("fr.5", 0.0, 1.6, "Sans cible", ""),
        ("fr.5", 0.0, 1.7, "...", "Dots"),
        ("fr.6", 0.0, 1.0, "Cassé", "Broken"),
        ("fr.7", 0.0, 1.0, "Absent", "Missing"),
        ("../fr.1", 0.0, 1.0, "Dehors", "Outside"),
    ]
    speakers = {"fr.1": "http://example.org/EUmember_7", "fr.2": "EUmember_8"}
    write_lists(root / "fr/en/train", "fr", "en", train, write_text, speakers)
    with (root / "fr/en/train/segments.lst").open("a") as file:
        file.write("fr.5 0 1.8\n")
    for lang in ("fr", "en"):
        with (root / f"fr/en/train/segments.{lang}").open("ab") as file:
            file.write(b"caf\xe9\n")
    write_lists(root / "fr/en/dev", "fr", "en", [("fr.4", 0, 1, "Développement", "Development")], write_text)
    write_lists(root / "fr/en/test", "fr", "en", [("fr.3", 1, 2.5, "Le test", "The test")], write_text)
    write_lists(root / "fr/en/train-noisy", "fr", "en", [("fr.3", 1, 2, "Bruit", "Noise")], write_text)
    write_lists(root / "fr/it/train", "fr", "it", [("fr.1", 0.5, 2.0, "Merci beaucoup", "Molte grazie")], write_text)
    write_lists(root / "fr/it/test", "fr", "it", [("fr.2", 0, 5, "Essai italien", "Prova")], write_text)
    write_lists(root / "de/en/train", "de", "en", [("de.1", 0, 1, "Guten Tag", "Good day")], write_text)
    write_lists(root / "de/en/test", "de", "en", [("de.1", 1, 2, "Anders", "same words, elsewhere!")], write_text)
    return root


def prepare(run, source, output, *more):
    arguments = ("prepare", "europarl-st", "--source", source, "--output", output, "--max-seconds", "4.3", *more)
    code, out, err = run(*arguments)
    assert code == 0, err
    return out


def ids(rows, output):
    return {s: set(rows(output / f"{s}.tsv")) for s in ("train", "valid", "test") if (output / f"{s}.tsv").exists()}


def test_every_segment_is_used_or_named(tmp_path, source, run, rows, dropped):
    output = tmp_path / "out"
    out = prepare(run, source, output)
    assert ids(rows, output) == {
        "train": {
            "fr.1_0000500-0002000>en",
            "fr.1_0000500-0002000>it",
            "fr.1_0002000-0006200>en",
            "fr.5_0004000-0005000>en",
        },
        "valid": {"fr.4_0000000-0001000>en"},
        "test": {"fr.3_0001000-0002500>en", "fr.2_0000000-0005000>it", "de.1_0001000-0002000>en"},
    }
    place = "fr/en/train/segments.lst"
    assert dropped(output) == {
        ("de/en/train/segments.lst:1", "its speech is held out"),
        (f"{place}:3", "its speech is held out"),
        (f"{place}:4", "its words are held out"),
        (f"{place}:5", "its words are held out"),
        (f"{place}:6", "unreadable segment"),
        (f"{place}:8", "second segment of one time"),
        (f"{place}:9", "longer than 4.3 s"),
        (f"{place}:10", "ends before it starts"),
        (f"{place}:11", "unreadable segment"),
        (f"{place}:12", "unreadable segment"),
        (f"{place}:13", "not SPEECH START END"),
        (f"{place}:14", "not SPEECH START END"),
        (f"{place}:15", "not SPEECH START END"),
        (f"{place}:16", "empty text"),
        (f"{place}:17", "empty translation"),
        (f"{place}:18", "no words"),
        (f"{place}:19", "unreadable segment"),
        (f"{place}:20", "missing recording"),
        (f"{place}:21", "not SPEECH START END"),
        (f"{place}:22", "not UTF-8"),
    }
    assert [line.split()[0] for line in out.splitlines() if ">" in line] == ["de>en", "fr>en", "fr>it"]


def test_segments_are_cut_once_and_where_they_are(tmp_path, source, run, rows):
    output = tmp_path / "out"
    prepare(run, source, output)
    train = rows(output / "train.tsv")
    english, italian = train["fr.1_0000500-0002000>en"], train["fr.1_0000500-0002000>it"]
    assert (english.audio, english.parallel_id) == (italian.audio, italian.parallel_id)
    assert (italian.src_text, italian.tgt_text, italian.tgt_lang) == ("Merci beaucoup", "Molte grazie", "it")
    assert (english.n_frames, english.speaker) == (24000, "EUmember_7")
    assert audio_samples(english.audio, output, decode=True) == 24000
    whole = read_audio(str(source / "fr/audios/fr.1.wav"))
    np.testing.assert_allclose(read_audio(english.audio, output), whole[8000:32000], atol=2**-15)
    # A segment that ends a little behind its recording ends with it.
    assert train["fr.1_0002000-0006200>en"].n_frames == 64000
    assert train["fr.1_0002000-0006200>en"].src_text == "Nous sommes d'accord"


def test_languages_may_be_kept_out_of_training_but_not_out_of_the_test(tmp_path, source, run, rows):
    prepare(run, source.parent, tmp_path / "out", "--train-languages", "de")
    found = ids(rows, tmp_path / "out")
    assert set(found) == {"test"}
    assert len(found["test"]) == 3
    prepare(run, source, tmp_path / "pair", "--pairs", "fr_it")
    assert ids(rows, tmp_path / "pair") == {"train": {"fr.1_0000500-0002000>it"}, "test": {"fr.2_0000000-0005000>it"}}


def test_the_check_finds_no_fault(tmp_path, source, run):
    prepare(run, source, tmp_path / "out")
    code, _, err = run("check", *(tmp_path / f"out/{split}.tsv" for split in ("train", "valid", "test")))
    assert code == 0, err


@needs_ffmpeg
def test_published_recordings_are_decoded_by_ffmpeg(tmp_path, tones, run, rows, dropped, write_text):
    wav = tones.write(tmp_path / "tone.wav", 3.0, 44100)
    audios = tmp_path / "v1.1/nl/audios"
    audios.mkdir(parents=True)
    command = ["ffmpeg", "-v", "error", "-i", wav, "-c:a", "aac", "-b:a", "128k", audios / "nl.1.m4a"]
    subprocess.run(command, check=True)
    content = (audios / "nl.1.m4a").read_bytes()
    (audios / "nl.2.m4a").write_bytes(content[: len(content) // 2])
    rows_of = [("nl.1", 1, 2, "Een", "One"), ("nl.2", 0, 1, "Twee", "Two")]
    write_lists(tmp_path / "v1.1/nl/en/test", "nl", "en", rows_of, write_text)
    output = tmp_path / "out"
    prepare(run, tmp_path / "v1.1", output)
    wave = read_audio(rows(output / "test.tsv")["nl.1_0001000-0002000>en"].audio, output)
    assert len(wave) == 16000
    expected = read_audio(str(wav))[16000:32000]
    similarity = float(wave @ expected / np.linalg.norm(wave) / np.linalg.norm(expected))
    assert similarity > 0.99
    assert dropped(output) == {("nl/en/test/segments.lst:2", "unreadable segment")}


def test_without_ffmpeg_the_published_recordings_need_it(tmp_path, source, run, monkeypatch):
    monkeypatch.setattr("fairseq_samu.data.corpora.europarl_st.has_ffmpeg", lambda: False)
    (source / "fr/audios/fr.1.wav").rename(source / "fr/audios/fr.1.m4a")
    code, _, err = run("prepare", "europarl-st", "--source", source, "--output", tmp_path / "out")
    assert code == 1
    assert "`ffmpeg` must be installed to decode .m4a" in err


@pytest.mark.parametrize("name", ["segments.en", "speakers.lst"])
def test_lists_of_different_lengths_are_refused(tmp_path, source, run, name):
    with (source / "fr/en/train" / name).open("a") as file:
        file.write("one more\n")
    code, _, err = run("prepare", "europarl-st", "--source", source, "--output", tmp_path / "out")
    assert code == 1
    assert "of one length, line by line" in err
    assert f"{name} {23 if name == 'segments.en' else 3}" in err


def test_missing_lists_and_pairs_are_named(tmp_path, source, run):
    code, _, err = run(
        "prepare", "europarl-st", "--source", source, "--output", tmp_path / "o", "--pairs", "fr_pl,de_en"
    )
    assert code == 1
    assert "pairs there: de_en, fr_en, fr_it, but is 'not there'" in err
    (source / "fr/it/test/segments.it").unlink()
    code, _, err = run("prepare", "europarl-st", "--source", source, "--output", tmp_path / "out")
    assert code == 1
    assert "`segments.it` must be there" in err
    code, _, err = run("prepare", "europarl-st", "--source", source / "fr", "--output", tmp_path / "out")
    assert code == 1
    assert "SRC/audios" in err
