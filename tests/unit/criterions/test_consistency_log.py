"""Lines of the log, and what of it a resumed run keeps."""

import json

import pytest

pytest.importorskip("fairseq", reason="criterions stand on the host")

from fairseq_samu.criterions.consistency_log import ConsistencyLog, Measurement
from fairseq_samu.errors import ConfigError


def line(update, layer=None):
    return Measurement(update, "asr", "decoder", layer, 0.5, 2.0, None, 1.0, 0.25)


def updates(path):
    return [json.loads(text)["update"] for text in path.read_text().splitlines()]


def test_a_line_has_its_fields_in_order(tmp_path):
    path = tmp_path / "new" / "log.jsonl"
    ConsistencyLog(str(path)).append([line(3, 7)])
    assert path.read_text() == (
        '{"update": 3, "task": "asr", "module": "decoder", "layer": 7, "cosine": 0.5, "norm": 2.0, "main_norm": null, '
        '"weight": 1.0, "seconds": 0.25}\n'
    )


@pytest.mark.parametrize(
    ("update", "kept"), [(0, []), (1, [1, 1]), (3, [1, 1]), (4, [1, 1, 4]), (5, [1, 1, 4, 5]), (9, [1, 1, 4, 5])]
)
def test_what_lies_beyond_is_cut(tmp_path, update, kept):
    log = ConsistencyLog(str(tmp_path / "log.jsonl"))
    log.append([line(1, 0), line(1)])
    log.append([line(4)])
    log.append([line(5)])
    log.cut_after(update)
    assert updates(log.path) == kept
    log.append([line(update + 1)])
    assert updates(log.path) == [*kept, update + 1]


@pytest.mark.parametrize("length", [1, 8, 20, 60])
def test_a_line_that_was_written_in_part_is_cut(tmp_path, length):
    log = ConsistencyLog(str(tmp_path / "log.jsonl"))
    log.append([line(1), line(2)])
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + whole[:length])
    log.cut_after(9)
    assert log.path.read_bytes() == whole


def test_no_file_is_no_fault(tmp_path):
    log = ConsistencyLog(str(tmp_path / "log.jsonl"))
    log.cut_after(3)
    assert not log.path.exists()


@pytest.mark.parametrize("text", ["# Notes\n", "# Notes", "{}\n", "3\n", '{"update": null}\n', '{"update": "x"}\n'])
def test_a_file_that_is_no_log_is_left_alone(tmp_path, text):
    path = tmp_path / "notes.md"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"notes.md:1: `consistency_log` must be .* --consistency-log"):
        ConsistencyLog(str(path)).cut_after(0)
    assert path.read_text() == text


def test_what_json_does_not_know_is_not_written(tmp_path):
    log = ConsistencyLog(str(tmp_path / "log.jsonl"))
    with pytest.raises(ValueError, match="JSON"):
        log.append([Measurement(1, "asr", "decoder", 0, float("nan"), 1.0, 1.0, 1.0, 0.0)])
