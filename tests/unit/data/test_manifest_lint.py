"""`check` and what it is made of: each fault of meaning, at its place, and nothing about a sound manifest."""

import io

import numpy as np
import pytest
import soundfile

from fairseq_samu.cli.main import main
from fairseq_samu.data.manifest_lint import LintOptions, guess_unit, lint_manifests
from fairseq_samu.errors import ConfigError

HEADER = "id\taudio\tn_frames\tsrc_text\tsrc_lang\tspeaker"


def encode(num_samples, rate=16000, container="WAV", subtype="PCM_16"):
    stream = io.BytesIO()
    wave = 0.5 * np.sin(np.arange(num_samples) / 7)
    soundfile.write(stream, wave, rate, format=container, subtype=subtype)
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Two recordings of 8000 samples at 16 kHz, one of them at another rate and one more in an archive."""
    (tmp_path / "a.wav").write_bytes(encode(8000))
    (tmp_path / "b.wav").write_bytes(encode(22050, 44100))
    (tmp_path / "c.zip").write_bytes(b"#" * 100 + encode(8000, container="FLAC"))
    return tmp_path


def manifest(folder, *rows, header=HEADER, name="m.tsv"):
    (folder / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8", newline="\n")
    return str(folder / name)


def faults(*paths, **options):
    found = []
    counts = lint_manifests(list(paths), LintOptions(**options), found.append)
    assert sum(count.faults for count in counts) == len(found)
    return found


def row(name="x", audio="a.wav", n_frames=8000, text="some words", language="fr"):
    return f"{name}\t{audio}\t{n_frames}\t{text}\t{language}\ts1"


@pytest.mark.parametrize("audio", ["decode", "header", "none"])
def test_a_sound_manifest_has_no_faults(folder, audio):
    size = (folder / "c.zip").stat().st_size
    rows = [row(), row("y", "b.wav", 8000, 'he said "no" – ça ira\u200d'), row("z", f"c.zip:100:{size - 100}", 8005)]
    rows += [row("part", "b.wav:1000:11025", 4000), row("other", "b.wav:1001:11025", 4000)]
    assert faults(manifest(folder, *rows), audio=audio) == []


@pytest.mark.parametrize(
    "bad, column, words",
    [
        (row("y", "none.wav"), 2, "existing file"),
        (row("y", "c.zip:100:999999"), 2, "inside the"),
        (row("y", "c.zip:50:200"), 2, "exactly a file that the archive stores"),
        (row("y", "m.tsv"), 2, "no known audio format"),
        (row("y", "b.wav:12000:11025"), 2, "inside the 22050 samples (at 44100 Hz) of the recording, but is '12000:"),
        (row("y", "none.wav:12000:11025"), 2, "existing file"),
        (row("y", "b.wav:0:11025", 11025), 3, "It looks like samples at 44100 Hz"),
        (row("y", "b.wav:0:11025", 8000), 3, "the samples of the recording at 16 kHz, 4000, but"),
        (row("y", n_frames=7000), 3, "the samples of the recording at 16 kHz, 8000, but is '7000' instead. Count"),
        (row("y", n_frames=500), 3, "It looks like milliseconds"),
        (row("y", n_frames=48), 3, "It looks like 10 ms frames"),
        (row("y", n_frames=24), 3, "It looks like 20 ms frames"),
        (row("y", "b.wav", 22050), 3, "It looks like samples at 44100 Hz"),
        (row("y", text=""), 4, "must be a text"),
        (row("y", text="  \u3000"), 4, "must be a text"),
        (row("y", text="a\x07b"), 4, "control characters (U+0007 at 2)"),
        (row("y", text="a\u2028b"), 4, "U+2028"),
        (row("y", text="a\x85b"), 4, "U+0085"),
        (row("y", text="caf\ufffd"), 4, "U+FFFD"),
        (row("y", language="xx"), 5, "known language code, but is 'xx'"),
        (row("y", language=""), 5, "known language code"),
        (row("y", language="FR"), 5, "known language code"),
        (row("y "), 1, "free of white space"),
        (row("x"), 1, "unique, but is 'x' instead. It stands in "),
        (row("y", n_frames=-1), 3, "positive number"),
        ("y\ta.wav", 3, "6 tab-separated fields"),
    ],
)
def test_each_fault_at_its_place(folder, bad, column, words):
    path = manifest(folder, row(), bad, row("last"))
    (fault,) = faults(path)
    assert fault.startswith(f"{path}:3:{column}: `") and words in fault and "\n" not in fault


def test_silence_needs_decoding(folder):
    soundfile.write(folder / "s.wav", np.zeros(8000), 16000)
    path = manifest(folder, row(audio="s.wav"))
    assert "silent" in faults(path)[0]
    assert faults(path, audio="header") == []


@pytest.mark.parametrize("n_frames, is_fault", [(100, True), (5, True), (1600, False), (8000, False)])
def test_units_by_the_text_where_recordings_are_left_alone(folder, n_frames, is_fault):
    found = faults(manifest(folder, row(n_frames=n_frames)), audio="none")
    assert bool(found) == is_fault and all("characters a second" in fault for fault in found)


def test_duplicates_across_manifests_name_the_first(folder):
    paths = [
        manifest(folder, row("x"), row("y"), name="train.tsv"),
        manifest(folder, row("y"), row("z"), name="test.tsv"),
    ]
    assert faults(*paths) == [
        f"{paths[1]}:2:1: `id` must be unique, but is 'y' instead. "
        f"It stands in {paths[0]}:3 too; rename one or remove it."
    ]
    assert faults(paths[0]) == faults(paths[1]) == []


def test_faults_come_in_order_with_many_threads(folder):
    rows = [row(f"u{n}", "none.wav" if n % 3 == 0 else "a.wav") for n in range(2500)]
    found = faults(manifest(folder, *rows), jobs=3, audio="header")
    assert [int(fault.split(":")[1]) for fault in found] == [n + 2 for n in range(0, 2500, 3)]


def test_a_table_of_texts(folder):
    header = "parallel_id\tlang\ttext\tsplit"
    good = manifest(folder, "p1\ten\thello\ttrain", "p1\tfr\tbonjour\ttrain", header=header)
    assert faults(good) == []
    found = faults(manifest(folder, "p1\ten\thello\ttrain", "p1\ten\thi\ttrain", "p2\tqq\t \ttrain", header=header))
    assert sorted(fault.split(":")[1:3] for fault in found) == [["3", "1"], ["4", "2"], ["4", "3"]]


def test_a_table_of_text_pairs(folder):
    header = "id\tsrc_text\tsrc_lang\ttgt_text\ttgt_lang"
    good = manifest(folder, "1\thello\ten\tbonjour\tfr", "2\tyes\ten\toui\tfr", header=header)
    assert faults(good) == []
    bad = [
        "1\thello\ten\tbonjour\tfr",
        "1\tyes\ten\toui\tfr",
        "2\t \ten\toui\tfr",
        "3\tno\ten\tnon\tqq",
        "4\ta\ten\t\tfr",
    ]
    found = faults(manifest(folder, *bad, header=header))
    assert sorted(fault.split(":")[1:3] for fault in found) == [["3", "1"], ["4", "2"], ["5", "5"], ["6", "4"]]


def test_options(folder):
    path = manifest(folder, row(n_frames=7900, language="x-mine"))
    assert len(faults(path)) == 1
    assert faults(path, languages=frozenset({"x-mine"})) == []
    assert len(faults(path, languages=frozenset({"x-mine"}), tolerance_seconds=0.005)) == 1
    (folder / "other").mkdir()
    moved = manifest(folder / "other", row())
    assert "existing file" in faults(moved)[0] and faults(moved, audio_root=folder) == []
    with pytest.raises(ConfigError, match="`audio` must be one of"):
        LintOptions(audio="some")


@pytest.mark.parametrize(
    "number, samples, unit",
    [(1000, 16000, "milliseconds"), (98, 16000, "10 ms frames"), (49, 16000, "20 ms frames"), (2, 32000, "seconds"),
     (8000, 16000, "samples at 8000 Hz"), (48000, 16000, "samples at 48000 Hz"), (12345, 16000, ""), (1, 10**6, "")],
)  # fmt: skip
def test_units(number, samples, unit):
    assert guess_unit(number, samples) == unit


# ---- the command


def check(capsys, *arguments):
    code = main(["check", *arguments])
    out, err = capsys.readouterr()
    return code, out.splitlines(), err.splitlines()


def test_check_counts_rows_hours_and_languages(folder, capsys):
    path = manifest(folder, row(), row("y", language="de"), row("z"))
    code, out, err = check(capsys, path)
    assert (code, err) == (0, [])
    assert out == [f"{path}: 3 rows; 0.00 hours; languages: de 1, fr 2; no faults"]


def test_check_shows_all_faults(folder, capsys):
    first = manifest(folder, *[row(f"u{n}", text="") for n in range(50)], "y\ta.wav\t0\tx\tfr\ts", name="1.tsv")
    second = manifest(folder, row("u3"), name="2.tsv")
    missing = str(folder / "none.tsv")
    code, out, err = check(capsys, first, second, missing, first)
    assert code == 1 and len(out) == 4 and out[-1].startswith("all together: 51 rows; ")
    assert [line for line in err if not line.startswith((f"{first}:", f"{second}:"))] == [
        f"{missing}: `manifest` must be a readable file, but is 'No such file or directory' instead. "
        "Check the path and its permissions."
    ]
    assert len(err) == 53
    code, _, err = check(capsys, first, "--limit", "2", "--no-audio")
    assert code == 1 and len(err) == 3 and err[-1] == "and 49 more"


def test_usage(capsys):
    for arguments in (["check"], ["check", "a.tsv", "--limit", "0"], ["check", "a.tsv", "--tolerance-seconds", "nan"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
    capsys.readouterr()


def test_the_column_of_adapters_is_a_name_or_empty(folder):
    header = f"{HEADER}\tadapter"
    path = manifest(folder, f"{row()}\tnews", f"{row('y')}\t", f"{row('z')}\tnews ", header=header)
    (fault,) = faults(path)
    assert fault.startswith(f"{path}:4:7: `adapter` must be free of white space at its ends")
