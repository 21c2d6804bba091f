"""Reading and writing manifests: the same rows as the host's reader gives, and every fault at its place."""

import csv
import multiprocessing
import os
import pickle
import resource
import tracemalloc

import pytest

from fairseq_samu.data.manifest import REQUIRED_COLUMNS, read_manifest, write_manifest
from fairseq_samu.data.manifest_scan import MAX_FRAMES, MAX_LINE_BYTES
from fairseq_samu.errors import ManifestError

COLUMNS = ["id", "audio", "n_frames", "tgt_text", "speaker", "src_text", "src_lang", "note"]
ROWS = [
    {"id": "a-1", "audio": "a.zip:12:340", "n_frames": 16000, "tgt_text": 'he said "no"', "speaker": "", "src_text":
        "l'été", "src_lang": "fr", "note": "x"},
    {"id": "a-2", "audio": "b.wav", "n_frames": 1, "tgt_text": '"', "speaker": "s", "src_text": "a\\tb \\", "src_lang":
        "de", "note": "'"},
    {"id": "a-3", "audio": "c d.wav", "n_frames": MAX_FRAMES, "tgt_text": "x\u2028y\x85z\x1c", "speaker": "s",
     "src_text": "здравствуй 你好 \U0001f600", "src_lang": "fr", "note": " padded "},
]  # fmt: skip
GOOD = b"id\taudio\tn_frames\nx\ta.wav\t100\n"


def host_rows(path):
    """How the host reads a manifest (its documented csv settings)."""
    with path.open(newline="\n", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quotechar=None, doublequote=False, quoting=csv.QUOTE_NONE))


def as_host(row, columns):
    return {name: row.extra[name] if name in row.extra else str(getattr(row, name)) for name in columns}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def faults_of(tmp_path, content, required=REQUIRED_COLUMNS):
    path = tmp_path / "m.tsv"
    path.write_bytes(content)
    with pytest.raises(ManifestError) as caught:
        read_manifest(path, required)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).split("\n")]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_reads_what_the_host_reads(tmp_path, mark, end, last):
    path = tmp_path / "m.tsv"
    write_manifest(path, ROWS, COLUMNS)
    content = path.read_bytes().replace(b"\n", end)
    path.write_bytes(mark + (content if last else content.removesuffix(end)))
    manifest = read_manifest(path)
    assert manifest.columns == tuple(COLUMNS)
    assert [row.line for row in manifest] == [2, 3, 4]
    assert [as_host(row, COLUMNS) for row in manifest] == [{k: str(v) for k, v in row.items()} for row in ROWS]
    # The csv module ends a line at CR, so the host agrees as long as texts hold none.
    assert [as_host(row, COLUMNS) for row in manifest] == host_rows(path)


def test_numbers_by_row(tmp_path):
    path = tmp_path / "m.tsv"
    write_manifest(path, ROWS, COLUMNS)
    manifest = read_manifest(path)
    assert list(manifest.n_frames) == [16000, 1, MAX_FRAMES]
    assert manifest.languages == ["fr", "de"] and list(manifest.language_ids) == [0, 1, 0]
    assert [manifest.src_lang(at) for at in range(3)] == ["fr", "de", "fr"]
    assert manifest.where(1) == f"{path}:3" and manifest.line(-1) == 4
    assert manifest[-1] == manifest[2] and len(manifest) == 3
    assert manifest[0].tgt_lang is None and manifest[0].parallel_id is None and manifest[0].speaker == ""
    with pytest.raises(IndexError):
        manifest[3]


def test_columns_that_are_absent(tmp_path):
    path = tmp_path / "texts.tsv"
    path.write_text("parallel_id\ttext\nx\thello\n")
    manifest = read_manifest(path, required=("parallel_id", "text"))
    assert (manifest[0].id, manifest[0].audio, manifest[0].n_frames) == ("", "", 0)
    assert manifest[0].extra == {"text": "hello"} and manifest[0].adapter is None
    assert list(manifest.n_frames) == list(manifest.language_ids) == manifest.languages == []
    assert manifest.src_lang(0) is None


def test_blank_lines_at_the_end_are_no_rows(tmp_path):
    path = tmp_path / "m.tsv"
    path.write_bytes(GOOD + b"\n\r\n\n")
    assert len(read_manifest(path)) == 1


def test_a_field_may_be_longer_than_the_csv_module_takes(tmp_path):
    path = tmp_path / "m.tsv"
    text = "é" * 300_000
    write_manifest(path, [{"id": "x", "audio": "a", "n_frames": 5, "src_text": text}], [*REQUIRED_COLUMNS, "src_text"])
    assert read_manifest(path)[0].src_text == text


@pytest.mark.parametrize(
    "content, places",
    [
        (b"", ["1:1: `manifest`"]),
        (b"\n", ["1:1: `header`", "1:1: `header`", "1:1: `header`", "1:1: `header`"]),
        (b"id\taudio\tn_frames\n", ["1:1: `manifest`"]),
        (b"id\taudio\tn_frames\n\n\r\n\n", ["1:1: `manifest`"]),
        (b"x\ta.wav\t100\n", ["1:1: `header`"] * 3),
        (b"id,audio,n_frames\nx,a.wav,100\n", ["1:1: `header`"] * 3),
        (b"id\taudio\tn_frames\tid\t\nx\ta\t1\ty\tz\n", ["1:4: `header`", "1:5: `header`"]),
        (b"id\taudio\nx\ta\n", ["1:1: `header`"]),
        (b"id\taudio\tn_frames\xff\nx\ta\t1\n", ["1:3: `encoding`"]),
        (GOOD.decode().encode("utf-16"), ["1:1: `encoding`"]),
        (GOOD.decode().encode("utf-16-le"), ["1:1: `line`"]),
        (GOOD + b"y\tb\xc3\t7\n", ["3:2: `encoding`"]),
        (GOOD + b"y\tb\t7\0\n", ["3:3: `line`"]),
        (GOOD + b"y\rz\tb\t7\n", ["3:1: `line`"]),
        (GOOD.replace(b"\n", b"\r"), ["1:3: `line`"]),
        (GOOD + b"y\tb\n", ["3:3: `row`"]),
        (GOOD + b"y\tb\t7\t8\n", ["3:4: `row`"]),
        (GOOD + b"\n\ny\tb\t7\n\n", ["3:1: `line`"]),
        (GOOD + b"\tb\t7\n", ["3:1: `id`"]),
        (GOOD + b"\t\t0\n", ["3:3: `n_frames`", "3:1: `id`", "3:2: `audio`"]),
        (GOOD + b"y" * (MAX_LINE_BYTES + 5) + b"\nz\tb\t-1\n", ["3:1: `row`", "4:3: `n_frames`"]),
        (b"h\t" * 300 + b"\n", ["1:1: `header`"]),
        (b"i" * (MAX_LINE_BYTES + 5), ["1:1: `header`"]),
    ],
)
def test_every_fault_has_its_place(tmp_path, content, places):
    found = faults_of(tmp_path, content)
    assert len(found) == len(places)
    for fault, place in zip(found, places, strict=True):
        assert fault.startswith(place + " must be ")


@pytest.mark.parametrize(
    "value", ["-3", "0", "00", "", " 5", "5 ", "1.5", "1e3", "+5", "1_000", "٣", "²", "nan", "9" * 5000]
)
def test_n_frames_is_a_positive_number(tmp_path, value):
    (fault,) = faults_of(tmp_path, f"id\taudio\tn_frames\nx\ta\t{value}\n".encode())
    shown = value if len(value) <= 60 else value[:60] + "..."
    assert fault.startswith(f"2:3: `n_frames` must be a positive number of samples, but is '{shown}' instead. ")


def test_all_faults_in_one_error(tmp_path):
    found = faults_of(tmp_path, GOOD + b"y\tb\t-1\n" * 30)
    assert len(found) == 21
    assert found[-1] == "and 10 more"


def test_a_value_cannot_break_the_message(tmp_path):
    (fault,) = faults_of(tmp_path, GOOD + "y\tb\t\x1b[31m\u2028\u202e\n".encode())
    assert r"\x1b[31m\u2028\u202e" in fault and fault.isprintable()


def test_paths_that_are_no_manifest(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    wrong = {
        tmp_path: "a directory",
        tmp_path / "none.tsv": "No such file",
        tmp_path / "pipe": "regular",
        "a\0b": "null",
    }
    for path, words in wrong.items():
        with pytest.raises(ManifestError, match=words):
            read_manifest(path)


def test_a_file_that_changes_is_noticed(tmp_path):
    path = tmp_path / "m.tsv"
    path.write_bytes(GOOD)
    manifest, opened = read_manifest(path), read_manifest(path)
    assert opened[0].id == "x"
    write_manifest(path, [{"id": "y", "audio": "b", "n_frames": 5}], REQUIRED_COLUMNS)
    assert opened[0].id == "x"  # a replaced file stays readable where it is open
    with pytest.raises(ManifestError, match="changed"):
        manifest[0]
    path.unlink()
    with pytest.raises(ManifestError, match="changed"):
        manifest[0]


def _ids(manifest):
    return [manifest[at].id for at in range(len(manifest))]


def test_rows_in_forked_workers_and_pickles(tmp_path):
    path = tmp_path / "m.tsv"
    rows = [{"id": f"u{n}", "audio": "a", "n_frames": n + 1} for n in range(500)]
    write_manifest(path, rows, REQUIRED_COLUMNS)
    manifest = read_manifest(path)
    expected = _ids(manifest)  # opens the descriptor that the workers share
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(_ids, [manifest] * 4) == [expected] * 4
    assert _ids(pickle.loads(pickle.dumps(manifest))) == expected


def test_many_rows_in_bounded_memory(tmp_path):
    path = tmp_path / "m.tsv"
    text = "some words of an ordinary sentence, long enough for one"
    with path.open("w") as stream:
        stream.write("id\taudio\tn_frames\tsrc_text\tsrc_lang\n")
        stream.writelines(
            f"utt{n}\taudio.zip:{n}:99\t{n + 1}\t{text}\t{'fr' if n % 2 else 'en'}\n" for n in range(100_000)
        )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    manifest = read_manifest(path)
    tracemalloc.start()
    manifest = read_manifest(path)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(manifest) == 100_000 and manifest[77_777].id == "utt77777"
    assert held < 100_000 * 45 and peak < held + 500_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # kB, both manifests and the tracing


# ---- writing


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "m.tsv"
    write_manifest(str(path), iter(ROWS), COLUMNS)
    (tmp_path / "plain").write_text("")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode  # others may read what a temporary file hides
    assert [as_host(row, COLUMNS) for row in read_manifest(path)] == host_rows(path)
    write_manifest(path, [{"id": "x", "audio": "a", "n_frames": 7, "speaker": None}], [*REQUIRED_COLUMNS, "speaker"])
    assert path.read_bytes() == b"id\taudio\tn_frames\tspeaker\nx\ta\t7\t\n"


@pytest.mark.parametrize(
    "change, place",
    [
        ({"audio": "a\tb"}, "3:2: `audio`"),
        ({"audio": "a\nb"}, "3:2: `audio`"),
        ({"audio": "a\rb"}, "3:2: `audio`"),
        ({"audio": "a\0b"}, "3:2: `audio`"),
        ({"audio": "a\udcff"}, "3:2: `audio`"),
        ({"id": ""}, "3:1: `id`"),
        ({"id": None}, "3:1: `id`"),
        ({"n_frames": 0}, "3:3: `n_frames`"),
        ({"n_frames": 1.0}, "3:3: `n_frames`"),
        ({"other": "lost"}, "3: `other`"),
    ],
)
def test_values_that_a_manifest_cannot_hold(tmp_path, change, place):
    path = tmp_path / "m.tsv"
    path.write_bytes(GOOD)
    good = {"id": "x", "audio": "a", "n_frames": 7}
    with pytest.raises(ManifestError) as caught:
        write_manifest(path, [good, good | change], REQUIRED_COLUMNS)
    assert str(caught.value).startswith(f"{path}:{place} must be ")
    assert names(tmp_path) == ["m.tsv"] and path.read_bytes() == GOOD


def test_all_faults_of_writing_in_one_error(tmp_path):
    with pytest.raises(ManifestError) as caught:
        write_manifest(tmp_path / "m.tsv", [{"id": "", "audio": "a", "n_frames": 7}] * 30, REQUIRED_COLUMNS)
    lines = str(caught.value).split("\n")
    assert len(lines) == 21 and lines[-1] == "and 10 more"


@pytest.mark.parametrize("columns", [[], ["id", "id"], ["id", ""], ["id", "a\tb"]])
def test_columns_that_cannot_be_written(tmp_path, columns):
    with pytest.raises(ManifestError):
        write_manifest(tmp_path / "m.tsv", [{"id": "x"}], columns)
    assert names(tmp_path) == []


def test_no_rows_and_no_folder(tmp_path):
    with pytest.raises(ManifestError, match="at least one"):
        write_manifest(tmp_path / "m.tsv", [], REQUIRED_COLUMNS)
    with pytest.raises(ManifestError, match="No such file"):
        write_manifest(tmp_path / "none" / "m.tsv", [{"id": "x", "audio": "a", "n_frames": 7}], REQUIRED_COLUMNS)
    assert names(tmp_path) == []


def test_an_interrupted_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "m.tsv"
    path.write_bytes(GOOD)

    def rows():
        yield {"id": "x", "audio": "a", "n_frames": 7}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_manifest(path, rows(), REQUIRED_COLUMNS)
    assert names(tmp_path) == ["m.tsv"] and path.read_bytes() == GOOD
