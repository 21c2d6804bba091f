import json

import pytest

from fairseq_samu.data.corpora.slurp_tables import annotate


def prompt(number, sentence, annotation=None, files=(), scenario="alarm", action="set", **changes):
    recordings = [{"file": name, "wer": 0.0, "ent_wer": None, "status": "correct"} for name in files]
    values = {
        "slurp_id": number,
        "sentence": sentence,
        "sentence_annotation": annotation or sentence,
        "intent": f"{scenario}_{action}",
        "action": action,
        "tokens": [{"surface": word, "id": at} for at, word in enumerate(sentence.split())],
        "scenario": scenario,
        "recordings": recordings,
        "entities": [],
    }
    values = {name: value for name, value in {**values, **changes}.items() if value is not None}
    return json.dumps(values, ensure_ascii=False)


@pytest.fixture
def source(tmp_path, tones, write_text):
    """Prompts with one malformed line of each kind in them."""
    root = tmp_path / "slurp"
    for name in ("1-headset", "1", "2", "3-headset", "4", "5", "6"):
        tones.write(root / f"audio/slurp_real/audio-{name}.flac", 5.0 if name == "5" else 1.0)
    tones.write(root / "audio/slurp_synth/audio-s1.flac", 1.0)
    (root / "audio/slurp_real/audio-7.flac").write_bytes(b"not a recording" * 50)
    wake = prompt(
        1,
        "wake me up at eight o'clock today",
        "wake me up at [time : eight] o'clock [date:today]",
        ["audio-1-headset.flac", "audio-1.flac"],
    )
    train = [
        wake,
        prompt(2, "call mom's <unk> <3", "call [relation : mom]'s <unk> <3", ["audio-2.flac"], "email", "querycontact"),
        prompt(3, "hello", "hello", ["audio-2.flac", "audio-9.flac"]),
        prompt(4, "hello", "[greeting : hello", ["audio-6.flac"]),
        prompt(5, "hello", "[greeting hello]", ["audio-6.flac"]),
        prompt(6, "hello", "[greeting : ] hello", ["audio-6.flac"]),
        prompt(7, "hello", "[greeting : bye]", ["audio-6.flac"]),
        prompt(8, "...", "...", ["audio-6.flac"]),
        prompt(9, "hello"),
        prompt(10, "hello", recordings=[{"wer": 0}]),
        prompt(11, "hello", files=["../audio-1.flac"]),
        prompt(12, "hello", scenario="a", action="b", recordings=None),
        "{",
        "[]",
        prompt(13, "hello", files=["audio-5.flac"]),
        prompt(14, "hello", files=["audio-7.flac"]),
        prompt(15, "[list", "[s : x] [list", ["audio-6.flac"]),
    ]
    lists = root / "dataset/slurp"
    path = write_text(lists / "train.jsonl", "\n".join(train) + "\n\n")
    with path.open("ab") as file:
        file.write(b'{"sentence": "caf\xe9"}\n')
    write_text(lists / "devel.jsonl", prompt(20, "stop", "stop", ["audio-3-headset.flac"]) + "\n")
    write_text(lists / "test.jsonl", prompt(21, "wake me up", "wake me up", ["audio-4.flac"]) + "\n")
    write_text(lists / "train_synthetic.jsonl", prompt(22, "stop", "stop", ["audio-s1.flac"]) + "\n")
    speakers = {"1": {"recordings": {"audio-1.flac": {"usrid": "FE-1"}, "audio-1-headset.flac": {"usrid": "FE-1"}}}}
    write_text(lists / "metadata.json", json.dumps(speakers))
    return root


def prepare(run, source, output, *more):
    code, out, err = run("prepare", "slurp", "--source", source, "--output", output, "--max-seconds", "4", *more)
    assert code == 0, err
    return out


def ids(rows, output):
    return {s: list(rows(output / f"{s}.tsv")) for s in ("train", "valid", "test") if (output / f"{s}.tsv").exists()}


def test_every_recording_is_used_or_named(tmp_path, source, run, rows, dropped):
    output = tmp_path / "out"
    prepare(run, source, output)
    assert ids(rows, output) == {
        "train": ["audio-1-headset", "audio-1", "audio-2"],
        "valid": ["audio-3-headset"],
        "test": ["audio-4"],
    }
    place = "train.jsonl"
    assert dropped(output) == {
        (f"{place}:3 audio-2.flac", "second prompt of one recording"),
        (f"{place}:3 audio-9.flac", "missing recording"),
        (f"{place}:4", "faulty annotation"),
        (f"{place}:5", "faulty annotation"),
        (f"{place}:6", "faulty annotation"),
        (f"{place}:7", "annotation of other words"),
        (f"{place}:8", "no words"),
        (f"{place}:9", "no recordings"),
        (f"{place}:10", "recordings without a file"),
        (f"{place}:11", "recordings without a file"),
        (f"{place}:12", "missing field"),
        (f"{place}:13", "no JSON"),
        (f"{place}:14", "missing field"),
        (f"{place}:15 audio-5.flac", "longer than 4 s"),
        (f"{place}:16 audio-7.flac", "unreadable recording"),
        (f"{place}:17", "faulty annotation"),
        (f"{place}:19", "not UTF-8"),
    }


def test_words_entities_and_speakers_are_exact(tmp_path, source, run, rows):
    output = tmp_path / "out"
    prepare(run, source, output)
    train = rows(output / "train.tsv")
    near, second = train["audio-1-headset"], train["audio-2"]
    assert near.src_text == "wake me up at eight o'clock today"
    assert near.tgt_text == "wake me up at <time> eight > o'clock <date> today >"
    assert (near.n_frames, near.speaker, near.src_lang, near.tgt_lang) == (16000, "FE-1", "en", "en")
    assert near.parallel_id == train["audio-1"].parallel_id != second.parallel_id
    assert (output / near.audio).resolve() == (source / "audio/slurp_real/audio-1-headset.flac").resolve()
    assert not (output / "audio.zip").exists()
    assert second.src_text == "call mom's unknown <3"
    assert second.tgt_text == r"call <relation> mom > 's unknown \<3"
    assert second.speaker in ("", None)


def test_the_intent_may_open_the_annotation(tmp_path, source, run, rows):
    prepare(run, source, tmp_path / "out", "--intent", "--copy")
    row = rows(tmp_path / "out/train.tsv")["audio-2"]
    assert row.tgt_text == r"<intent> email_querycontact > call <relation> mom > 's unknown \<3"
    assert row.src_text == "call mom's unknown <3"
    assert row.audio.startswith("audio.zip:")


@pytest.mark.parametrize(
    "microphone, train, left_out",
    [
        ("headset", ["audio-1-headset"], "train.jsonl:1 audio-1.flac"),
        ("far", ["audio-1", "audio-2"], "train.jsonl:1 audio-1-headset.flac"),
    ],
)
def test_microphones_are_chosen(tmp_path, source, run, rows, dropped, microphone, train, left_out):
    prepare(run, source, tmp_path / "out", "--microphone", microphone)
    assert ids(rows, tmp_path / "out")["train"] == train
    assert (left_out, "other microphone") in dropped(tmp_path / "out")


def test_synthetic_speech_is_used_on_demand(tmp_path, source, run, rows):
    prepare(run, source, tmp_path / "out", "--synthetic", "--microphone", "headset")
    train = rows(tmp_path / "out/train.tsv")
    assert list(train) == ["audio-1-headset", "audio-s1"]
    assert train["audio-s1"].speaker == "synthetic"


@pytest.mark.parametrize(
    "name, message",
    [
        ("dataset/slurp/devel.jsonl", "`devel.jsonl` must be in"),
        ("dataset/slurp/train_synthetic.jsonl", "`train_synthetic.jsonl` must be in"),
        ("audio/slurp_synth", "`slurp_synth` must be below"),
        ("audio/slurp_real", "`slurp_real` must be below"),
    ],
)
def test_what_is_absent_is_named(tmp_path, source, run, name, message):
    (source / name).rename(tmp_path / "elsewhere")
    code, _, err = run("prepare", "slurp", "--synthetic", "--source", source, "--output", tmp_path / "out")
    assert code == 1
    assert message in err


@pytest.mark.parametrize("content", ["{", "[]", '{"1": {}}', '{"1": {"recordings": {"a": {}}}}'])
def test_metadata_of_another_form_is_refused(tmp_path, source, run, write_text, content):
    write_text(source / "dataset/slurp/metadata.json", content)
    code, _, err = run("prepare", "slurp", "--source", source, "--output", tmp_path / "out")
    assert code == 1
    assert "metadata.json: `metadata` must be JSON" in err


def test_without_metadata_nobody_is_named(tmp_path, source, run, rows):
    (source / "dataset/slurp/metadata.json").unlink()
    prepare(run, source, tmp_path / "out")
    assert rows(tmp_path / "out/train.tsv")["audio-1"].speaker in ("", None)


def test_the_corpus_can_be_trained_on(tmp_path, source, run, learnable):
    prepare(run, source, tmp_path / "out", "--intent")
    assert set(learnable(tmp_path / "out")) == {"intent", "time", "date", "relation"}


@pytest.mark.parametrize(
    "annotation, text",
    [
        ("a b", "a b"),
        ("[x : a]", "<x> a >"),
        ("[x:a][y : b c] d", "<x> a > <y> b c > d"),
        ("at [time : 5:30]", "at <time> 5:30 >"),
        (r"a \ [x : <b>]", r"a \\ <x> \<b\> >"),
    ],
)
def test_brackets_become_concepts(annotation, text):
    assert annotate(annotation) == text


@pytest.mark.parametrize("annotation", ["a ]", "[a", "[a b]", "[x : [y : a]]", "[x y : a]"])
def test_a_bracket_left_over_is_a_fault(annotation):
    with pytest.raises(ValueError, match="bracket"):
        annotate(annotation)
