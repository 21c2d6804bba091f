import os

import pytest

from fairseq_samu.data.audio import audio_samples
from fairseq_samu.data.corpora.covost2_tables import split_escaped

CLIPS = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccent\n"


def clips(*rows):
    return CLIPS + "".join(f"{speaker * 20}\t{path}\t{sentence}\t2\t0\t\t\t\n" for speaker, path, sentence in rows)


def translations(*rows):
    return "path\ttranslation\tsplit\n" + "".join("\t".join(row) + "\n" for row in rows)


FRENCH = [
    ("t", "t1.mp3", "Le test."),
    ("d", "d1.mp3", "Développement"),
    ("d", "d2.mp3", "Un autre essai"),
    ("a", "a1.mp3", 'Il dit \\"oui\\", "non".'),
    ("b", "b1.mp3", "Une phrase"),
    ("c", "c1.mp3", "Une phrase"),
    ("a", "leak1.mp3", "le TEST"),
    ("a", "leak2.mp3", "Elle dort"),
    ("a", "other.mp3", "Autre"),
    ("a", "untranslated.mp3", "Sans traduction"),
    ("a", "empty.mp3", ""),
    ("a", "dots.mp3", "... !"),
    ("a", "missing.mp3", "Absent"),
    ("a", "broken.mp3", "Cassé"),
    ("a", "long.mp3", "Long"),
    ("a", "../a1.mp3", "Dehors"),
    ("a", "unlisted.mp3", "Pas dans CoVoST"),
]
FRENCH_ENGLISH = [
    ("t1.mp3", "The test.", "test"),
    ("d1.mp3", "Development", "dev"),
    ("d2.mp3", "the test", "dev"),
    ("b1.mp3", "A sentence", "train_covost"),
    ("c1.mp3", "A sentence", "train"),
    ("a1.mp3", 'He says \\"yes\\", "no".', "train"),
    ("leak1.mp3", "Other words", "train"),
    ("leak2.mp3", "A fish sleeps", "train"),
    ("other.mp3", "Other", "dev_covost"),
    ("untranslated.mp3", "", "train"),
    ("empty.mp3", "Empty", "train"),
    ("dots.mp3", "...", "train"),
    ("missing.mp3", "Absent", "train"),
    ("broken.mp3", "Broken", "test"),
    ("long.mp3", "Long", "train"),
    ("../a1.mp3", "Outside", "train"),
    ("b1.mp3", "Again", "train"),
    ("nowhere.mp3", "Nowhere", "train"),
    ("", "No path", "train"),
    ("too", "few"),
    ("too", "many", "columns", "train"),
]
ENGLISH = [("e", "e1.mp3", "A fish sleeps"), ("f", "e2.mp3", "Good morning")]


@pytest.fixture(scope="module")
def source(tmp_path_factory, tones, write_text):
    """French and Swedish into English with one malformed row of each kind, English into Welsh and Chinese."""
    folder = tmp_path_factory.mktemp("cv4")
    write_text(folder / "fr/validated.tsv", clips(*FRENCH))
    table = write_text(folder / "fr/covost_v2.fr_en.tsv", translations(*FRENCH_ENGLISH))
    with table.open("ab") as file:
        file.write(b"c9.mp3\tcaf\xe9\ttrain\n")
    write_text(folder / "fr/covost_v2.fr_en.train.tsv", "path\tsentence\ttranslation\tclient_id\n")
    for name in ("t1", "d1", "d2", "a1", "b1", "c1", "leak1", "leak2", "other", "dots"):
        tones.write(folder / f"fr/clips/{name}.mp3", 1.0, 48000)
    tones.write(folder / "fr/clips/long.mp3", 3.0, 48000)
    (folder / "fr/clips/broken.mp3").write_bytes(b"not a recording" * 50)
    write_text(folder / "sv-SE/validated.tsv", clips(("s", "s1.mp3", "God natt"), ("r", "s2.mp3", "Hej då")))
    rows = [("s1.mp3", "Good night", "test"), ("s2.mp3", "Goodbye", "train")]
    write_text(folder / "covost_v2.sv-SE_en.tsv", translations(*rows))
    for name in ("s1", "s2"):
        tones.write(folder / f"sv-SE/clips/{name}.mp3", 1.0, 48000)
    write_text(folder / "en/validated.tsv", clips(*ENGLISH))
    for target, texts in (("cy", ("Mae pysgodyn yn cysgu", "Bore da")), ("zh-CN", ("鱼在睡觉", "早上好"))):
        rows = [("e1.mp3", texts[0], "test"), ("e2.mp3", texts[1], "train")]
        write_text(folder / f"en/covost_v2.en_{target}.tsv", translations(*rows))
    for name in ("e1", "e2"):
        tones.write(folder / f"en/clips/{name}.mp3", 1.0, 48000)
    write_text(folder / "covost_v2.de_en.tsv", translations(("x.mp3", "x", "train")))
    return folder


def prepare(run, source, output, *more):
    code, out, err = run("prepare", "covost2", "--source", source, "--output", output, "--max-seconds", "2", *more)
    assert code == 0, err
    return out


def ids(rows, output):
    return {s: set(rows(output / f"{s}.tsv")) for s in ("train", "valid", "test") if (output / f"{s}.tsv").exists()}


def test_every_row_is_used_or_named(tmp_path, source, run, rows, dropped):
    out = prepare(run, source, tmp_path)
    assert ids(rows, tmp_path) == {
        "train": {"fr/a1", "fr/b1", "fr/c1", "sv-SE/s2", "en/e2>cy", "en/e2>zh"},
        "valid": {"fr/d1"},
        "test": {"fr/t1", "sv-SE/s1", "en/e1>cy", "en/e1>zh"},
    }
    place = "covost_v2.fr_en.tsv"
    assert dropped(tmp_path) == {
        (f"{place}:4", "its words are held out"),
        (f"{place}:8", "its words are held out"),
        (f"{place}:9", "its words are held out"),
        (f"{place}:10", "split that is not used"),
        (f"{place}:11", "empty translation"),
        (f"{place}:12", "empty sentence"),
        (f"{place}:13", "no words"),
        (f"{place}:14", "missing clip"),
        (f"{place}:15", "unreadable clip"),
        (f"{place}:16", "longer than 2 s"),
        (f"{place}:17", "path that leads out of clips/"),
        (f"{place}:18", "second translation of one clip"),
        (f"{place}:19", "not in validated.tsv"),
        (f"{place}:20", "empty path"),
        (f"{place}:21", "wrong number of columns"),
        (f"{place}:22", "wrong number of columns"),
        (f"{place}:23", "translation is not UTF-8"),
    }
    assert (tmp_path / "dropped.tsv").read_text("utf-8").count("\n") == 18  # each once
    pairs = [line.split()[0] for line in out.splitlines() if ">" in line]
    assert pairs == ["en>cy", "en>zh", "fr>en", "sv>en"]


def test_rows_hold_both_texts_and_name_the_clip_in_place(tmp_path, source, run, rows):
    prepare(run, source, tmp_path)
    train = rows(tmp_path / "train.tsv")
    row = train["fr/a1"]
    assert (row.src_text, row.src_lang) == ('Il dit "oui", "non".', "fr")
    assert (row.tgt_text, row.tgt_lang) == ('He says "yes", "no".', "en")
    assert row.audio == os.path.relpath(source / "fr/clips/a1.mp3", tmp_path)
    assert row.n_frames == audio_samples(row.audio, tmp_path, decode=True)
    assert row.speaker == "a" * 16
    assert train["fr/b1"].parallel_id == train["fr/c1"].parallel_id != row.parallel_id
    welsh, chinese = train["en/e2>cy"], train["en/e2>zh"]
    assert (welsh.audio, welsh.parallel_id) == (chinese.audio, chinese.parallel_id)
    assert (welsh.tgt_text, welsh.tgt_lang, chinese.tgt_lang) == ("Bore da", "cy", "zh")
    texts = (tmp_path / "texts.tsv").read_text("utf-8")
    assert f"{welsh.parallel_id}\tzh\t早上好\ttrain\n" in texts


def test_clips_of_several_pairs_are_copied_once(tmp_path, source, run, rows):
    prepare(run, source, tmp_path, "--copy", "--pairs", "en_cy,en_zh-CN")
    test = rows(tmp_path / "test.tsv")
    assert test["en/e1>cy"].audio == test["en/e1>zh"].audio
    assert test["en/e1>cy"].n_frames == audio_samples(test["en/e1>cy"].audio, tmp_path, decode=True)
    clip = (source / "en/clips/e1.mp3").stat().st_size
    assert (tmp_path / "audio.zip").stat().st_size < 3 * clip


def test_languages_may_be_kept_out_of_training_but_not_out_of_the_test(tmp_path, source, run, rows):
    prepare(run, source, tmp_path, "--pairs", "fr_en,sv-SE_en", "--train-languages", "sv-SE")
    assert ids(rows, tmp_path) == {"train": {"sv-SE/s2"}, "test": {"fr/t1", "sv-SE/s1"}}


def test_a_language_folder_is_a_source(tmp_path, source, run, rows):
    prepare(run, source / "fr", tmp_path, "--pairs", "fr_en")
    # The English test sentence that one of them translates is not there.
    assert ids(rows, tmp_path)["train"] == {"fr/a1", "fr/b1", "fr/c1", "fr/leak2"}


def test_the_check_finds_no_fault(tmp_path, source, run):
    prepare(run, source, tmp_path)
    code, _, err = run("check", *(tmp_path / f"{split}.tsv" for split in ("train", "valid", "test")))
    assert code == 0, err


@pytest.mark.parametrize("pairs", ["fr_en,de_en", "xx_en"])
def test_absent_pairs_are_named_with_those_that_are_there(tmp_path, source, run, pairs):
    code, _, err = run("prepare", "covost2", "--source", source, "--output", tmp_path, "--pairs", pairs)
    assert code == 1
    assert f"`{pairs.rpartition(',')[2]}` must be" in err
    assert "complete pairs there: en_cy, en_zh-CN, fr_en, sv-SE_en" in err


def test_training_languages_must_be_there(tmp_path, source, run):
    code, _, err = run("prepare", "covost2", "--source", source, "--output", tmp_path, "--train-languages", "fr,de")
    assert code == 1
    assert "languages of speech of the pairs (en fr sv), but is 'de' instead" in err


def test_tables_without_needed_columns_are_refused(tmp_path, run, write_text):
    write_text(tmp_path / "cv/fr/validated.tsv", clips())
    write_text(tmp_path / "cv/covost_v2.fr_en.tsv", "path\ttranslation\n")
    code, _, err = run("prepare", "covost2", "--source", tmp_path / "cv", "--output", tmp_path)
    assert code == 1
    assert "covost_v2.fr_en.tsv:1: `split` must be in the header" in err


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ("a\tb", ["a", "b"]),
        ('"a\t"b" c"', ['"a', '"b" c"']),
        ('\\"a\\"\tb\\\\c', ['"a"', "b\\c"]),
        ("a\\\tb\tc", ["a\tb", "c"]),
        ("a\tb\\", ["a", "b\n"]),
        ("a\\b\rc\t", ["ab c", ""]),
    ],
)
def test_backslashes_escape_and_quotes_do_nothing(line, cells):
    assert split_escaped(line) == cells
