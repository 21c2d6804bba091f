import shutil
import subprocess

import pytest

from fairseq_samu.data.corpora import g722, prompts

LANGUAGES = ("en", "es", "fr", "it", "ru")
TEXTS = {
    "hello": {lang: f"Hello good people {lang}" for lang in LANGUAGES},
    "bye": {lang: f"Good night my people {lang}" for lang in LANGUAGES},
    "more": {lang: f"There is much more {lang}" for lang in LANGUAGES},
    "last": {lang: f"This was all of it {lang}" for lang in LANGUAGES},
    "vm/short": {lang: f"yes {lang}" for lang in LANGUAGES},
    "same-a": {lang: "One text, two ids" for lang in LANGUAGES},
    "same-b": {lang: "one text two ids!" for lang in LANGUAGES},
    "partial": {"en": "Three of five only", "fr": "Trois sur cinq", "it": "Tre su cinque"},
    "italian": {"it": "Solo italiano"},
    "unspoken": {"en": "Nobody recorded this", "ru": "Никто"},
    "long": {lang: f"Too long a story {lang}" for lang in LANGUAGES},
    "fast": {lang: f"{lang} " + "so many words in so little time " * 3 for lang in LANGUAGES},
    "silence/1": {lang: "(1 second)" for lang in LANGUAGES},
}
VOICES = {"en": "en_US_f_Ann", "es": "es_MX_f_Ann", "fr": "fr_CA_f_June", "it": "it_IT_m_Carlo", "ru": "ru_RU_f_Voice"}


@pytest.fixture
def source(tmp_path, tones, write_text):
    """An unpacked tree of the 8 kHz packages."""
    share = tmp_path / "source/usr/share"
    for lang in LANGUAGES:
        lines = ["; comment", *(f"{item}: {by[lang]}" for item, by in TEXTS.items() if lang in by), ""]
        write_text(share / f"doc/asterisk-core-sounds-{lang}/core-sounds-{lang}.txt", "\n".join(lines))
        sounds = share / f"asterisk/sounds/{VOICES[lang]}"
        for item, by in TEXTS.items():
            if lang in by and item != "unspoken":
                tones.write(sounds / f"{item}.wav", {"long": 3.0}.get(item, 1.0), 8000)
        tones.write(sounds / "nameless.wav", 1.0, 8000)
        (sounds / "broken.wav").write_bytes(b"RIFF")
        with (share / f"doc/asterisk-core-sounds-{lang}/core-sounds-{lang}.txt").open("a", encoding="utf-8") as file:
            file.write("broken: This one is broken\n")
    return tmp_path / "source"


def arguments(source, output, *more):
    options = ("--test-items", "1", "--valid-items", "1", "--max-seconds", "2", "--prompt-audio", "wav")
    return ("prepare", "prompts", "--source", source, "--output", output, *options, *more)


def test_miniature(tmp_path, source, run, rows, dropped):
    output = tmp_path / "out"
    code, out, err = run(*arguments(source, output))
    assert code == 0, err
    found = {split: rows(output / f"{split}.tsv") for split in ("train", "valid", "test")}
    items = {split: {row.parallel_id for row in table.values()} for split, table in found.items()}
    assert {len(items["test"]), len(items["valid"])} == {1}
    assert items["test"] | items["valid"] <= {"hello", "bye", "more", "last"}
    assert items["train"] >= {"vm/short", "same-a", "same-b", "partial"}
    assert sum(map(len, found.values())) == 5 * 7 + 3
    assert all(len(found[split]) == 5 for split in ("test", "valid"))
    row = found["train"]["fr/vm/short"]
    assert (row.src_text, row.src_lang, row.speaker, row.n_frames) == ("yes fr", "fr", "june", 16000)
    assert (row.tgt_text, row.tgt_lang) == ("yes en", "en")
    assert found["train"]["en/vm/short"].speaker == found["train"]["es/vm/short"].speaker == "ann"
    assert dropped(output) == {
        ("unspoken", "no recording"),
        ("nameless", "no text"),
        ("silence/1", "not speech"),
        ("silence/1", "not speech"),
        ("italian", "no English text"),
        ("long", "longer than 2 s"),
        ("fast", "more than 23 characters a second"),
        ("broken", "unreadable recording"),
    }
    texts = (output / "texts.tsv").read_text(encoding="utf-8")
    assert "unspoken\tru\tНикто\ttrain\n" in texts
    assert "italian\tit\tSolo italiano\ttrain\n" in texts
    assert "language" in out


def test_second_run_changes_nothing_and_force_repeats(tmp_path, source, run):
    output = tmp_path / "out"
    first = run(*arguments(source, output))
    before = {path.name: path.stat().st_mtime_ns for path in output.iterdir()}
    second = run(*arguments(source, output))
    assert second[:2] == first[:2]
    assert {path.name: path.stat().st_mtime_ns for path in output.iterdir()} == before
    content = {path.name: path.read_bytes() for path in output.iterdir()}
    assert run(*arguments(source, output, "--force"))[0] == 0
    assert {path.name: path.read_bytes() for path in output.iterdir()} == content


def test_the_check_has_no_faults_to_find(tmp_path, source, run):
    output = tmp_path / "out"
    run(*arguments(source, output))
    code, _, err = run("check", *(output / f"{split}.tsv" for split in ("train", "valid", "test")))
    assert code == 0, err


def test_missing_packages_are_named(tmp_path, source, run):
    shutil.rmtree(source / "usr/share/asterisk/sounds/it_IT_m_Carlo")
    code, _, err = run(*arguments(source, tmp_path / "out"))
    assert code == 1
    assert "no asterisk-core-sounds-it-wav" in err
    assert not (tmp_path / "out/train.tsv").exists()


def test_missing_ffmpeg_is_named(tmp_path, source, run, monkeypatch):
    monkeypatch.setattr(prompts, "has_ffmpeg", lambda: False)
    code, _, err = run(*arguments(source, tmp_path / "out", "--prompt-audio", "g722"))
    assert code == 1
    assert "ffmpeg" in err
    assert "--prompt-audio wav" in err


def test_without_ffmpeg_the_narrow_band_voices_serve(source, monkeypatch):
    monkeypatch.setattr(prompts, "has_ffmpeg", lambda: False)
    assert prompts._choose_audio(source, "auto") == "wav"
    monkeypatch.setattr(prompts, "has_ffmpeg", lambda: True)
    assert prompts._choose_audio(source, "auto") == "g722"


def encode_g722(tones, path, seconds):
    raw = (tones.wave(seconds) * 32767).astype("<i2").tobytes()
    command = ["ffmpeg", "-v", "error", "-f", "s16le", "-ar", "16000", "-ac", "1", "-i", "-", "-f", "g722", path]
    subprocess.run(command, input=raw, check=True)


@pytest.mark.skipif(not g722.has_ffmpeg(), reason="ffmpeg is not installed")
def test_g722_decodes_in_batches(tmp_path, tones):
    paths = [tmp_path / f"{number}.g722" for number in range(3)]
    for path in paths:
        encode_g722(tones, path, 0.5)
    waves = list(g722.decode_g722(paths))
    assert [wave.shape for wave in waves] == [(8000,)] * 3
    assert all(0.2 < abs(wave).max() < 0.5 for wave in waves)
    paths[1].write_bytes(b"")
    good, bad, last = g722.decode_g722(paths)
    assert (good == waves[0]).all()
    assert "1.g722" in str(bad)
    assert (last == waves[2]).all()
