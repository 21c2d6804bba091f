import os

import pytest
import soundfile

from fairseq_samu.data.audio import audio_samples
from fairseq_samu.data.corpora.common_voice_tables import find_releases, read_clips, read_durations
from fairseq_samu.errors import ConfigError, ManifestError

NEW = (
    "client_id path sentence_id sentence sentence_domain up_votes down_votes age gender accents variant locale segment"
)
OLD = "client_id path sentence up_votes down_votes age gender accent locale segment"


def line(header, **values):
    return "\t".join(values.get(name, "") for name in header.split())


def table(path, header, rows, write_text):
    lines = ["\t".join(header.split())]
    lines += [row if isinstance(row, str) else line(header, **row) for row in rows]
    return write_text(path, "\n".join(lines) + "\n")


def clip(speaker, name, sentence):
    return {"client_id": speaker * 20, "path": name, "sentence": sentence}


@pytest.fixture(scope="module")
def source(tmp_path_factory, tones, write_text):
    """Two languages: French in a new layout with one malformed row of each kind, German in an old one."""
    folder = tmp_path_factory.mktemp("cv")
    test = [clip("t", "t1.mp3", "Le test."), clip("t", "t2.mp3", "Deuxième phrase"), clip("t", "t2.mp3", "Encore elle")]
    dev = [clip("d", "d1.mp3", "Développement"), clip("d", "d2.mp3", "LE TEST !")]
    good = [
        clip("a", "a1.mp3", 'Il dit "oui", puis «non».'),
        clip("b", "b1", "Sans extension"),
        clip("c", "c1.mp3", 'Il dit "oui", puis «non»'),
        clip("", "n1.mp3", "Sans nom"),
    ]
    bad = [
        "too\tfew",
        line(NEW, **clip("a", "x.mp3", "Trop")) + "\tmore",
        clip("a", "a2.mp3", ""),
        clip("a", "", "Sans chemin"),
        clip("a", "a3.mp3", "... !"),
        clip("a", "missing.mp3", "Absent"),
        clip("a", "broken.mp3", "Cassé"),
        clip("a", "empty.mp3", "Vide"),
        clip("a", "silent.mp3", "Muet"),
        clip("a", "short.mp3", "Court"),
        clip("a", "long.mp3", "Long"),
        clip("a", "stated.mp3", "Long par son annonce"),
        clip("a", "../a1.mp3", "Dehors"),
        clip("a", "a1.mp3", "Deux fois"),
        clip("a", "leak.mp3", "le TEST"),
        clip("t", "speaker.mp3", "Autre phrase du test"),
    ]
    french = folder / "fr"
    table(french / "test.tsv", NEW, test, write_text)
    table(french / "dev.tsv", NEW, dev, write_text)
    table(french / "validated.tsv", NEW, [test[0], dev[0], *good, *bad], write_text)
    with (french / "validated.tsv").open("ab") as file:
        file.write(line(NEW, **clip("a", "a9.mp3", "x")).encode().replace(b"x", b"\xe9\xff") + b"\r\n\n")
    write_text(french / "clip_durations.tsv", "clip\tduration[ms]\nstated.mp3\t60000\na1.mp3\t4000\n")
    names = ("t1", "t2", "d1", "d2", "a1", "b1", "c1", "n1", "leak", "speaker", "a2", "a3", "a9")
    for name in names:
        tones.write(french / f"clips/{name}.mp3", 4.0, 32000)
    for name, seconds in (("short", 1.0), ("long", 12.0), ("stated", 4.0)):
        tones.write(french / f"clips/{name}.mp3", seconds, 32000)
    (french / "clips/broken.mp3").write_bytes(b"not a recording" * 50)
    (french / "clips/empty.mp3").write_bytes(b"")
    soundfile.write(french / "clips/silent.mp3", tones.wave(4.0) * 0, 16000)
    german = [clip("g", "g1.mp3", "Ein Satz"), clip("h", "h1.mp3", "Le test")]
    table(folder / "de/validated.tsv", OLD, german, write_text)
    for name in ("g1", "h1"):
        tones.write(folder / f"de/clips/{name}.mp3", 5.0, 48000)
    return folder


def prepare(run, source, output, *more):
    code, _, err = run("prepare", "common-voice", "--source", source, "--output", output, *more)
    assert code == 0, err
    return err


def test_every_row_is_used_or_named(tmp_path, source, run, rows, dropped):
    output = tmp_path / "out"
    prepare(run, source, output)
    found = {split: set(rows(output / f"{split}.tsv")) for split in ("train", "valid", "test")}
    assert found == {
        "train": {"fr/a1", "fr/b1", "fr/c1", "fr/n1", "de/g1"},
        "valid": {"fr/d1"},
        "test": {"fr/t1", "fr/t2"},
    }
    assert dropped(output) == {
        ("fr/test.tsv:4", "second row of one clip"),
        ("fr/dev.tsv:3", "its words are held out"),
        ("fr/validated.tsv:8", "wrong number of columns"),
        ("fr/validated.tsv:9", "wrong number of columns"),
        ("fr/validated.tsv:10", "empty sentence"),
        ("fr/validated.tsv:11", "empty path"),
        ("fr/validated.tsv:12", "no words"),
        ("fr/validated.tsv:13", "missing clip"),
        ("fr/validated.tsv:14", "unreadable clip"),
        ("fr/validated.tsv:15", "unreadable clip"),
        ("fr/validated.tsv:16", "unreadable clip"),
        ("fr/validated.tsv:17", "shorter than 3 s"),
        ("fr/validated.tsv:18", "longer than 10 s"),
        ("fr/validated.tsv:19", "longer than 10 s"),
        ("fr/validated.tsv:20", "path that leads out of clips/"),
        ("fr/validated.tsv:21", "second row of one clip"),
        ("fr/validated.tsv:22", "its words are held out"),
        ("fr/validated.tsv:23", "its speaker is held out"),
        ("fr/validated.tsv:24", "not UTF-8"),
        ("de/validated.tsv:3", "its words are held out"),
    }


def test_rows_name_the_clips_in_place(tmp_path, source, run, rows):
    output = tmp_path / "out"
    prepare(run, source, output)
    train = rows(output / "train.tsv")
    row = train["fr/a1"]
    assert row.audio == os.path.relpath(source / "fr/clips/a1.mp3", output)
    assert row.n_frames == audio_samples(row.audio, output, decode=True)
    assert abs(row.n_frames - 64000) < 2400
    assert (row.src_text, row.src_lang, row.speaker) == ('Il dit "oui", puis «non».', "fr", "a" * 16)
    assert row.tgt_text is None
    assert row.parallel_id == train["fr/c1"].parallel_id != train["fr/b1"].parallel_id
    assert train["fr/n1"].speaker == ""
    assert not (output / "audio.zip").exists()
    absolute = tmp_path / "absolute"
    prepare(run, source, absolute, "--absolute")
    assert rows(absolute / "train.tsv")["fr/a1"].audio == str((source / "fr/clips/a1.mp3").resolve())


def test_clips_may_be_copied(tmp_path, source, run, rows):
    output = tmp_path / "out"
    prepare(run, source, output, "--copy", "--languages", "de")
    row = rows(output / "train.tsv")["de/g1"]
    assert row.audio.startswith("audio.zip:")
    assert row.n_frames == audio_samples(row.audio, output, decode=True)
    assert not (output / "test.tsv").exists()


def test_speakers_may_be_shared_but_not_words(tmp_path, source, run, rows):
    prepare(run, source, tmp_path / "out", "--share-speakers")
    train = rows(tmp_path / "out/train.tsv")
    assert "fr/speaker" in train
    assert "fr/leak" not in train


def test_recognition_is_measured_on_the_published_test(tmp_path, tones, write_text, run, rows, dropped):
    folder = tmp_path / "be"
    tables = {
        "test": [clip("t", "short.mp3", "Так"), clip("u", "long.mp3", "Доўга"), clip("u", "stated.mp3", "Заяўлена")],
        "dev": [clip("d", "d.mp3", "Не")],
        "train": [clip("a", "a.mp3", "Добра"), clip("b", "b.mp3", "Кепска"), clip("a", "leak.mp3", "так!")],
    }
    for name, clips in tables.items():
        table(folder / f"{name}.tsv", NEW, clips, write_text)
    table(folder / "validated.tsv", NEW, [each for clips in tables.values() for each in clips], write_text)
    write_text(folder / "clip_durations.tsv", "clip\tduration[ms]\nstated.mp3\t60000\n")
    seconds = {"short": 1.0, "long": 12.0, "stated": 4.0, "d": 1.0, "a": 2.0, "b": 12.0, "leak": 4.0}
    for name, length in seconds.items():
        tones.write(folder / f"clips/{name}.mp3", length, 32000)
    options = ("--train-from", "train", "--min-seconds", "0.5", "--max-seconds", "10")
    prepare(run, folder, tmp_path / "out", *options, "--whole-test")
    found = {split: set(rows(tmp_path / f"out/{split}.tsv")) for split in ("train", "valid", "test")}
    assert found == {"train": {"be/a"}, "valid": {"be/d"}, "test": {"be/short", "be/long", "be/stated"}}
    left = {("be/train.tsv:3", "longer than 10 s"), ("be/train.tsv:4", "its words are held out")}
    assert dropped(tmp_path / "out") == left
    assert "0.5 to 10 s long in training, of any length" in (tmp_path / "out/README.md").read_text("utf-8")
    prepare(run, folder, tmp_path / "limited", *options)
    assert set(rows(tmp_path / "limited/test.tsv")) == {"be/short"}


def test_another_source_is_not_taken_for_finished(tmp_path, source, run, rows):
    output = tmp_path / "out"
    prepare(run, source / "de", output)
    assert set(rows(output / "train.tsv")) == {"de/g1", "de/h1"}
    prepare(run, source / "fr", output)
    assert "fr/a1" in rows(output / "train.tsv")
    before = (output / "prepared.json").stat().st_mtime_ns
    prepare(run, source / "fr", output, "--workers", "1")
    assert (output / "prepared.json").stat().st_mtime_ns == before


def test_the_check_finds_no_fault(tmp_path, source, run):
    output = tmp_path / "out"
    prepare(run, source, output)
    code, _, err = run("check", output / "train.tsv", output / "test.tsv")
    assert code == 0, err


@pytest.mark.parametrize("languages", ["xx", "fr,nl"])
def test_absent_languages_are_named(tmp_path, source, run, languages):
    code, _, err = run("prepare", "common-voice", "--source", source, "--output", tmp_path, "--languages", languages)
    assert code == 1
    assert languages.rpartition(",")[2] in err


def test_sources_without_tables_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"validated\.tsv"):
        find_releases(tmp_path, [])


def test_folders_must_be_languages(tmp_path, write_text):
    write_text(tmp_path / "corpus/validated.tsv", "")
    with pytest.raises(ConfigError, match="corpus"):
        find_releases(tmp_path, [])


def test_tables_without_needed_columns_are_refused(tmp_path, write_text):
    path = write_text(tmp_path / "fr/validated.tsv", "client_id\tsentence\n")
    with pytest.raises(ManifestError, match=r"validated\.tsv:1.*path"):
        list(read_clips(path))


def test_durations_are_optional_and_forgiving(tmp_path, write_text):
    assert read_durations(tmp_path) == {}
    write_text(tmp_path / "clip_durations.tsv", "clip\tduration[ms]\na.mp3\t1500\nb.mp3\n")
    assert read_durations(tmp_path) == {"a.mp3": 1.5}
