"""MuST-C in miniature: two targets, one malformed row of each kind, and what a data set reads of it."""

import json
import os
from itertools import groupby

import numpy as np
import pytest
import soundfile
import yaml

from fairseq_samu.cli.main import main
from fairseq_samu.data.audio import audio_samples, read_audio
from fairseq_samu.data.manifest import read_manifest

SPLITS = ("train", "valid", "test", "test_he")


def entry(talk, offset, duration, speaker="spk.1"):
    return f"- {{duration: {duration:.6f}, offset: {offset:.6f}, rW: 9, uW: 0, speaker_id: {speaker}, wav: {talk}.wav}}"


def write_split(root, target, split, segments, write_text):
    """``segments``: (line of the list, text, translation)."""
    folder = root / f"en-{target}/data/{split}/txt"
    for name, column in zip(("yaml", "en", target), zip(*segments, strict=True), strict=True):
        write_text(folder / f"{split}.{name}", "\n".join(column) + "\n")
    return folder


@pytest.fixture
def source(tmp_path, tones, write_text):
    """English into German, with one malformed row of each kind, and into Spanish; talks of several rates and kinds."""
    root = tmp_path / "mustc"
    wav = root / "en-de/data/train/wav"
    tones.write(wav / "ted_1.wav", 30.0)
    tones.write(wav / "ted_2.wav", 12.0, 44100)
    stereo = np.stack([tones.wave(12.0, 44100), tones.wave(12.0, 44100)], axis=1)
    soundfile.write(wav / "ted_3.flac", stereo, 44100)
    quiet = tones.wave(6.0)
    quiet[16000:48000] = 0
    soundfile.write(wav / "ted_4.wav", quiet, 16000)
    (wav / "ted_5.wav").write_bytes(b"not a recording" * 50)
    train = [
        (entry("ted_1", 16.08, 3.5), "Thank you.", "Danke."),
        (entry("ted_1", 9.5, 2.25), "It's  a\u2028start (Applause)", "Ein Anfang (Beifall)"),
        (entry("ted_1", 28.0, 2.4), "A little behind the end", "Ein wenig hinter dem Ende"),
        (entry("ted_2", 1.23, 4.0, "spk.2"), "At another rate", "Mit anderer Rate"),
        ("- duration: 2.0\n  offset: 0.5\n  speaker_id: 'spk 3'\n  wav: \"ted_3.flac\"", "In lines", "In Zeilen"),
        (entry("ted_4", 1.0, 2.0), "Silence", "Stille"),
        (entry("ted_5", 1.0, 2.0), "Broken", "Kaputt"),
        (entry("ted_6", 1.0, 2.0), "Missing", "Weg"),
        (entry("ted_1", 28.0, 3.0), "Too far", "Zu weit"),
        (entry("ted_1", 0.0, 25.0), "Too long", "Zu lang"),
        (entry("ted_1", 0.0, 0.02), "Too short", "Zu kurz"),
        (entry("ted_1", -1.0, 2.0), "Before the start", "Vor dem Anfang"),
        (entry("ted_1", 1.0, 0.0), "No duration", "Keine Dauer"),
        ("- {duration: long, offset: 1.0, speaker_id: spk.1, wav: ted_1.wav}", "No number", "Keine Zahl"),
        ("- {duration: 2.0, speaker_id: spk.1, wav: ted_1.wav}", "No offset", "Kein Anfang"),
        ("- {duration: 2.0, offset: 1.0, speaker_id: spk.1, wav: ../ted_1.wav}", "Outside", "Draußen"),
        ("- {duration: 2.0, offset: 1.0, speaker_id: spk.1}", "No talk", "Kein Vortrag"),
        ("- {duration: 2.0, offset: 1.0, speaker_id: [spk.1, wav: ted_1.wav}", "No YAML", "Kein YAML"),
        ("- just a text", "No mapping", "Keine Abbildung"),
        (entry("ted_1", 2.0, 2.0), "", "Kein Text"),
        (entry("ted_1", 2.0, 2.0), "No translation", ""),
        (entry("ted_7", 0.0, 2.0), "Talk of the test", "Vortrag des Tests"),
        (entry("ted_1", 4.0, 2.0), "the TEST, sentence", "Ein anderer Satz"),
    ]
    folder = write_split(root, "de", "train", train, write_text)
    with (folder / "train.yaml").open("a") as lists:
        lists.write(entry("ted_1", 4.0, 1.0) + "\n")
    for lang in ("en", "de"):
        with (folder / f"train.{lang}").open("ab") as texts:
            texts.write(b"caf\xe9\n")
    for split, talk in (("dev", "ted_8"), ("tst-COMMON", "ted_7"), ("tst-HE", "ted_9")):
        tones.write(root / f"en-de/data/{split}/wav/{talk}.wav", 40.0)
        rows = [(entry(talk, 1.0, 2.0), f"A sentence of {split}", f"Ein Satz von {split}")]
        if split == "tst-COMMON":
            rows += [
                (entry(talk, 3.0, 35.0), "The test sentence.", "Der Satz des Tests"),
                (entry(talk, 5, 1), "…", "…"),
            ]
            rows += [(entry(talk, 4.0, 2.0), "Thank you", "Vielen Dank")]
        write_split(root, "de", split, rows, write_text)
    tones.write(root / "en-es/data/train/wav/ted_1.wav", 30.0)
    tones.write(root / "en-es/data/train/wav/ted_9.wav", 30.0)
    spanish = [(entry("ted_1", 9.5, 2.25), "It's a start", "Un comienzo"), (entry("ted_9", 1, 2), "Held out", "Aparte")]
    write_split(root, "es", "train", spanish, write_text)
    return root


def prepare(run, source, output, *more):
    arguments = ("prepare", "mustc", "--source", source, "--output", output, "--max-seconds", "24", *more)
    code, out, err = run(*arguments)
    assert code == 0, err
    return out


def test_every_segment_is_used_or_named(tmp_path, source, run, rows, dropped):
    output = tmp_path / "out"
    out = prepare(run, source, output, "--target", "de")
    train = rows(output / "train.tsv")
    assert list(train) == ["ted_1_0", "ted_1_2", "ted_1_1", "ted_2_0", "ted_3_0", "ted_1_13"]
    assert [list(rows(output / f"{split}.tsv")) for split in SPLITS[1:]] == [
        ["ted_8_0"], ["ted_7_0", "ted_7_1", "ted_7_3", "ted_7_2"], ["ted_9_0"]
    ]  # fmt: skip
    place = "en-de/train/train.yaml"
    assert dropped(output) == {
        (f"{place}:9", "unreadable segment"),
        (f"{place}:10", "unreadable recording"),
        (f"{place}:11", "missing recording"),
        (f"{place}:12", "ends behind its talk"),
        (f"{place}:13", "longer than 24 s"),
        (f"{place}:14", "unreadable segment"),
        (f"{place}:15", "negative offset or no duration"),
        (f"{place}:16", "negative offset or no duration"),
        (f"{place}:17", "no offset and duration in seconds"),
        (f"{place}:18", "no offset and duration in seconds"),
        (f"{place}:19", "no file name of a talk"),
        (f"{place}:20", "no file name of a talk"),
        (f"{place}:21", "not a segment"),
        (f"{place}:22", "not a segment"),
        (f"{place}:23", "empty text"),
        (f"{place}:24", "empty translation"),
        (f"{place}:25", "its talk is held out"),
        (f"{place}:27", "not UTF-8"),
    }
    assert [line.split()[0] for line in out.splitlines() if "en>" in line] == ["en>de"]
    assert "test_he rows" in out
    readme = (output / "README.md").read_text(encoding="utf-8")
    assert "2 rows of training have a text of a" in " ".join(readme.split())
    assert "`train.tsv`, `valid.tsv`, `test.tsv`, `test_he.tsv`" in readme and "--headers-only" not in readme
    manifests = [output / f"{split}.tsv" for split in SPLITS]
    assert run("check", *manifests)[0] == 0


def test_parts_lie_where_the_list_says(tmp_path, source, run, rows):
    output = tmp_path / "out"
    prepare(run, source, output, "--target", "de")
    train = rows(output / "train.tsv")
    row = train["ted_1_2"]
    path = os.path.relpath(source / "en-de/data/train/wav/ted_1.wav", output)
    assert (row.audio, row.n_frames) == (f"{path}:152000:36000", 36000)
    assert (row.src_text, row.tgt_text) == ("It's a start (Applause)", "Ein Anfang (Beifall)")
    assert (row.src_lang, row.tgt_lang, row.speaker) == ("en", "de", "spk.1")
    assert train["ted_1_1"].audio.endswith("ted_1.wav:448000:32000")  # ends with its talk
    assert train["ted_2_0"].audio.endswith(f"ted_2.wav:{int(1.23 * 44100)}:176400")
    assert (train["ted_2_0"].n_frames, train["ted_2_0"].speaker) == (64000, "spk.2")
    assert (train["ted_3_0"].n_frames, train["ted_3_0"].speaker) == (32000, "spk 3")
    for row in train.values():
        assert row.n_frames == audio_samples(row.audio, output, decode=True)
    prepare(run, source, tmp_path / "absolute", "--target", "de", "--absolute")
    row = rows(tmp_path / "absolute/train.tsv")["ted_1_2"]
    assert row.audio == f"{(source / 'en-de/data/train/wav/ted_1.wav').resolve()}:152000:36000"


def test_segments_are_named_as_the_published_reader_names_them(tmp_path, write_text, tones, run, rows):
    root = tmp_path / "mustc"
    rng = np.random.default_rng(0)
    offsets = {talk: rng.uniform(0, 119, 20) for talk in ("ted_1", "ted_22")}
    for talk in offsets:
        tones.write(root / f"en-de/data/train/wav/{talk}.wav", 120.0)
    segments = [(talk, offset) for talk, given in offsets.items() for offset in given]
    rows_of = [(entry(talk, at, 1.0), f"{talk} text {n}", f"Satz {n}") for n, (talk, at) in enumerate(segments)]
    write_split(root, "de", "train", rows_of, write_text)
    prepare(run, root, tmp_path / "out")
    # Oracle: the whole list by the YAML parser, sorted by the text of the offset within each talk.
    listed = yaml.load((root / "en-de/data/train/txt/train.yaml").read_text(), Loader=yaml.BaseLoader)
    expected = {}
    for talk, group in groupby(listed, key=lambda each: each["wav"]):
        for number, each in enumerate(sorted(group, key=lambda each: each["offset"])):
            expected[f"{talk[:-4]}_{number}"] = f"{talk}:{int(float(each['offset']) * 16000)}:16000"
    found = rows(tmp_path / "out/train.tsv")
    assert {name: row.audio.rpartition("/")[2] for name, row in found.items()} == expected
    assert [row.src_text for row in found.values()] == [text for _, text, _ in rows_of]


def test_several_targets(tmp_path, source, run, rows, dropped):
    output = tmp_path / "out"
    prepare(run, source, output)
    train = rows(output / "train.tsv")
    german, spanish = train["ted_1_2>de"], train["ted_1_0>es"]
    assert (german.tgt_lang, spanish.tgt_lang, spanish.tgt_text) == ("de", "es", "Un comienzo")
    assert "/en-es/" in spanish.audio and "/en-de/" in german.audio
    assert ("en-es/train/train.yaml:2", "its talk is held out") in dropped(output)
    prepare(run, source / "en-es", tmp_path / "es")
    assert set(rows(tmp_path / "es/train.tsv")) == {"ted_1_0", "ted_9_0"}


def test_texts_may_be_held_out(tmp_path, source, run, rows, dropped):
    output = tmp_path / "out"
    prepare(run, source, output, "--target", "de", "--hold-out-texts")
    place = "en-de/train/train.yaml"
    held_out = {item for item, reason in dropped(output) if reason == "its words are held out"}
    assert held_out == {f"{place}:1", f"{place}:26"}
    assert "Thank you." not in {row.src_text for row in rows(output / "train.tsv").values()}


def test_headers_may_be_believed(tmp_path, source, run, rows):
    prepare(run, source, tmp_path / "out", "--target", "de", "--headers-only")
    assert {row.src_text for row in rows(tmp_path / "out/train.tsv").values()} >= {"Silence", "In lines"}


def test_lists_that_do_not_agree_are_refused_with_their_lengths(tmp_path, source, run):
    path = source / "en-de/data/train/txt/train.de"
    path.write_bytes(path.read_bytes() + b"Einer zu viel\n")
    code, _, err = run("prepare", "mustc", "--source", source, "--output", tmp_path / "out", "--target", "de")
    assert code == 1 and "train.yaml 24, train.en 24, train.de 25" in err and "Traceback" not in err
    path.unlink()
    code, _, err = run("prepare", "mustc", "--source", source, "--output", tmp_path / "out", "--target", "de")
    assert code == 1 and "`train.de` must be there" in err
    assert not (tmp_path / "out/prepared.json").exists()


def test_sources_and_targets_that_are_not_there(tmp_path, source, run):
    code, _, err = run("prepare", "mustc", "--source", source, "--output", tmp_path / "out", "--target", "de,fr")
    assert code == 1 and "`en-fr` must be" in err and "pairs there: en-de, en-es" in err
    code, _, err = run("prepare", "mustc", "--source", tmp_path / "none", "--output", tmp_path / "out")
    assert code == 1 and "pairs there: none" in err


def test_finished_work_is_recognised_and_further_splits_go_with_it(tmp_path, source, run):
    output = tmp_path / "out"
    first = prepare(run, source, output, "--target", "de")
    stamp = (output / "prepared.json").stat().st_mtime_ns
    assert prepare(run, source, output, "--target", "de") == first
    assert (output / "prepared.json").stat().st_mtime_ns == stamp
    prepare(run, source, output, "--target", "es")
    assert not (output / "test_he.tsv").exists() and not (output / "test.tsv").exists()
    assert set(json.loads((output / "prepared.json").read_text())["files"]) == {"train.tsv", "texts.tsv"}


# ---- the way into training


def test_a_data_set_reads_what_would_have_been_cut_out(tmp_path, source):
    pytest.importorskip("fairseq", reason="the dataset is the host's kind")
    from fairseq_samu.data.dataset_options import DatasetOptions
    from fairseq_samu.data.speech_text_dataset import SpeechTextDataset

    output = tmp_path / "out"
    assert main(["prepare", "mustc", "--source", str(source), "--target", "de", "--output", str(output)]) == 0
    manifest = read_manifest(output / "train.tsv", ("id", "audio", "n_frames", "src_text", "tgt_text"))
    dataset = SpeechTextDataset(manifest, DatasetOptions(audio_root=output, training=True))
    times = {
        "ted_1_0": ("ted_1.wav", 16.08, 3.5),
        "ted_2_0": ("ted_2.wav", 1.23, 4.0),
        "ted_3_0": ("ted_3.flac", 0.5, 2),
    }
    checked = 0
    for index in range(len(manifest)):
        if manifest[index].id in times:
            talk, offset, duration = times[manifest[index].id]
            wave, rate = soundfile.read(source / "en-de/data/train/wav" / talk, always_2d=True, dtype="float32")
            part = wave.mean(axis=1)[int(offset * rate) : int(offset * rate) + int(duration * rate)]
            soundfile.write(tmp_path / "cut.wav", part, rate, subtype="FLOAT")
            item = dataset[index]
            np.testing.assert_allclose(item.source, read_audio(str(tmp_path / "cut.wav")), atol=1e-6)
            assert item.num_samples == manifest[index].n_frames
            checked += 1
    assert checked == 3
    batch = dataset.collater([dataset[index] for index in range(len(manifest))])
    assert batch["nsentences"] == len(manifest)
