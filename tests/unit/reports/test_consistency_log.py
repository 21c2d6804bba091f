"""The log of gradients: what it says, and every line of it that is at fault."""

import json

import pytest

from fairseq_samu.criterions.consistency_log import ConsistencyLog
from fairseq_samu.criterions.consistency_log import Measurement as Written
from fairseq_samu.errors import SamuError
from fairseq_samu.reports.consistency_log import (
    drop_of,
    layers_by_part,
    means_by_part,
    read_consistency_log,
    weights_of,
)
from tests.unit.reports.measured import line, measured, write_log


def test_what_training_writes_is_read(tmp_path):
    written = [Written(100, "asr", "acoustic_encoder", layer, 0.25, None, 0.5, 0.75, 1.5) for layer in (0, 1, None)] + [
        Written(100, "mt", "decoder", None, None, 0.0, 0.5, 0.0, 1.5)
    ]
    ConsistencyLog(str(tmp_path / "log")).append(written)
    found = read_consistency_log(tmp_path / "log")
    assert [vars(one) for one in found] == [vars(one) for one in written]


def test_measurements_come_in_order_of_updates(tmp_path):
    path = write_log(tmp_path / "log", line(200), line(100), line(100, task="mt"))
    path.write_text(path.read_text() + "\n  \n")
    assert [(one.update, one.task) for one in read_consistency_log(path)] == [(100, "asr"), (100, "mt"), (200, "asr")]


def test_what_is_not_finite_is_not_known(tmp_path):
    (one,) = read_consistency_log(write_log(tmp_path / "log", line(1, cosine=float("nan"), norm=float("inf"))))
    assert one.cosine is None and one.norm is None and one.ratio is None


def test_the_ratio_needs_both_norms():
    assert measured(1).ratio == 2.0
    assert measured(1, main_norm=0.0).ratio is None
    assert measured(1, norm=None).ratio is measured(1, main_norm=None).ratio is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"update": 0}, "`update` must be a number of an update"),
        ({"update": 1.5}, "`update`"),
        ({"update": True}, "`update`"),
        ({"task": "st"}, "`task` must be one of asr, mt, but is 'st'"),
        ({"task": ["asr"]}, "`task`"),
        ({"module": "encoder"}, "`module` must be one of acoustic_encoder, textual_encoder, decoder"),
        ({"layer": -1}, "`layer`"),
        ({"layer": "0"}, "`layer`"),
        ({"cosine": 1.1}, "`cosine` must be a figure from -1 to 1"),
        ({"cosine": "0.5"}, "`cosine`"),
        ({"norm": -0.1}, "`norm`"),
        ({"main_norm": False}, "`main_norm`"),
        ({"weight": None}, "`weight`"),
        ({"weight": float("nan")}, "`weight`"),
        ({"seconds": -1}, "`seconds`"),
    ],
)
def test_a_field_that_is_at_fault_is_named_with_its_line(tmp_path, fields, message):
    path = write_log(tmp_path / "log", line(1), {**line(2), **fields})
    with pytest.raises(SamuError) as caught:
        read_consistency_log(path)
    assert str(caught.value).startswith(f"{path}:2: ") and message in str(caught.value)


@pytest.mark.parametrize("name", line(1))
def test_a_field_that_is_missing_is_named(tmp_path, name):
    path = write_log(tmp_path / "log", {key: value for key, value in line(1).items() if key != name})
    with pytest.raises(SamuError, match=f":1: `{name}`"):
        read_consistency_log(path)


def test_all_faults_come_in_one_report(tmp_path):
    path = tmp_path / "log"
    path.write_text("\n".join(["x", "[]", json.dumps(line(1, cosine=2, weight=-1)), json.dumps(line(5)) * 2, ""]))
    with pytest.raises(SamuError) as caught:
        read_consistency_log(path)
    lines = str(caught.value).split("\n")
    assert [one.partition(": `")[0] for one in lines] == [f"{path}:{number}" for number in (1, 2, 3, 3, 4)]


def test_a_repeated_measurement_is_named(tmp_path):
    path = write_log(tmp_path / "log", line(1), line(1, layer=0), line(1, cosine=0.1))
    with pytest.raises(SamuError, match=r":3: .*the only one of its kind at 1"):
        read_consistency_log(path)


@pytest.mark.parametrize("content", ["", "\n\n", json.dumps(line(1, layer=3))])
def test_a_log_without_means_is_refused(tmp_path, content):
    (tmp_path / "log").write_text(content)
    with pytest.raises(SamuError, match="means over layers"):
        read_consistency_log(tmp_path / "log")


def test_parts_come_in_the_order_of_the_model():
    log = [
        measured(1, task="mt", module="decoder"),
        measured(1, module="textual_encoder", layer=2),
        measured(1, module="textual_encoder", layer=0),
        measured(1),
        measured(2, task="mt", module="decoder"),
    ]
    means = means_by_part(log)
    assert list(means) == [("asr", "acoustic_encoder"), ("mt", "decoder")]
    assert [one.update for one in means["mt", "decoder"]] == [1, 2]
    layers = layers_by_part(log)
    assert {part: list(found) for part, found in layers.items()} == {("asr", "textual_encoder"): [0, 2]}


def test_modules_that_a_task_never_reaches_are_left_out():
    log = [measured(u, module="decoder", layer=layer, norm=None) for u in (1, 2) for layer in (0, None)]
    assert means_by_part(log) == layers_by_part(log) == {}
    reached = [*log, *(measured(3, module="decoder", layer=layer) for layer in (0, None))]
    assert len(means_by_part(reached)["asr", "decoder"]) == len(layers_by_part(reached)["asr", "decoder"][0]) == 3


def test_a_task_is_dropped_where_its_weight_is_zero_or_others_outlive_it():
    zero = [measured(100), measured(200, weight=0.0)]
    assert weights_of(zero, "asr") == [(100, 1.0), (200, 0.0)]
    assert drop_of(zero, "asr") == 200
    outlived = [measured(100), measured(200, weight=0.5), measured(300, task="mt")]
    assert drop_of(outlived, "asr") == 200
    assert drop_of(outlived, "mt") is None
    assert drop_of(zero, "mt") is None
