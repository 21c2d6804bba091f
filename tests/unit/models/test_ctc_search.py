"""Best-path decoding in the place of the host's generator."""

import pytest
import torch

pytest.importorskip("fairseq", reason="the model stands on the host")

from fairseq_samu.models.ctc_search import GreedyCtcGenerator
from fairseq_samu.ops.ctc_best_path import find_best_paths
from tests.unit.models.test_samu_xlsr_mbart import build, waves


def test_one_hypothesis_a_row_as_the_host_writes_them():
    model = build(without_decoder=True, ctc_head=True).eval()
    source, mask = waves()
    generator = GreedyCtcGenerator(blank=0, eos=2, symbols_to_strip_from_output={45})
    assert generator.symbols_to_strip_from_output == {2, 45}
    found = generator.generate([model], {"net_input": {"source": source, "padding_mask": mask}}, prefix_tokens=None)
    output = model(source, mask)
    paths = find_best_paths(output.ctc_logits, output.padding_mask, blank=0)
    for hypotheses, path in zip(found, paths, strict=True):
        (hypothesis,) = hypotheses
        assert hypothesis["tokens"].tolist() == [*path.labels.tolist(), 2]
        assert len(hypothesis["positional_scores"]) == len(hypothesis["tokens"])
        assert torch.isfinite(hypothesis["score"])
