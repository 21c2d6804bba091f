"""Tables of compression, against figures counted by hand."""

from fairseq_samu.reports.compressed_row import Compression
from fairseq_samu.reports.compression_tables import ROW_HEADER, SEGMENT_HEADER, mean_rows, row_figures, segment_rows
from tests.unit.reports.compressed import compressed


def test_an_utterance():
    figures = row_figures(compressed())
    assert figures == ["0.20", "10", "4", "2.50", "3 (30.0 %)", "1 (25.0 %)", "1 (10.0 %)"]
    assert len(figures) == len(ROW_HEADER)


def test_its_segments():
    rows = list(segment_rows(compressed()))
    assert rows == [
        ["0", "a", "0.00", "0.04", "2", "0", "100.0 %", "0", "75.0 %"],
        ["1", "blank", "0.04", "0.08", "2", "2", "100.0 %", "2", "50.0 %"],
        ["2", "b", "0.08", "0.14", "3", "4", "30.0 %", "0", "10.0 %"],
        ["3", "c", "0.16", "0.20", "2", "8", "60.0 %", "8", "60.0 %"],
    ]
    assert {len(row) for row in rows} == {len(SEGMENT_HEADER)}
    assert [row[5] for row in segment_rows(compressed(keeps_first=False))] == ["mean"] * 4


def test_all_rows():
    counts = [Compression("a", 10, 5, 4, 1, 0), Compression("b", 30, 5, 6, 1, 2), Compression("c", 20, 10, 0, 0, 0)]
    assert dict(mean_rows(counts)) == {
        "Rows": "3",
        "Frames in": "60",
        "Segments out": "20",
        "Frames a segment, all frames over all segments": "3.000",
        "Frames a segment, mean of the rows": "3.333",
        "Lowest and highest row": "2.00, 6.00",
        "Quartiles of the rows": "2.00, 2.00, 4.00",
        "Blank frames": "10 (16.7 %)",
        "Blank segments": "2 (10.0 %)",
        "Dropped frames": "2 (3.3 %)",
    }
