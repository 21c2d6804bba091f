"""Decoding of CTC in the place of the host's generator."""

import pytest
import torch

pytest.importorskip("fairseq", reason="the model stands on the host")

from fairseq_samu.models.ctc_search import BeamCtcGenerator, CtcSearch, GreedyCtcGenerator, make_generator
from fairseq_samu.ops.ctc_best_path import find_best_paths
from fairseq_samu.ops.ctc_prefix_beam_search import BeamOptions, search_prefixes
from tests.unit.models.test_samu_xlsr_mbart import build, waves

SYMBOLS = ["<s>", "<pad>", "</s>", "<unk>", "a", "b", "c"]


def draw(rows=4, frames=12, size=7, sharpness=2.0):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(rows, frames, size, generator=generator) * sharpness
    lengths = torch.randint(1, frames + 1, (rows,), generator=generator)
    return logits, torch.arange(frames)[None] >= lengths[:, None]


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
        assert hypothesis["starts"].tolist() == path.starts.tolist()
        assert hypothesis["ends"].tolist() == path.ends.tolist()
        assert torch.isfinite(hypothesis["score"])


def test_beam_search_as_the_host_takes_it():
    model = build(without_decoder=True, ctc_head=True).eval()
    source, mask = waves()
    options = BeamOptions(6)
    sample = {"net_input": {"source": source, "padding_mask": mask}}
    found = BeamCtcGenerator(0, 2, options, nbest=3).generate([model], sample)
    output = model(source, mask)
    log_probs = torch.log_softmax(output.ctc_logits, -1).detach().double().numpy()
    expected = search_prefixes(log_probs, (~output.padding_mask).sum(1).tolist(), 0, options)
    for hypotheses, best in zip(found, expected, strict=True):
        assert len(hypotheses) == 3
        for hypothesis, one in zip(hypotheses, best[:3], strict=True):
            assert hypothesis["tokens"].tolist() == [*one.labels.tolist(), 2]
            assert hypothesis["score"].item() == pytest.approx(one.score / (len(one.labels) + 1), rel=1e-5)
            assert len(hypothesis["positional_scores"]) == len(hypothesis["tokens"])


def test_labels_have_frames_in_order_within_their_row():
    logits, mask = draw()
    lengths = (~mask).sum(1).tolist()
    found = BeamCtcGenerator(0, 2, BeamOptions(8), nbest=8).search(logits, mask)
    log_probs = torch.log_softmax(logits, -1)
    for row, hypotheses in enumerate(found):
        for hypothesis in hypotheses:
            edges = torch.stack([hypothesis["starts"], hypothesis["ends"]], 1).flatten().tolist()
            assert edges == sorted(edges)
            assert all(0 <= edge <= lengths[row] for edge in edges)
            labels = hypothesis["tokens"][:-1].tolist()
            spans = zip(labels, hypothesis["starts"], hypothesis["ends"], strict=True)
            surest = [log_probs[row, start:end, label].max() for label, start, end in spans]
            assert hypothesis["positional_scores"].tolist() == pytest.approx([*map(float, surest), 0.0], rel=1e-5)


def test_sure_frames_give_the_same_by_any_search():
    logits, mask = draw(sharpness=400.0)
    logits[:, :, 1:4] = -9999.0
    greedy = make_generator(SYMBOLS, CtcSearch()).search(logits, mask)
    beam = make_generator(SYMBOLS, CtcSearch(beam=5, nbest=1)).search(logits, mask)
    for (one,), (other,) in zip(greedy, beam, strict=True):
        for name in ("tokens", "starts", "ends"):
            assert one[name].tolist() == other[name].tolist()
        assert one["score"].item() == pytest.approx(other["score"].item(), abs=1e-3)


def test_options_reach_the_search(tmp_path):
    pytest.importorskip("kenlm", reason="the extra lm is not installed")
    path = tmp_path / "lm.arpa"
    counts, single = "ngram 1=5\nngram 2=1", "-99\t<s>\t0\n-1\t</s>\n-3\t<unk>\n-1\t_\n-0.1\tb\t0\n"
    pairs = "-1\tb b\n"
    text = f"\\data\\\n{counts}\n\n\\1-grams:\n{single}\n\\2-grams:\n{pairs}\n\\end\\\n"
    path.write_text(text, encoding="utf-8")
    logits = torch.log(torch.tensor([[[0.1, 0.6, 0.05, 0.05, 0.11, 0.08, 0.01]]]))
    mask = torch.zeros(1, 1, dtype=torch.bool)

    def labels(**search):
        best = make_generator(SYMBOLS, CtcSearch(**search)).search(logits, mask)[0]
        return [one["tokens"].tolist() for one in best]

    assert labels() == [[1, 2]]  # the best path takes whatever a frame says
    assert labels(beam=4) == [[4, 2]]  # padding is no label
    assert labels(beam=4, nbest=2) == [[4, 2], [2]]
    assert labels(beam=4, nbest=4, labels_per_frame=1) == [[4, 2], [2]]
    assert labels(beam=4, label_bonus=-9.0) == [[2]]
    assert labels(beam=4, ngram_model=str(path), ngram_weight=1.0) == [[2]]
    assert labels(beam=4, ngram_model=str(path), ngram_weight=1.0, label_bonus=1.0) == [[5, 2]]
    assert labels(beam=1, ngram_model=str(path), ngram_weight=0.0) == [[4, 2]]
