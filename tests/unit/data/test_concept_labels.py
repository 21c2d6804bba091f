"""The file of labels: order, exact round trip, and every fault with its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairseq_samu.concepts import CLOSE, SPACE, is_label
from fairseq_samu.data.concept_labels import collect_labels, read_labels, require_labels, write_labels
from fairseq_samu.errors import ConfigError


def test_order():
    labels = collect_labels(["b <z> é > a_\u00a0", "<a-b> 1 \\< >"])
    assert labels == ["<a-b>", "<z>", ">", "_", "1", "\\<", "\\_", "\\u00a0", "a", "b", "é"]
    assert collect_labels([]) == [">", "_"]


@given(st.lists(st.text()))
def test_labels_of_any_texts_survive_their_file(tmp_path_factory, texts):
    labels = collect_labels(["<a> x >", *texts])
    path = tmp_path_factory.mktemp("labels") / "labels.txt"
    write_labels(path, labels)
    assert read_labels(path) == labels
    assert all(is_label(label) for label in labels)


def test_the_file_is_readable_and_whole(tmp_path):
    path = tmp_path / "new/folder/labels.txt"
    write_labels(path, ["<a>", ">", "_", "é", "\\u200b"])
    assert path.read_bytes() == "<a>\n>\n_\né\n\\u200b\n".encode()
    assert [item.name for item in path.parent.iterdir()] == ["labels.txt"]
    with pytest.raises(ConfigError):
        write_labels(path, ["<a>", "_"])
    assert path.read_text().startswith("<a>\n>")


def test_a_file_that_passed_through_another_editor(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_bytes(b"\xef\xbb\xbf<a>\r\n>\r\n_\r\na")
    assert read_labels(path) == ["<a>", ">", "_", "a"]


def test_all_faults_in_one_report(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("<a>\n<unk>\n\nab\n_\na \n<a>\n<s>\n")
    with pytest.raises(ConfigError) as caught:
        read_labels(path)
    places = [line.partition(": ")[0] for line in str(caught.value).splitlines()]
    assert places == [f"{path}:{line}" for line in (2, 3, 4, 6, 7, 8)] + [str(path)]
    assert "there once, in line 1" in str(caught.value)
    assert "with >, which closes a concept" in str(caught.value)


def test_many_faults_are_counted():
    with pytest.raises(ConfigError, match="and 7 more") as caught:
        require_labels([CLOSE, SPACE, *["xx"] * 27], "labels.txt")
    assert len(str(caught.value).splitlines()) == 21


@pytest.mark.parametrize(("content", "fault"), [(None, "No such file"), (b">\n_\n\xe9\n", "byte 4 is not UTF-8")])
def test_a_file_that_cannot_be_read(tmp_path, content, fault):
    path = tmp_path / "labels.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=fault):
        read_labels(path)


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="can be written"):
        write_labels(tmp_path / "file/labels.txt", [CLOSE, SPACE])
