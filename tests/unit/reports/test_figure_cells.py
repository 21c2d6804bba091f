"""Figures with intervals as cells."""

import numpy as np

from fairseq_samu.reports.figure_cells import show_difference, show_figure
from fairseq_samu.scoring.paired_bootstrap import Comparison, Figure


def test_cells():
    assert show_figure(Figure(13.27, np.full(40, 12.0))) == "13.3 [12.0, 12.0]"
    assert show_figure(Figure(13.27), digits=2) == "13.27"
    assert show_figure(None) == ""
    assert show_difference(Comparison(0.4, (-0.12, 0.8), 0.1)) == "+0.4 [-0.1, +0.8]"
    assert show_difference(Comparison(-0.4, (-0.5, -0.3), 0.1), digits=2) == "-0.40 [-0.50, -0.30]"
