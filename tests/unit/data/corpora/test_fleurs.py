"""FLEURS in miniature, as both of its published layouts have it, with one malformed line of each kind in it."""

import os
import shutil
import tarfile

import numpy as np
import pytest
import soundfile

from fairseq_samu.data.audio import audio_samples
from fairseq_samu.data.corpora.fleurs_tables import find_releases, read_lines
from fairseq_samu.errors import ConfigError

RAW = {"Добры дзень!": "добры дзень", "«Два», і тры.": "два і тры"}


def line(sentence, name, text, samples=16000, gender="FEMALE"):
    plain = RAW.get(text, text.lower())
    characters = " ".join(plain.replace(" ", "|")) + " |"
    return "\t".join([str(sentence), name, text, plain, characters, str(samples), gender])


BELARUSIAN = {
    "test": [line(1, "t1.wav", "Добры дзень!"), line(1, "t2.wav", "Добры дзень!"), line(2, "t3.wav", "Толькі тут")],
    "dev": [line(3, "d1.wav", "Першае слова"), line(2, "d2.wav", "Толькі тут")],
    "train": [
        line(4, "a1.wav", "«Два», і тры."),
        line(4, "a2.wav", "«Два», і тры."),
        line(5, "a3.wav", 'Кажа "так"', gender="MALE"),
        "7\ttoo.wav\tfew",
        line(8, "a4.wav", "Зашмат") + "\tmore",
        line("x9", "a5.wav", "Без нумара"),
        line(9, "", "Без назвы"),
        line(9, "../a1.wav", "Звонку"),
        line(9, "a6.wav", ""),
        line(9, "a7.wav", "... !"),
        line(10, "a1.wav", "Двойчы"),
        line(11, "missing.wav", "Няма"),
        line(11, "broken.wav", "Зламаны"),
        line(11, "silent.wav", "Ціха"),
        line(11, "long.wav", "Доўга"),
        line(11, "cut.wav", "Гэты доўгі сказ прагучаў не цалкам, бо запіс абарваны ў самым пачатку"),
        line(2, "a8.wav", "Іншыя словы"),
        line(12, "a9.wav", "ПЕРШАЕ, слова"),
        line(6, "a10.wav", "Па-англійску не"),
    ],
}
ENGLISH = {
    "test": [line(1, "e1.wav", "Good day"), line(6, "e2.wav", "Held out here")],
    "train": [
        line(4, "e3.wav", "Two, and three"),
        line(5, "e4.wav", "He says yes"),
        line(13, "e5.wav", "English only"),
    ],
}
USED = {
    "train": ["be_by/a1", "be_by/a2", "be_by/a3", "en_us/e3", "en_us/e4", "en_us/e5"],
    "valid": ["be_by/d1"],
    "test": ["be_by/t1", "be_by/t2", "be_by/t3", "en_us/e1", "en_us/e2"],
}


@pytest.fixture(scope="module")
def source(tmp_path_factory, tones, write_text):
    """The folders as they lie once they are unpacked."""
    root = tmp_path_factory.mktemp("fleurs")
    for name, tables in (("be_by", BELARUSIAN), ("en_us", ENGLISH)):
        for table, lines in tables.items():
            write_text(root / f"data/{name}/{table}.tsv", "\n".join(lines) + "\n")
            for each in lines:
                cells = each.split("\t")
                if len(cells) >= 7 and cells[1].endswith(".wav") and "/" not in cells[1]:
                    tones.write(root / f"data/{name}/audio/{table}/{cells[1]}", 1.5, subtype="FLOAT")
    with (root / "data/be_by/train.tsv").open("ab") as file:
        file.write(line(9, "a11.wav", "x").encode().replace(b"x", b"\xe9\xff") + b"\r\n\n")
    train = root / "data/be_by/audio/train"
    tones.write(train / "nobody.wav", 1.0)
    tones.write(train / "long.wav", 5.5)
    tones.write(train / "cut.wav", 0.4)
    (train / "missing.wav").unlink()
    (train / "broken.wav").write_bytes(b"not a recording" * 20)
    soundfile.write(train / "silent.wav", np.zeros(16000), 16000)
    return root


@pytest.fixture
def packed(tmp_path, source):
    """The same as the hub publishes it: an archive for each split."""
    shutil.copytree(source / "data", tmp_path / "packed/data")
    for folder in sorted((tmp_path / "packed/data").glob("*/audio/*")):
        with tarfile.open(f"{folder}.tar.gz", "w:gz") as archive:
            archive.add(folder, folder.name)
        shutil.rmtree(folder)
    return tmp_path / "packed"


def prepare(run, source, output, *more):
    options = ("--source", source, "--output", output, "--max-seconds", "5", *more)
    code, out, err = run("prepare", "fleurs", *options)
    assert code == 0, err
    return out


def test_every_line_and_recording_is_used_or_named(tmp_path, source, run, rows, dropped):
    output = tmp_path / "out"
    out = prepare(run, source, output)
    assert {split: sorted(rows(output / f"{split}.tsv")) for split in USED} == USED
    train, audio = "be_by/train.tsv", "be_by/audio/train"
    assert dropped(output) == {
        ("be_by/dev.tsv:2", "its sentence is held out"),
        (f"{train}:4", "wrong number of columns"),
        (f"{train}:5", "wrong number of columns"),
        (f"{train}:6", "no number of a sentence"),
        (f"{train}:7", "no file name of a recording"),
        (f"{train}:8", "no file name of a recording"),
        (f"{train}:9", "empty text"),
        (f"{train}:10", "no words"),
        (f"{train}:11", "second line of one recording"),
        (f"{train}:12", "missing recording"),
        (f"{train}:13", "unreadable recording"),
        (f"{train}:14", "unreadable recording"),
        (f"{train}:15", "longer than 5 s"),
        (f"{train}:16", "more than 30 characters a second"),
        (f"{train}:17", "its sentence is held out"),
        (f"{train}:18", "its words are held out"),
        (f"{train}:19", "its sentence is held out"),
        (f"{train}:20", "not UTF-8"),
        (f"{audio}/nobody.wav", "no transcript"),
        (f"{audio}/a4.wav", "no transcript"),
    }
    assert "be" in out and "en" in out


def test_rows_read_the_sentence_and_name_the_recording(tmp_path, source, run, rows, dropped):
    output = tmp_path / "out"
    prepare(run, source, output)
    found = rows(output / "train.tsv")
    row = found["be_by/a1"]
    assert row.audio == os.path.relpath(source / "data/be_by/audio/train/a1.wav", output)
    assert row.n_frames == audio_samples(row.audio, output, decode=True) == 24000, "not what the table says"
    assert (row.src_text, row.src_lang, row.speaker, row.tgt_text) == ("два і тры", "be", "", None)
    assert row.parallel_id == found["be_by/a2"].parallel_id == found["en_us/e3"].parallel_id == "fleurs/4"
    texts = (output / "texts.tsv").read_text("utf-8").splitlines()
    assert "fleurs/4\tbe\tдва і тры\ttrain" in texts and "fleurs/4\ten\ttwo, and three\ttrain" in texts
    assert sum(text.startswith("fleurs/1\tbe") for text in texts) == 1, "one text for two recordings"
    raw = tmp_path / "raw"
    prepare(run, source, raw, "--transcript", "raw_transcription", "--absolute", "--languages", "be")
    row = rows(raw / "train.tsv")["be_by/a1"]
    assert row.src_text == "«Два», і тры."
    assert row.audio == str((source / "data/be_by/audio/train/a1.wav").resolve())
    assert ("be_by/train.tsv:19", "its sentence is held out") in dropped(raw), "in English, which is not prepared"


def test_archives_give_the_same_rows_when_copied(tmp_path, source, packed, run, rows, dropped):
    code, _, err = run("prepare", "fleurs", "--source", packed, "--output", tmp_path / "refused")
    assert code == 1
    assert "be_by/audio/test.tar.gz" in err and "give --copy" in err
    prepare(run, source, tmp_path / "folders", "--copy")
    prepare(run, packed, tmp_path / "archives", "--copy")
    assert dropped(tmp_path / "folders") == dropped(tmp_path / "archives")
    for split, names in USED.items():
        first, second = (rows(tmp_path / name / f"{split}.tsv") for name in ("folders", "archives"))
        assert sorted(first) == sorted(second) == names
        for name, row in first.items():
            assert (row.n_frames, row.src_text) == (second[name].n_frames, second[name].src_text)
            assert row.audio.startswith("audio.zip:")
            assert audio_samples(second[name].audio, tmp_path / "archives", decode=True) == row.n_frames


def test_a_damaged_archive_is_named(tmp_path, packed, run):
    path = packed / "data/be_by/audio/train.tar.gz"
    path.write_bytes(path.read_bytes()[:2000])
    code, _, err = run("prepare", "fleurs", "--source", packed, "--output", tmp_path / "out", "--copy")
    assert code == 1
    assert "train.tar.gz` must be a whole archive" in err
    assert not (tmp_path / "out/prepared.json").exists()


def test_translations_are_the_same_sentences(tmp_path, source, run, rows, dropped):
    prepare(run, source, tmp_path / "one", "--languages", "en_us", "--targets", "be")
    train = rows(tmp_path / "one/train.tsv")
    assert {name: (row.src_text, row.tgt_text, row.tgt_lang) for name, row in train.items()} == {
        "en_us/e3": ("two, and three", "два і тры", "be"),
        "en_us/e4": ("he says yes", 'кажа "так"', "be"),
    }
    assert ("en_us/train.tsv:3", "no text in be") in dropped(tmp_path / "one")
    assert list(rows(tmp_path / "one/test.tsv")) == ["en_us/e1", "en_us/e2"]
    out = prepare(run, source, tmp_path / "two", "--targets", "be,en")
    assert "be>en" in out and "en>be" in out
    assert "be_by/a1>en" in rows(tmp_path / "two/train.tsv")


def test_languages_are_chosen_by_code_or_folder(tmp_path, source):
    be, en = find_releases(source, [])
    assert (be.lang, be.folder.name, en.lang) == ("be", "be_by", "en")
    assert find_releases(source / "data", ["en"]) == find_releases(source, ["en_us"]) == [en]
    assert [each.lang for each in find_releases(source / "data/be_by", [])] == ["be"]
    with pytest.raises(ConfigError, match=r"`ro, be_xx` must be .*languages there: be_by en_us"):
        find_releases(source, ["be", "ro", "be_xx"])
    with pytest.raises(ConfigError, match="languages there: none"):
        find_releases(tmp_path, [])


def test_folders_must_be_languages(tmp_path, write_text):
    write_text(tmp_path / "corpus/test.tsv", "")
    write_text(tmp_path / "be_by/test.tsv", "")
    assert [release.lang for release in find_releases(tmp_path, [])] == ["be"], "an output without audio is no language"
    (tmp_path / "corpus/audio").mkdir()
    with pytest.raises(ConfigError, match="`folder` must be named by a language code, but is 'corpus'"):
        find_releases(tmp_path, [])


def test_the_names_of_languages_are_known():
    """Those with more than two letters and a region, in the list of the published reader."""
    from fairseq_samu.data.language_codes import canonical_language

    named = "ast_es ceb_ph cmn_hans_cn yue_hant_hk es_419 fil_ph kam_ke kea_cv ckb_iq luo_ke nb_no nso_za umb_ao or_in"
    found = [canonical_language(name) for name in named.split()]
    assert found == ["ast", "ceb", "zh", "yue", "es", "fil", "kam", "kea", "ckb", "luo", "nb", "nso", "umb", "or"]


def test_tables_that_a_language_lacks_are_empty(source):
    assert list(read_lines(find_releases(source, ["en"])[0], "valid", "transcription")) == []


def test_the_check_finds_no_fault(tmp_path, source, run):
    prepare(run, source, tmp_path / "out")
    code, _, err = run("check", *(tmp_path / f"out/{split}.tsv" for split in USED))
    assert code == 0, err
