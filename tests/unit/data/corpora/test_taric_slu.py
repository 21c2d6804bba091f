import csv

import numpy as np
import pytest

from fairseq_samu.data.audio import read_audio

HEADER = ["ID", "duration", "start", "stop", "wav", "spk_id", "wrd", "char"]
ASK = "نحب <nombre_billet> زوز > تكايات <ville_arrivee> لتونس >"


def write_table(path, rows, header=HEADER):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def row(number, text, start="0", stop="1", wav="$data_root/wav/d1.wav", speaker="s1"):
    return [f"u{number}", "1.0", start, stop, wav, speaker, text, "ن ح ب"]


@pytest.fixture
def source(tmp_path, tones):
    """Three tables with one malformed row of each kind in them."""
    root = tmp_path / "taric"
    for name in ("d1", "d2", "d3"):
        tones.write(root / f"wav/{name}.wav", 6.0)
    (root / "wav/broken.wav").write_bytes(b"not a recording" * 50)
    train = [
        row(1, ASK, "0.5", "2.0"),
        row(2, "سطر\nجديد", "2", "3", "wav/d1.wav"),
        row(3, "ايه", "2", "3"),
        row(4, "ايه", "3", "3"),
        row(5, "ايه", "x", "3"),
        row(6, "ايه", "0", "5.5"),
        row(7, "ايه", "0", "9"),
        row(8, "<a> <b> x >", "3", "4"),
        row(9, "< ville > x >", "3", "4"),
        row(10, "", "3", "4"),
        row(11, "<a> ... >", "3", "4"),
        row(12, "ايه", wav=""),
        row(13, "ايه", wav="wav/absent.wav"),
        row(14, "ايه", wav="wav/broken.wav"),
        row(15, "ايه", wav="wav/d3.wav"),
        row(16, "too few")[:-2],
        row(17, "ايه", "4", "5", "wav/d1.wav", speaker=""),
    ]
    write_table(root / "train.csv", train)
    with (root / "train.csv").open("ab") as file:
        file.write(b"\r\nu18,1,0,1,wav/d1.wav,s1,caf\xe9,c\r\n")
    write_table(root / "dev.csv", [row(1, "<reponse> ايه >", "1", "2", "wav/d2.wav")])
    write_table(root / "test.csv", [row(1, "<reponse> ايه >", "1", "2", "wav/d3.wav")])
    return root


def prepare(run, source, output, *more):
    code, out, err = run("prepare", "taric-slu", "--source", source, "--output", output, "--max-seconds", "4", *more)
    assert code == 0, err
    return out


def test_every_row_is_used_or_named(tmp_path, source, run, rows, dropped):
    output = tmp_path / "out"
    prepare(run, source, output)
    assert {split: list(rows(output / f"{split}.tsv")) for split in ("train", "valid", "test")} == {
        "train": ["d1_0000500-0002000", "d1_0002000-0003000", "d1_0004000-0005000"],
        "valid": ["d2_0001000-0002000"],
        "test": ["d3_0001000-0002000"],
    }
    # The second row has a line end in it, so that the third one begins on line 5.
    assert dropped(output) == {
        ("train.csv:5", "second segment of one time"),
        ("train.csv:6", "ends before it starts"),
        ("train.csv:7", "time that is no number"),
        ("train.csv:8", "longer than 4 s"),
        ("train.csv:9", "longer than 4 s"),
        ("train.csv:10", "faulty annotation"),
        ("train.csv:11", "faulty annotation"),
        ("train.csv:12", "no words"),
        ("train.csv:13", "no words"),
        ("train.csv:14", "no recording named"),
        ("train.csv:15", "missing recording"),
        ("train.csv:16", "unreadable segment"),
        ("train.csv:17", "its recording is held out"),
        ("train.csv:18", "wrong number of columns"),
        ("train.csv:21", "not UTF-8"),
    }


def test_words_concepts_times_and_speakers_are_exact(tmp_path, source, run, rows):
    output = tmp_path / "out"
    prepare(run, source, output)
    train = rows(output / "train.tsv")
    first = train["d1_0000500-0002000"]
    assert (first.src_text, first.tgt_text) == ("نحب زوز تكايات لتونس", ASK)
    assert (first.n_frames, first.src_lang, first.tgt_lang, first.speaker) == (24000, "aeb", "aeb", "s1")
    whole = read_audio(str(source / "wav/d1.wav"))
    np.testing.assert_allclose(read_audio(first.audio, output), whole[8000:32000], atol=2**-15)
    assert train["d1_0002000-0003000"].src_text == "سطر جديد"


def test_tables_without_times_and_of_other_names_are_read(tmp_path, tones, run, rows, dropped):
    root = tmp_path / "taric"
    tones.write(root / "a.wav", 1.5, 8000)
    tones.write(root / "b.wav", 1.0)
    (root / "c.wav").write_bytes(b"not a recording" * 50)
    header = ["path", "speaker", "annotated"]
    write_table(root / "tr.csv", [["a.wav", "m", "<a> x >"], ["c.wav", "m", "<a> z >"]], header)
    write_table(root / "va.csv", [], header)
    write_table(root / "te.csv", [["b.wav", "f", "y"]], header)
    names = ("--audio-column", "path", "--text-column", "annotated", "--speaker-column", "speaker")
    prepare(run, root, tmp_path / "out", "--tables", "tr.csv,va.csv,te.csv", "--language", "ar", *names)
    train = rows(tmp_path / "out/train.tsv")
    assert list(train) == ["a_0000000-0001500"]
    found = train["a_0000000-0001500"]
    assert (found.n_frames, found.speaker, found.src_lang, found.tgt_text) == (24000, "m", "ar", "<a> x >")
    assert dropped(tmp_path / "out") == {("tr.csv:3", "unreadable recording")}


def test_what_is_absent_is_named(tmp_path, source, run):
    prepare = ("prepare", "taric-slu", "--source", source, "--output", tmp_path / "out")
    for more, message in (
        (("--tables", "train.csv,test.csv"), "`tables` must be three, by commas"),
        (("--tables", "train.csv,valid.csv,test.csv"), "`valid.csv` must be in"),
        (("--text-column", "semantics"), "test.csv:1: `semantics` must be in the header"),
        (("--language", "tunisian"), "`language` must be a code of ISO 639"),
    ):
        code, _, err = run(*prepare, *more)
        assert code == 1
        assert message in err


def test_the_corpus_can_be_trained_on(tmp_path, source, run, learnable):
    prepare(run, source, tmp_path / "out")
    assert set(learnable(tmp_path / "out")) == {"nombre_billet", "ville_arrivee", "reponse"}
