"""The table of embeddings: what is written is what is looked up."""

import json
import pickle
import time
import unicodedata

import numpy as np
import pytest

from fairseq_samu.errors import TeacherError
from fairseq_samu.teachers.table import EmbeddingTable
from fairseq_samu.teachers.table_building import TableOptions, fill_table
from fairseq_samu.teachers.table_files import lock
from fairseq_samu.teachers.texts import KeyIndex, normalise_text

TEXTS = [f"text {number}" for number in range(50)]


@pytest.fixture
def build(tmp_path, make_teacher):
    def build(texts=TEXTS, training=lambda text: True, teacher=None, name="table", **options) -> EmbeddingTable:
        teacher = teacher or make_teacher()
        chosen = {"shard_size": 16, "batch_size": 5, **options}
        fill_table(tmp_path / name, {text: training(text) for text in texts}, teacher, TableOptions("fake", **chosen))
        return EmbeddingTable.open(tmp_path / name)

    return build


def expected(teacher, texts) -> np.ndarray:
    return np.stack([teacher.vector(text) for text in texts]).astype(np.float32)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_round_trip(build, make_teacher, dtype):
    table = build(dtype=dtype)
    vectors = expected(make_teacher(), TEXTS)
    got = table.lookup(TEXTS[::-1])
    assert got.dtype == np.float32
    assert np.array_equal(got, vectors.astype(dtype).astype(np.float32)[::-1])
    assert (table.dim, len(table)) == (8, 50)
    assert np.load(table.directory / "embeddings-00000.npy").dtype == dtype


def test_files_are_shards_of_the_given_size_and_a_record(build):
    directory = build().directory
    rows = [len(np.load(path)) for path in sorted(directory.glob("embeddings-*.npy"))]
    assert rows == [16, 16, 16, 2]
    record = json.loads((directory / "meta.json").read_text())
    assert (record["teacher"], record["fingerprint"], record["texts"], record["complete"]) == ("fake", "fake", 50, True)
    assert record["versions"]["fake"] == "1"
    left = {path.name.split("-")[0] for path in directory.iterdir()}
    assert left == {"embeddings", "keys", "meta.json", ".lock"}


def test_batches_hold_texts_of_like_length(build, make_teacher):
    teacher = make_teacher()
    build(["a" * (1 + (7 * n) % 50) for n in range(50)], teacher=teacher, shard_size=50)
    lengths = [len(text) for batch in teacher.batches for text in batch]
    assert lengths == sorted(lengths)
    assert [len(batch) for batch in teacher.batches] == [5] * 10


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("center", [False, True])
def test_centring_and_normalisation_are_recorded_and_applied_at_lookup(build, make_teacher, center, normalize):
    table = build(training=lambda text: int(text.split()[1]) < 20, center=center, normalize=normalize)
    vectors = expected(make_teacher(), TEXTS).astype(np.float64)
    if center:
        vectors = vectors - vectors[:20].mean(axis=0)
    if normalize:
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.abs(table.lookup(TEXTS) - vectors).max() < 1e-6
    record = json.loads((table.directory / "meta.json").read_text())
    assert (record["center"], record["normalize"], record["mean_texts"]) == (center, normalize, 20 if center else 0)
    assert np.array_equal(
        np.load(table.directory / "embeddings-00000.npy")[0], make_teacher().vector("text 0").astype("f")
    )


def test_the_mean_does_not_depend_on_order_or_shards_and_later_texts_leave_it(build, tmp_path):
    table = build(center=True)
    other = build(TEXTS[::-1], name="other", center=True, shard_size=7)
    assert np.abs(table.mean - other.mean).max() < 1e-6
    before = (table.directory / "mean.npy").read_bytes()
    grown = build([*TEXTS, "one more", "and another"], center=True)
    assert len(grown) == 52
    assert (grown.directory / "mean.npy").read_bytes() == before
    assert np.array_equal(grown.lookup(TEXTS), table.lookup(TEXTS))


def test_centring_needs_training_texts(build):
    with pytest.raises(TeacherError, match=r"training texts to centre on.*at least one"):
        build(training=lambda text: False, center=True)


def test_only_missing_texts_are_embedded(build, make_teacher):
    build()
    teacher = make_teacher()
    build(teacher=teacher)
    assert teacher.batches == []
    build([*TEXTS, "new"], teacher=teacher)
    assert teacher.batches == [["new"]]


def test_missing_texts_are_counted_and_the_first_ten_named(build):
    table = build()
    wanted = ["text 3", *(f"absent  {n}" for n in range(12)), "absent 0"]
    assert table.missing(wanted) == [f"absent {n}" for n in range(12)]
    assert table.missing(TEXTS) == []
    with pytest.raises(TeacherError) as error:
        table.require(iter(wanted), where="train.tsv")
    message = str(error.value)
    assert message.startswith("train.tsv: `teacher table` must be complete")
    assert "lacking 12 texts" in message
    assert message.count("\n  'absent ") == 10
    assert message.endswith("and 2 more")
    with pytest.raises(TeacherError, match="lacking 1 texts"):
        table.lookup(["text 1", "no"])
    table.require(TEXTS)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"dtype": "float16"}, "dtype"),
        ({"center": True}, "center"),
        ({"normalize": True}, "normalize"),
        ({"teacher": {"name": "another"}}, "fingerprint"),
        ({"teacher": {"dim": 9}}, "dim"),
    ],
)
def test_teachers_and_options_do_not_mix(build, make_teacher, options, field):
    table = build()
    before = (table.directory / "meta.json").read_bytes()
    if "teacher" in options:
        options = {"teacher": make_teacher(**options["teacher"])}
    with pytest.raises(TeacherError, match=f"meta.json: `{field}` must be"):
        build(["new"], **options)
    assert (table.directory / "meta.json").read_bytes() == before


def test_fingerprints_follow_teacher_and_options(build, make_teacher):
    prints = [
        build(name="a").fingerprint,
        build(name="b", teacher=make_teacher(name="another")).fingerprint,
        build(name="c", dtype="float16").fingerprint,
        build(name="d", center=True).fingerprint,
        build(name="e", center=True, training=lambda text: text == "text 0").fingerprint,
        build(name="f", normalize=True).fingerprint,
    ]
    assert len(set(prints)) == 6
    assert build(name="g", shard_size=3).fingerprint == prints[0]


@pytest.mark.parametrize("scale", [1e6, float("nan")])
def test_vectors_that_the_type_cannot_hold_are_refused(build, make_teacher, scale):
    with pytest.raises(TeacherError, match=r"text 'text \d+': `embedding` must be finite in float16"):
        build(teacher=make_teacher(scale=scale), dtype="float16")


def test_a_second_writer_is_refused(build, tmp_path):
    table = build()
    with lock(table.directory), pytest.raises(TeacherError, match="written by one process"):
        build(["new"])
    build(["new"])


def test_unicode_forms_and_white_space_are_one_text(build):
    composed, split = "Où est le café ?", unicodedata.normalize("NFD", "  Où est\tle\u00a0café  ? ")
    assert composed != split
    assert normalise_text(split) == composed
    table = build([composed, "Straße", "日本語", "نص"])
    assert np.array_equal(table.lookup([split]), table.lookup([composed]))
    assert table.missing(["strasse", "STRASSE", "OÙ EST LE CAFÉ ?"]) == ["strasse", "STRASSE", "OÙ EST LE CAFÉ ?"]
    assert table.missing(["\ud800"]) == ["\ud800"]  # half a character, from a damaged file


def test_a_pickled_table_opens_the_files_again(build):
    table = build(center=True)
    pickled = pickle.dumps(table)
    assert len(pickled) < 1000
    assert np.array_equal(pickle.loads(pickled).lookup(TEXTS), table.lookup(TEXTS))


def test_rows_found_once_can_be_taken_again(build):
    table = build()
    rows = table.find(["text 7", "absent", "text 41"])
    assert rows.tolist()[1] == -1
    assert np.array_equal(table.take(rows[[0, 2]]), table.lookup(["text 7", "text 41"]))
    assert table.take(rows[:0]).shape == table.lookup([]).shape == (0, 8)
    with pytest.raises(IndexError, match="rows must lie in"):
        table.take(rows)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: (d / "meta.json").unlink(), "without meta.json"),
        (lambda d: (d / "meta.json").write_text("{"), "a record of format 1"),
        (lambda d: (d / "meta.json").write_text('{"format": 2}'), "format 2"),
        (lambda d: (d / "embeddings-00001.npy").unlink(), r"without embeddings-00001\.npy"),
        (lambda d: np.save(d / "embeddings-00001.npy", np.zeros((3, 8), "f")), r"shape.*\(16, 8\).*\(3, 8\)"),
        (lambda d: (d / "mean.npy").unlink(), r"mean.*\(8,\)"),
        (lambda d: (d / "keys-00001.npy").write_bytes(b"no"), r"keys-00001\.npy"),
        (lambda d: (d / "embeddings-00001.npy").write_bytes(b""), r"embeddings-00001\.npy"),
    ],
)
def test_a_damaged_table_is_one_clear_error(build, spoil, message):
    directory = build(center=True).directory
    spoil(directory)
    with pytest.raises(TeacherError, match=message):
        EmbeddingTable.open(directory)


def test_nothing_is_no_table(tmp_path):
    with pytest.raises(TeacherError, match="without meta"):
        EmbeddingTable.open(tmp_path / "nowhere")


def test_a_folder_with_foreign_arrays_is_left_alone(tmp_path, make_teacher):
    (tmp_path / "keys-00000.npy").write_bytes(b"")
    with pytest.raises(TeacherError, match=r"accompanied by meta\.json"):
        fill_table(tmp_path, {"a": True}, make_teacher(), TableOptions("fake"))


def test_keys_are_found_among_equal_halves():
    keys = np.array([[5, 1], [2, 9], [7, 7]], dtype=np.uint64)
    index = KeyIndex(keys)
    wanted = np.array([[7, 7], [5, 1], [5, 2], [9, 9], [0, 0]], dtype=np.uint64)
    assert index.find(wanted).tolist() == [2, 0, -1, -1, -1]
    assert KeyIndex(keys[:0]).find(wanted).tolist() == [-1] * 5


def test_a_large_table_is_looked_up_fast(build):
    class Teacher:
        dim, fingerprint, versions = 4, "fast", {}

        def encode(self, texts):
            return np.array([[len(text), int(text), 0, 1] for text in texts], dtype=np.float32)

    texts = [str(number) for number in range(200_000)]
    table = build(texts, teacher=Teacher(), shard_size=50_000, batch_size=50_000)
    wanted = texts[::40]
    start = time.process_time()
    got = table.lookup(wanted)
    assert time.process_time() - start < 1.0  # .05 s where this was written
    assert np.array_equal(got[:, 1], np.arange(0, 200_000, 40))
