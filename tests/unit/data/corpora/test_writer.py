import json
import zipfile

import pytest
import soundfile

from fairseq_samu.data.audio import read_audio
from fairseq_samu.data.corpora.audio_zip import AudioZip
from fairseq_samu.data.corpora.writer import RECORD, CorpusWriter, clean_cell, finished
from fairseq_samu.errors import AudioError, ManifestError

SETTINGS = {"test_items": 1}


def row(item, text, lang="en", spec="audio.zip:0:1", samples=16000):
    values = {"id": f"{lang}/{item}", "audio": spec, "n_frames": samples, "src_text": text, "src_lang": lang}
    return {**values, "speaker": "anna", "parallel_id": item, "tgt_text": text, "tgt_lang": "en"}


def prepare(output, tones, texts=("train words", "test words"), settings=SETTINGS):
    with CorpusWriter(output, "mini", settings) as writer:
        clip = tones.write(output.parent / "clip.wav").read_bytes()
        for split, text in zip(("train", "test"), texts, strict=True):
            spec, samples = writer.store(f"en/{split}.wav", clip)
            writer.add_row(split, row(split, text, spec=spec, samples=samples))
            writer.add_text(split, split, "en", text)
        writer.drop("en", "lost", "no text")
        writer.add_document("LICENSE.txt", "free")
    return writer.summary


def test_offsets_lead_to_the_stored_bytes(tmp_path):
    path = tmp_path / "audio.zip"
    parts = {"fr/é.ogg": b"first", "long/name/of/a/recording.ogg": b"second" * 999}
    with AudioZip(path) as archive:
        specs = {name: archive.add(name, content) for name, content in parts.items()}
    for name, content in parts.items():
        offset, length = map(int, specs[name].split(":")[1:])
        assert path.read_bytes()[offset : offset + length] == content
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {info.filename: info.compress_type for info in archive.infolist()} == dict.fromkeys(parts, 0)


def test_folder_has_its_files_and_is_recognised(tmp_path, tones, rows):
    output = tmp_path / "out"
    summary = prepare(output, tones)
    names = {"train.tsv", "test.tsv", "texts.tsv", "dropped.tsv", "audio.zip", "LICENSE.txt", "README.md", RECORD}
    assert {path.name for path in output.iterdir()} == names
    (only,) = rows(output / "test.tsv").values()
    assert only.n_frames == 16000
    assert len(read_audio(only.audio, output)) == 16000
    again = finished(output, "mini", SETTINGS)
    assert again is not None
    assert (again.rows, again.dropped, again.texts) == (summary.rows, summary.dropped, summary.texts)
    assert again.table() == summary.table()
    assert "no text" in summary.table()


@pytest.mark.parametrize("name", ["train.tsv", "audio.zip", RECORD])
def test_changed_or_missing_files_are_not_finished(tmp_path, tones, name):
    output = tmp_path / "out"
    prepare(output, tones)
    with (output / name).open("ab") as file:
        file.write(b"x")
    assert finished(output, "mini", SETTINGS) is None
    (output / name).unlink()
    assert finished(output, "mini", SETTINGS) is None


def test_other_options_corpus_or_source_are_not_finished(tmp_path, tones):
    prepare(tmp_path / "out", tones)
    assert finished(tmp_path / "out", "mini", {"test_items": 2}) is None
    assert finished(tmp_path / "out", "other", SETTINGS) is None
    assert finished(tmp_path / "out", "mini", SETTINGS, {"train.tsv": 7}) is None
    assert finished(tmp_path / "nowhere", "mini", SETTINGS) is None


def test_two_runs_make_equal_files(tmp_path, tones):
    clip = tones.write(tmp_path / "clip.wav").read_bytes()
    for name in ("one", "two"):
        with CorpusWriter(tmp_path / name, "mini", SETTINGS) as writer:
            spec, samples = writer.store("a.wav", clip)
            writer.add_row("train", row("a", "words", spec=spec, samples=samples))
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize("texts", [("same words", "Same words!")])
def test_a_leak_publishes_nothing(tmp_path, tones, texts):
    with pytest.raises(ManifestError, match="held out"):
        prepare(tmp_path / "out", tones, texts)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_leak_in_a_language_without_speech_is_found(tmp_path):
    with pytest.raises(ManifestError, match=r"texts.tsv:3"), CorpusWriter(tmp_path / "out", "mini", {}) as writer:
        writer.add_row("train", row("a", "words"))
        writer.add_text("test", "b", "de", "Gute Nacht")
        writer.add_text("train", "a", "de", "gute Nacht.")


def test_dialogues_may_share_short_answers_but_have_no_faults(tmp_path):
    with CorpusWriter(tmp_path / "out", "mini", {}, shared_texts=True) as writer:
        writer.add_row("train", row("a", "yes"))
        writer.add_row("test", row("b", "yes"))
    assert (tmp_path / "out/test.tsv").exists()
    wrong = pytest.raises(ManifestError, match=r"train.tsv:3")
    with wrong, CorpusWriter(tmp_path / "wrong", "mini", {}, shared_texts=True) as writer:
        writer.add_row("train", row("a", "yes"))
        writer.add_row("train", row("c", "yes", samples=0))


def test_an_interruption_keeps_the_earlier_result(tmp_path, tones):
    output = tmp_path / "out"
    prepare(output, tones)
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    with pytest.raises(KeyboardInterrupt), CorpusWriter(output, "mini", SETTINGS) as writer:
        writer.add_row("train", row("a", "words"))
        raise KeyboardInterrupt
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before


def test_what_a_killed_run_left_is_cleared(tmp_path, tones):
    output = tmp_path / "out"
    (output / ".partial").mkdir(parents=True)
    (output / ".partial" / "train.tsv").write_text("half a ro", encoding="utf-8")
    (output / "notes.txt").write_text("mine", encoding="utf-8")
    prepare(output, tones)
    assert not (output / ".partial").exists()
    assert (output / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert len((output / "train.tsv").read_text(encoding="utf-8").splitlines()) == 2


def test_files_of_an_earlier_preparation_go(tmp_path, tones):
    prepare(tmp_path / "out", tones)
    with CorpusWriter(tmp_path / "out", "mini", {}, archive=False) as writer:
        writer.add_row("train", row("a", "words", spec="x.wav"))
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"train.tsv", "LICENSE.txt", "README.md", RECORD}


def test_a_corpus_without_rows_is_refused_with_the_reasons(tmp_path):
    wording = r"at least one row[\s\S]*no recording"
    with pytest.raises(ManifestError, match=wording), CorpusWriter(tmp_path / "out", "mini", {}) as writer:
        writer.drop("en", "a", "no recording")


def test_a_bad_recording_is_not_stored(tmp_path, tones):
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, tones.wave(1.0) * 0, 16000)
    with CorpusWriter(tmp_path / "out", "mini", {}) as writer:
        for content in (silent.read_bytes(), b"no audio", b""):
            with pytest.raises(AudioError, match="en/x"):
                writer.store("en/x", content)
        spec, samples = writer.store("en/a.wav", tones.write(tmp_path / "a.wav").read_bytes())
        writer.add_row("train", row("a", "words", spec=spec, samples=samples))
    with zipfile.ZipFile(tmp_path / "out" / "audio.zip") as archive:
        assert archive.namelist() == ["en/a.wav"]


def test_an_output_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ManifestError, match="--output"), CorpusWriter(tmp_path / "file" / "out", "mini", {}):
        pass


def test_cells_hold_no_separators():
    assert clean_cell(" a\tb\r\n c\x00d\u2028e ") == "a b c d e"


def test_record_is_plain_json(tmp_path, tones):
    prepare(tmp_path / "out", tones)
    record = json.loads((tmp_path / "out" / RECORD).read_text(encoding="utf-8"))
    assert record["used"][0] == {"lang": "en", "split": "test", "rows": 1, "samples": 16000}
    assert set(record["files"]) == {"train.tsv", "test.tsv", "texts.tsv", "dropped.tsv", "audio.zip"}
