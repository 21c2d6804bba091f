"""Pairs of texts: a file of each form, one malformed line of each kind, and nothing held out in training."""

import gzip

import pytest

from fairseq_samu.data.manifest import TEXT_PAIR_COLUMNS, read_manifest

LANGUAGES = ("--source-language", "en", "--target-language", "de")
FILES = ("--source-file", "train.en", "--target-file", "train.de")


def write_lines(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def prepare(run, source, output, *more, files=FILES):
    code, out, err = run("prepare", "text-pairs", "--source", source, "--output", output, *files, *LANGUAGES, *more)
    assert code == 0, err
    return out


def read(path):
    return {row.id: row for row in read_manifest(path, TEXT_PAIR_COLUMNS)}


@pytest.fixture
def source(tmp_path):
    pairs = [
        ("\ufeffA first sentence .", "Ein erster Satz ."),
        ("Spaces  and\u2028lines\x07 .", "Leerzeichen\tund Zeilen .\r"),
        ("", "Kein Text"),
        ("No translation", " \u200b"),
        (b"caf\xe9", "Kaffee"),
        ("A sentence of the test", "Etwas anderes"),
        ("Something else", "EIN SATZ, des Tests!"),
        ("A sentence of six words here", "Zu lang"),
        ("One", "Ein ganzes Dutzend mehr"),
        ("...", "..."),
        ("A talk says this .", "Ein Vortrag sagt das ."),
        ("A sentence to validate", "Noch etwas"),
    ]
    for lang, lines in zip(("en", "de"), zip(*pairs, strict=True), strict=True):
        write_lines(tmp_path / f"corpus/train.{lang}", *lines)
    write_lines(tmp_path / "corpus/test/news.en", "A sentence of the test", "Yes")
    write_lines(tmp_path / "corpus/test/news.de", "Ein Satz des Tests", "Ja")
    write_lines(tmp_path / "corpus/dev/news.en.gz", "A sentence to validate", "Another one", "yes!")
    write_lines(tmp_path / "corpus/dev/news.de.gz", "Ein Satz zum Prüfen", "Noch einer", "Jawohl")
    header = "id\taudio\tn_frames\tsrc_text\ttgt_text"
    write_lines(tmp_path / "mustc/test.tsv", header, "ted_1_0\ta.wav\t16000\tA talk says this\tEin Vortrag")
    return tmp_path / "corpus"


HELD_OUT = (
    *("--test-source-file", "test/news.en", "--test-target-file", "test/news.de"),
    *("--valid-source-file", "dev/news.en.gz", "--valid-target-file", "dev/news.de.gz"),
)


def test_every_line_is_used_or_named(tmp_path, source, run, dropped):
    output = tmp_path / "out"
    more = ("--held-out", tmp_path / "mustc/test.tsv", "--max-words", 5, "--max-ratio", 3)
    out = prepare(run, source, output, *HELD_OUT, *more)
    train = read(output / "train.tsv")
    assert list(train) == ["train.en:1", "train.en:2", "train.en:10"]
    assert list(read(output / "valid.tsv")) == ["valid/news.en:1", "valid/news.en:2"]
    assert list(read(output / "test.tsv")) == ["test/news.en:1", "test/news.en:2"]
    row = train["train.en:2"]
    assert (row.src_text, row.tgt_text) == ("Spaces and lines .", "Leerzeichen und Zeilen .")
    assert (row.src_lang, row.tgt_lang, row.audio, row.n_frames) == ("en", "de", "", 0)
    assert train["train.en:1"].src_text == "A first sentence ."
    assert dropped(output) == {
        ("train.en:3", "empty text"),
        ("train.en:4", "empty translation"),
        ("train.en:5", "not UTF-8"),
        ("train.en:6", "its words are held out"),
        ("train.en:7", "its words are held out"),
        ("train.en:8", "longer than 5 words"),
        ("train.en:9", "more than 3 words to one"),
        ("train.en:11", "its words are held out"),
        ("train.en:12", "its words are held out"),
        ("valid/news.en:3", "its words are held out"),
    }
    assert "en>de" in out and "min" not in out
    assert not (output / "texts.tsv").exists() and not (output / "audio.zip").exists()
    assert run("check", *(output / f"{split}.tsv" for split in ("train", "valid", "test")))[0] == 0
    readme = (output / "README.md").read_text(encoding="utf-8")
    assert "n_frames" not in readme and "texts.tsv" not in readme.partition("## Contents")[0]


def test_filters_are_off_unless_asked_for(tmp_path, source, run, dropped):
    prepare(run, source, tmp_path / "out")
    assert dropped(tmp_path / "out") == {
        ("train.en:3", "empty text"),
        ("train.en:4", "empty translation"),
        ("train.en:5", "not UTF-8"),
    }
    assert len(read(tmp_path / "out/train.tsv")) == 9


def test_tables_and_several_files(tmp_path, run, dropped):
    folder = tmp_path / "corpus"
    write_lines(folder / "a/text.tsv", "One\tEins", "Two", "Three\tDrei\t3", "Four\tVier")
    write_lines(folder / "b/text.tsv.gz", "Five\tFünf")
    write_lines(folder / "c.en.gz", "Six")
    (folder / "c.de").write_bytes(b"Sechs")  # without a last line end
    files = ("--source-file", "a/text.tsv, c.en.gz,b/text.tsv.gz", "--target-file", "c.de")
    prepare(run, folder, tmp_path / "out", files=files)
    train = read(tmp_path / "out/train.tsv")
    assert {name: row.tgt_text for name, row in train.items()} == {
        "1-text.tsv:1": "Eins", "1-text.tsv:4": "Vier", "c.en:1": "Sechs", "3-text.tsv:1": "Fünf"
    }  # fmt: skip
    assert dropped(tmp_path / "out") == {("1-text.tsv:2", "not two columns"), ("1-text.tsv:3", "not two columns")}


def test_a_share_to_validate_with_goes_by_what_is_said(tmp_path, run, dropped):
    folder = tmp_path / "corpus"
    lines = [f"sentence number {n % 1500}" for n in range(2000)]
    write_lines(folder / "train.en", *lines)
    write_lines(folder / "train.de", *(f"Satz {n}" for n in range(2000)))
    prepare(run, folder, tmp_path / "out", "--valid-share", "0.1")
    train, valid = read(tmp_path / "out/train.tsv"), read(tmp_path / "out/valid.tsv")
    assert len(train) + len(valid) == 2000 and 120 < len(valid) < 280
    assert not {row.src_text for row in train.values()} & {row.src_text for row in valid.values()}
    # other lines do not change where a pair goes
    write_lines(folder / "some.en", *lines[:500])
    write_lines(folder / "some.de", *(f"Satz {n}" for n in range(500)))
    files = ("--source-file", "some.en", "--target-file", "some.de")
    prepare(run, folder, tmp_path / "some", "--valid-share", "0.1", files=files)
    some = {row.src_text for row in read(tmp_path / "some/valid.tsv").values()}
    assert some == {row.src_text for name, row in valid.items() if int(name.partition(":")[2]) <= 500}


def test_files_of_different_length_are_refused_with_their_lengths(tmp_path, source, run):
    write_lines(source / "train.de", *"abc")
    arguments = ("--source", source, "--output", tmp_path / "out", *FILES, *LANGUAGES)
    code, _, err = run("prepare", "text-pairs", *arguments)
    assert code == 1 and "train.en, 12, but is '3' instead" in err
    assert not (tmp_path / "out/prepared.json").exists()


def test_a_packed_file_that_is_cut_short(tmp_path, source, run):
    lines = [f"{n * n}" for n in range(5000)]
    content = write_lines(source / "train.en.gz", *lines).read_bytes()
    (source / "train.en.gz").write_bytes(content[: len(content) // 2])
    files = ("--source-file", "train.en.gz", "--target-file", "train.de")
    code, _, err = run("prepare", "text-pairs", "--source", source, "--output", tmp_path / "o", *files, *LANGUAGES)
    assert code == 1 and "readable to its end" in err and "Traceback" not in err


def test_all_faults_of_the_options_come_together(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong = (
        "--source-file",
        "a.en,b.en",
        "--target-file",
        "a.de",
        "--source-language",
        "xx",
        "--target-language",
        "de",
    )
    wrong += (
        "--valid-share",
        "1.5",
        "--max-ratio",
        "0.5",
        "--valid-source-file",
        "v.tsv",
        "--valid-target-file",
        "v.de",
    )
    code, _, err = run("prepare", "text-pairs", "--output", tmp_path / "out", *wrong)
    assert code == 1
    for words in (
        "`--target-file` must be as many names as files of --source-file that are no .tsv, 2, but is '1'",
        "`a.en` must be an existing file",
        "`v.tsv` must be an existing file",
        "`--valid-target-file` must be as many names",
        "`--source-language` must be a language code such as en, but is 'xx'",
        "`--valid-share` must be from 0 to below 1",
        "`--valid-share` must be 0 beside --valid-source-file",
        "`--max-words, --max-ratio` must be 0, or at least 1",
    ):
        assert words in err
    code, _, err = run("prepare", "text-pairs", "--output", tmp_path / "out")
    assert code == 1 and "`--source-file` must be a file, but is 'not given'" in err and "another language" in err


def test_a_data_set_reads_it(tmp_path, source, run):
    pytest.importorskip("fairseq", reason="the dataset is the host's kind")
    from fairseq_samu.data.dataset_options import DatasetOptions
    from fairseq_samu.data.text_pairs import TextPairDataset
    from fairseq_samu.data.vocabulary import Vocabulary

    prepare(run, source, tmp_path / "out")
    texts = [tmp_path / "out/train.tsv", "--columns", "src_text,tgt_text", "--model-type", "char", "--size", 80]
    code, _, err = run("prepare", "sentencepiece", *texts, "--output", tmp_path / "out")
    assert code == 0, err
    vocabulary = Vocabulary.from_sentencepiece(tmp_path / "out/sentencepiece.model")
    manifest = read_manifest(tmp_path / "out/train.tsv", TEXT_PAIR_COLUMNS)
    dataset = TextPairDataset(manifest, vocabulary, DatasetOptions(tmp_path, training=True))
    assert len(dataset) == 9
    assert vocabulary.decode(dataset[1].source_tokens) == "Spaces and lines ."
