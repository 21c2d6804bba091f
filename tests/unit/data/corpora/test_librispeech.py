"""LibriSpeech in miniature, with one malformed row of each kind in it."""

import os

import numpy as np
import pytest
import soundfile


@pytest.fixture
def source(tmp_path, tones, write_text):
    root = tmp_path / "LibriSpeech"

    def write(subset, speaker, chapter, lines, seconds=1.0, recordings=None):
        folder = root / subset / speaker / chapter
        for number in range(len(lines) if recordings is None else recordings):
            tones.write(folder / f"{speaker}-{chapter}-{number:04}.flac", seconds)
        write_text(folder / f"{speaker}-{chapter}.trans.txt", "\n".join(lines) + "\n")
        return folder

    folder = write(
        "train-clean-100",
        "19",
        "198",
        [
            "19-198-0000 NORTHANGER ABBEY",
            "19-198-0001 IT'S HER  FATHER",
            "19-198-0002",
            "19-198-0003 ...",
            "20-198-0004 ANOTHER SPEAKER",
            "19-198-0001 SAID TWICE",
            "19-198-0006 BROKEN",
            "19-198-0007 SILENT",
            "19-198-0008 MISSING",
            "19-198-0009 A TEST",
            "19-198-0010 LONG",
            "19-198-/../0011 OUTSIDE",
        ],
        recordings=11,
    )
    (folder / "19-198-0006.flac").write_bytes(b"not a recording" * 20)
    soundfile.write(folder / "19-198-0007.flac", np.zeros(16000), 16000)
    (folder / "19-198-0008.flac").unlink()
    tones.write(folder / "19-198-0010.flac", 5.5)
    with (folder / "19-198.trans.txt").open("ab") as file:
        file.write(b"19-198-0012 CAF\xc9\n")
    (root / "train-clean-100/19/199").mkdir()
    tones.write(root / "train-clean-100/19/199/19-199-0000.flac", 1.0)
    write("train-other-500", "20", "1", ["20-1-0000 ANOTHER BOOK"])
    write("dev-clean", "30", "1", ["30-1-0000 DEVELOPMENT", "30-1-0001 A TEST"], seconds=6.0)
    write("dev-other", "31", "1", ["31-1-0000 HARDER DEVELOPMENT"])
    write("test-clean", "40", "1", ["40-1-0000 A TEST"])
    write("test-other", "41", "1", ["41-1-0000 A TEST"])
    write_text(root / "SPEAKERS.TXT", "; nothing\n")
    return tmp_path


def prepare(run, source, output, *more):
    arguments = ("prepare", "librispeech", "--source", source, "--output", output, "--max-seconds", "5", *more)
    code, out, err = run(*arguments)
    assert code == 0, err
    return out


def test_every_line_and_recording_is_used_or_named(tmp_path, source, run, rows, dropped):
    output = tmp_path / "out"
    out = prepare(run, source, output)
    splits = ("train", "valid", "valid_other", "test", "test_other")
    assert {split: list(rows(output / f"{split}.tsv")) for split in splits} == {
        "train": ["19-198-0000", "19-198-0001", "20-1-0000"],
        "valid": ["30-1-0000"],
        "valid_other": ["31-1-0000"],
        "test": ["40-1-0000"],
        "test_other": ["41-1-0000"],
    }
    assert dropped(output) == {
        ("19-198.trans.txt:3", "empty text"),
        ("19-198.trans.txt:4", "no words"),
        ("19-198.trans.txt:5", "not an utterance of its chapter"),
        ("19-198.trans.txt:6", "second transcript of one recording"),
        ("19-198.trans.txt:7", "unreadable recording"),
        ("19-198.trans.txt:8", "unreadable recording"),
        ("19-198.trans.txt:9", "missing recording"),
        ("19-198.trans.txt:10", "its words are held out"),
        ("19-198.trans.txt:11", "longer than 5 s"),
        ("19-198.trans.txt:12", "not an utterance of its chapter"),
        ("19-198.trans.txt:13", "not UTF-8"),
        ("19-198-0004.flac", "no transcript"),
        ("19-198-0005.flac", "no transcript"),
        ("19-199-0000.flac", "no transcript"),
        ("30-1.trans.txt:2", "its words are held out"),
    }
    assert "valid_other rows" in out
    assert run("check", *(output / f"{split}.tsv" for split in splits))[0] == 0


def test_rows(tmp_path, source, run, rows):
    prepare(run, source / "LibriSpeech", tmp_path / "out", "--subsets", "train-clean-100,dev-clean")
    train = rows(tmp_path / "out/train.tsv")
    row = train["19-198-0001"]
    assert (row.src_text, row.src_lang, row.speaker, row.n_frames) == ("IT'S HER FATHER", "en", "19", 16000)
    assert row.tgt_text is None
    path = source / "LibriSpeech/train-clean-100/19/198/19-198-0001.flac"
    assert row.audio == os.path.relpath(path, tmp_path / "out")
    assert "A TEST" in {row.src_text for row in rows(tmp_path / "out/valid.tsv").values()}
    assert not (tmp_path / "out/test.tsv").exists()
    assert "--lower-case" in (tmp_path / "out/README.md").read_text()
    prepare(run, source, tmp_path / "low", "--lower-case", "--absolute")
    row = rows(tmp_path / "low/train.tsv")["19-198-0001"]
    assert (row.src_text, row.audio) == ("it's her father", str(path.resolve()))
    assert "\n  --lower-case \\\n" in (tmp_path / "low/README.md").read_text()


def test_subsets_that_are_not_there(tmp_path, source, run):
    code, _, err = run("prepare", "librispeech", "--source", source, "--output", tmp_path / "o", "--subsets", "dev")
    assert code == 1 and "`dev` must be the folder LibriSpeech" in err
    code, _, err = run("prepare", "librispeech", "--source", tmp_path / "none", "--output", tmp_path / "o")
    assert code == 1 and "there: none" in err


def test_a_data_set_reads_it(tmp_path, source, run):
    pytest.importorskip("fairseq", reason="the dataset is the host's kind")
    from fairseq_samu.data.dataset_options import DatasetOptions
    from fairseq_samu.data.manifest import read_manifest
    from fairseq_samu.data.speech_text_dataset import SpeechTextDataset

    prepare(run, source, tmp_path / "out")
    dataset = SpeechTextDataset(read_manifest(tmp_path / "out/train.tsv"), DatasetOptions(audio_root=tmp_path / "out"))
    recording = source / "LibriSpeech/train-clean-100/19/198/19-198-0001.flac"
    np.testing.assert_array_equal(dataset[1].source, soundfile.read(recording, dtype="float32")[0])
