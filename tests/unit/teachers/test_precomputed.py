"""Vectors that another program computed."""

import numpy as np
import pytest

from fairseq_samu.errors import TeacherError
from fairseq_samu.teachers.encoder import SentenceEncoder, build_sentence_encoder


@pytest.fixture
def write(tmp_path):
    def write(texts=("one", "two", "three"), vectors=None, name="vectors.txt", ending="\n") -> str:
        vectors = np.arange(6, dtype=np.float16).reshape(3, 2) if vectors is None else vectors
        np.save(tmp_path / "vectors.npy", vectors)
        (tmp_path / name).write_bytes(ending.join([*texts, ""]).encode())
        return f"npy:{tmp_path / 'vectors.npy'}"

    return write


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_row_i_belongs_to_line_i(write, ending):
    teacher = build_sentence_encoder(write(ending=ending))
    assert isinstance(teacher, SentenceEncoder)
    got = teacher.encode([" three", "one"])
    assert (got.dtype, got.tolist(), teacher.dim) == (np.float32, [[4, 5], [0, 1]], 2)
    assert teacher.encode([]).shape == (0, 2)


def test_texts_may_stand_elsewhere_and_begin_with_a_byte_order_mark(write, tmp_path):
    spec = write(texts=("\ufeffone", "two\u2028lines", "three"), name="texts.txt")
    teacher = build_sentence_encoder(f"{spec},{tmp_path / 'texts.txt'}")
    assert teacher.encode(["one", "two lines"]).tolist() == [[0, 1], [2, 3]]


def test_missing_texts_are_counted_and_the_first_ten_named(write):
    teacher = build_sentence_encoder(write())
    with pytest.raises(TeacherError) as error:
        teacher.encode(["one", *(f"no {n}" for n in range(12)), "no  3"])
    message = str(error.value)
    assert "lacking 12 texts" in message
    assert message.count("\n  'no ") == 10
    assert message.endswith("and 2 more")


def test_two_lines_of_one_text_must_agree(write):
    same = np.array([[1, 2], [3, 4], [1, 2]], dtype=np.float32)
    assert build_sentence_encoder(write(("a  b", "c", "a b"), same)).encode(["a b"]).tolist() == [[1, 2]]
    with pytest.raises(TeacherError, match=r"vectors\.txt:3: `text`.*lines 1 and 3"):
        build_sentence_encoder(write(("a b", "c", "a b")))


def test_the_fingerprint_follows_both_files(write):
    prints = {
        build_sentence_encoder(spec()).fingerprint
        for spec in (
            write,
            lambda: write(vectors=np.ones((3, 2), dtype=np.float32)),
            lambda: write(texts=("one", "two", "four")),
        )
    }
    assert len(prints) == 3
    assert build_sentence_encoder(write()).fingerprint in prints


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"texts": ("one", "two")}, r"vectors\.txt: `texts` must be 3 lines, but is '2'"),
        ({"vectors": np.arange(6)}, "floats of shape"),
        ({"vectors": np.zeros(3, "f")}, "floats of shape"),
        ({"vectors": np.zeros((3, 0), "f")}, "floats of shape"),
        ({"vectors": np.array([None, {}, "x"])}, r"readable \.npy"),
        ({"name": "elsewhere.txt"}, r"vectors\.txt.*No such file"),
    ],
)
def test_files_that_do_not_serve_are_one_clear_error(write, given, message):
    spec = write(**given)
    with pytest.raises(TeacherError, match=message) as error:
        build_sentence_encoder(spec)
    assert "\n" not in str(error.value)


def test_texts_that_are_no_utf8_and_vectors_that_are_nowhere(write, tmp_path):
    spec = write()
    (tmp_path / "vectors.txt").write_bytes(b"one\ntwo\n\xff\n")
    with pytest.raises(TeacherError, match="UTF-8"):
        build_sentence_encoder(spec)
    with pytest.raises(TeacherError, match=r"nowhere\.npy.*No such file"):
        build_sentence_encoder(f"npy:{tmp_path / 'nowhere.npy'}")


@pytest.mark.parametrize("spec", ["", "us", "use:x", "e5:x", "npy", "npy:", "sentence-transformers", "LaBSE"])
def test_an_unknown_spec_names_the_known_ones(spec):
    with pytest.raises(TeacherError, match=r"'use', 'e5', 'sentence-transformers:DIRECTORY' or 'npy:FILE"):
        build_sentence_encoder(spec)
