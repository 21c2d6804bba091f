"""Positions of a sequence as sines and cosines."""

import math

import pytest

from fairseq_samu.ops.positions import sinusoidal_positions


def test_equals_the_formula_written_out():
    found = sinusoidal_positions(7, 6)
    for position in range(7):
        for pair in range(3):
            angle = position / 10_000 ** (pair / 2)
            expected = (math.sin(angle), math.cos(angle))
            assert (found[position, pair], found[position, pair + 3]) == pytest.approx(expected, abs=1e-6)


def test_shorter_ones_begin_alike():
    assert sinusoidal_positions(3, 8).equal(sinusoidal_positions(9, 8)[:3])
