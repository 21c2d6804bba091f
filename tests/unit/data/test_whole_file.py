"""A file is replaced by a whole one or stays as it was."""

import pytest

from fairseq_samu.data.whole_file import write_whole


def test_written_and_replaced(tmp_path):
    path = tmp_path / "file"
    for content in (b"one", b"other\n\0"):
        write_whole(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_no_trace(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(OSError, match="folder"):
        write_whole(path, b"content")
    assert list(tmp_path.iterdir()) == [path]
