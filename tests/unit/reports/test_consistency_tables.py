"""Tables of gradients, against figures counted by hand."""

from fairseq_samu.reports.consistency_plots import Arm
from fairseq_samu.reports.consistency_tables import (
    COSINE_HEADER,
    COST_HEADER,
    NORM_HEADER,
    WEIGHT_HEADER,
    cosine_rows,
    cost_rows,
    norm_rows,
    weight_rows,
)
from tests.unit.reports.measured import measured

COSINES = (0.5, 0.25, None, -0.25, 0.25, 0.75)
LOG = [
    *(measured(i, cosine=c, norm=0.1 * i, main_norm=0.2, weight=1 / i) for i, c in enumerate(COSINES, 1)),
    measured(7, task="mt", module="decoder", cosine=None, norm=0.25, main_norm=None),
]
ARM = Arm("one", LOG, [(5, 10.0), (7, 100.0)])


def test_cosines():
    rows = list(cosine_rows([ARM, Arm("two", LOG[:1])]))
    # (0.5 + 0.25 - 0.25 + 0.25 + 0.75) / 5; quarters of five are two each; one of five is below 0
    assert rows == [
        ["one", "ASR", "Acoustic encoder", "5", "0.300", "0.375", "0.500", "20 %"],
        ["one", "MT", "Decoder", "0", "–", "–", "–", "–"],
        ["two", "ASR", "Acoustic encoder", "1", "0.500", "0.500", "0.500", "0 %"],
    ]
    assert {len(row) for row in rows} == {len(COSINE_HEADER)}


def test_norms():
    rows = list(norm_rows([ARM]))
    # norms 0.1 ... 0.6, ratios 0.5 ... 3
    assert rows == [
        ["one", "ASR", "Acoustic encoder", "0.35", "0.2", "1.75", "0.75", "2.75"],
        ["one", "MT", "Decoder", "0.25", "–", "–", "–", "–"],
    ]
    assert {len(row) for row in rows} == {len(NORM_HEADER)}


def test_weights():
    rows = list(weight_rows([ARM]))
    assert rows == [["one", "ASR", "1", "0.167", "6", "6"], ["one", "MT", "1", "1", "–", "7"]]
    assert {len(row) for row in rows} == {len(WEIGHT_HEADER)}


def test_costs():
    rows = list(cost_rows([ARM, Arm("two", LOG)]))
    # seven updates, 0.25 s each; 1.75 of 100 s
    assert rows == [["one", "7", "1.75", "0.25", "1.75 %"], ["two", "7", "1.75", "0.25", "–"]]
    assert {len(row) for row in rows} == {len(COST_HEADER)}
