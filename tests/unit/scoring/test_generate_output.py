"""The host's output: rows in any order, odd texts, and every way in which rows can be wrong."""

import pytest

from fairseq_samu.errors import SamuError
from fairseq_samu.scoring.generate_output import (
    is_generate_output,
    name_rows,
    order_rows,
    read_generate_output,
    read_lines,
)

OUTPUT = """2026-01-01 00:00:00 | INFO | fairseq_cli.generate | loading model(s)
T-2\tthe third
H-2\t-0.25\t▁the ▁th ird
D-2\t-0.25\tthe third
P-2\t-0.1 -0.4
T-0\tthe first
D-0\t-inf\t
T-1\tD-7\t-1\tnot a hypothesis
D-1\t-1.5e-05\ta\ttab and \u2028 a line separator
Generate test with beam=5: BLEU = 12.3
"""


def write(path, text):
    path.write_bytes(text.encode())
    return path


def test_rows_come_back_in_their_order(tmp_path):
    found = read_generate_output([write(tmp_path / "a.txt", OUTPUT)])
    texts = order_rows(found.hypotheses, 3, "a.txt")
    assert texts == ["", "a\ttab and \u2028 a line separator", "the third"]
    assert found.references == {0: "the first", 1: "D-7\t-1\tnot a hypothesis", 2: "the third"}


def test_parts_of_a_split_run_are_joined(tmp_path):
    parts = [write(tmp_path / f"{row}.txt", f"D-{row}\t-1\ttext {row}\n") for row in (1, 0)]
    assert order_rows(read_generate_output(parts).hypotheses, 2, "") == ["text 0", "text 1"]
    with pytest.raises(SamuError, match="one a row, but is 'several of row 1'"):
        read_generate_output([parts[0], parts[0]])


def test_missing_and_foreign_rows_are_named():
    with pytest.raises(SamuError, match=r"gen\.txt: `hypotheses` must be 5.*'2 without rows 0, 2, 4'"):
        order_rows({1: "a", 3: "b"}, 5, "gen.txt")
    with pytest.raises(SamuError, match="of the 1 rows that there are, but is 'rows 1, 7'"):
        order_rows({0: "a", 1: "b", 7: "c"}, 1, "gen.txt")
    assert name_rows(range(30)) == "rows " + ", ".join(map(str, range(20))) + " and 10 more"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be a text with one sentence a line, but is 'empty'"),
        (b" \n\n", "'empty'"),
        (b"caf\xe9\n", "must be text in UTF-8"),
        (b"plain\ntext\n", "without lines `D-ROW`"),
        (b"H-0\t-1\ta\n", "without lines `D-ROW`"),
    ],
)
def test_files_that_are_no_output(tmp_path, content, message):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(SamuError, match=message):
        read_generate_output([tmp_path / "a.txt"])


def test_lines_end_at_line_feeds_only(tmp_path):
    text = "\ufeffone\u2028still one\r\n\r\nthree\x0b\x85 more"
    assert read_lines(write(tmp_path / "a.txt", text)) == ["one\u2028still one", "", "three\x0b\x85 more"]


def test_plain_text_is_told_from_output(tmp_path):
    assert is_generate_output(write(tmp_path / "a.txt", OUTPUT))
    assert not is_generate_output(write(tmp_path / "b.txt", "D-0 is a sentence\nT-0\talone\n"))


def test_blank_lines_are_a_text_where_that_is_allowed(tmp_path):
    assert read_lines(write(tmp_path / "a.txt", "\n \n"), may_be_blank=True) == ["", " "]
    assert not is_generate_output(tmp_path / "a.txt")
    with pytest.raises(SamuError, match="'empty'"):
        read_lines(write(tmp_path / "b.txt", ""), may_be_blank=True)
