"""Seconds are those of the parts, and of nothing between them."""

import time

import pytest
import torch

pytest.importorskip("fairseq", reason="criterions stand on the host")

from fairseq_samu.criterions.measuring_time import Stopwatch

CPU = torch.device("cpu")


def test_only_what_runs_inside_counts():
    watch = Stopwatch()
    for _ in range(2):
        with watch.running(CPU):
            time.sleep(0.02)
        time.sleep(0.2)
    assert 0.04 <= watch.read() < 0.2
    assert watch.read() == watch.read()


def test_it_goes_on_from_what_was_spent_before():
    watch = Stopwatch(5.0)
    assert watch.read() == 5.0
    with watch.running(CPU):
        time.sleep(0.01)
    assert watch.read() > 5.0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_work_before_a_part_does_not_count_on_a_gpu():
    device = torch.device("cuda")
    large = torch.randn(4096, 4096, device=device)
    torch.cuda.synchronize()
    watch = Stopwatch()
    begin = time.perf_counter()
    for _ in range(100):
        large = torch.tanh(large @ large)
    with watch.running(device):
        _ = large.sum()
    inside = watch.read()
    assert 0 < inside < 0.2 * (time.perf_counter() - begin)
