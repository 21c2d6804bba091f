"""The search by decoder and head for CTC: its scores are those of whole texts, computed by other ways."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

pytest.importorskip("fairseq", reason="the view stands on the host")

from fairseq.data import Dictionary
from fairseq.sequence_generator import SequenceGenerator

from fairseq_samu.models.beam_search_view import BeamSearchView
from fairseq_samu.models.joint_search_view import JointSearchView
from tests.unit.models import test_multitask_st, test_samu_xlsr_mbart
from tests.unit.models.test_samu_xlsr_mbart import VOCABULARY, waves

BLANK, END = 0, 2
LENGTHS = (9000, 5200, 7000)
TAGS = torch.tensor([[45], [46], [45]])
KINDS = ("plain", "compressed", "multitask")


def build(kind, dtype=torch.float64):
    """A model whose head for CTC is less sure of blanks than a random one, and of few tokens."""
    if kind == "multitask":
        model = test_multitask_st.build(l2g_norm="layer", compressor="avg")
    else:
        options = {"compressor": "avg", "compressor_heads": 4, "num_length_adapter_layers": 1}
        model = test_samu_xlsr_mbart.build(ctc_head=True, **(options if kind == "compressed" else {}))
        torch.nn.init.normal_(model.ctc_head.weight, std=1.0)
    torch.nn.init.normal_(model.decoder.embed_tokens.weight, std=0.5)
    return model.to(dtype).eval()


def dictionary():
    made = Dictionary()
    for number in range(VOCABULARY - len(made)):
        made.add_symbol(f"piece{number}")
    return made


def search(model, weight, beam, rows=(0, 1, 2), max_len=10, lengths=LENGTHS, **options):
    source, mask = waves(lengths, dtype=next(model.parameters()).dtype)
    rows = list(rows)
    longest = max(lengths[row] for row in rows)
    net_input = {"source": source[rows, :longest], "padding_mask": mask[rows, :longest]}
    view = JointSearchView(model, weight, BLANK, END) if weight is not None else BeamSearchView(model)
    generator = SequenceGenerator([view], dictionary(), beam_size=beam, max_len_b=max_len, len_penalty=0.0, **options)
    return generator.generate([model], {"net_input": net_input}, prefix_tokens=TAGS[rows])


@torch.no_grad()
def score_whole(model, row, tokens, weight, lengths=LENGTHS):
    """What attention and CTC give a whole text: the latter by torch's loss, without tag and end."""
    source, mask = waves(lengths, dtype=torch.float64)
    source, mask = source[row : row + 1, : lengths[row]], mask[row : row + 1, : lengths[row]]
    output = model(source, mask, prev_output_tokens=torch.cat([torch.tensor([END]), tokens[:-1]])[None])
    attention = output.logits()[0].log_softmax(-1).gather(1, tokens[:, None]).sum()
    text, frames = tokens[1:-1], output.ctc_logits.size(1)
    log_probs = output.ctc_logits[0].log_softmax(-1)[:, None]
    loss = F.ctc_loss(log_probs, text[None], torch.tensor([frames]), torch.tensor([len(text)]), BLANK, reduction="sum")
    return (1 - weight) * float(attention) - weight * float(loss)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("beam", [1, 4])
def test_a_hypothesis_scores_what_both_parts_give_the_whole_text(kind, beam):
    model, weight, lengths = build(kind), 0.4, set()
    for row, hypotheses in enumerate(search(model, weight, beam)):
        assert len(hypotheses) == beam
        for hypothesis in hypotheses:
            tokens = hypothesis["tokens"]
            assert tokens[0] == TAGS[row] and tokens[-1] == END
            assert BLANK not in tokens.tolist()
            lengths.add(len(tokens))
            assert float(hypothesis["score"]) == pytest.approx(score_whole(model, row, tokens, weight), abs=1e-3)
    assert max(lengths) > 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_finds_what_its_rows_alone_find(kind):
    model = build(kind)
    together = search(model, 0.5, 3)
    for row in range(3):
        (alone,) = search(model, 0.5, 3, rows=[row])
        assert [one["tokens"].tolist() for one in together[row]] == [one["tokens"].tolist() for one in alone]
        scores = [[float(one["score"]) for one in found] for found in (together[row], alone)]
        assert scores[0] == pytest.approx(scores[1], abs=1e-4)


def test_without_ctc_it_is_the_search_of_the_decoder():
    model = build("plain")
    joint, alone = search(model, 0.0, 3), search(model, None, 3)
    for first, second in zip(joint, alone, strict=True):
        assert [one["tokens"].tolist() for one in first] == [one["tokens"].tolist() for one in second]
        scores = [[float(one["score"]) for one in found] for found in (first, second)]
        assert scores[0] == pytest.approx(scores[1], rel=1e-6)


def test_by_ctc_alone_it_finds_the_most_probable_text():
    """Of all texts that the frames have room for, scored one by one."""
    model, lengths = build("plain"), (1800, 1500, 1700)
    pieces = [7, 8, 9]
    with torch.no_grad():
        model.ctc_head.bias.fill_(-60.0)
        model.ctc_head.bias[[BLANK, *pieces]] = 0.0
    found = search(model, 1.0, 40, max_len=6, lengths=lengths)
    texts = [text for length in range(6) for text in itertools.product(pieces, repeat=length)]
    for row in range(3):
        scores = {}
        for text in texts:
            tokens = torch.tensor([int(TAGS[row]), *text, END])
            score = score_whole(model, row, tokens, 1.0, lengths)
            if math.isfinite(score):
                scores[tuple(tokens.tolist())] = score
        best = max(scores, key=scores.__getitem__)
        assert found[row][0]["tokens"].tolist() == list(best)
        assert float(found[row][0]["score"]) == pytest.approx(scores[best], abs=1e-4)


def test_more_tokens_than_frames_still_end():
    """One frame, three tokens or more: CTC has no path, and the search ends all the same."""
    for hypotheses in search(build("plain"), 0.9, 2, rows=[0], lengths=(450,), max_len=5, min_len=4):
        assert all(one["tokens"][-1] == END for one in hypotheses)
        assert all(math.isfinite(float(one["score"])) for one in hypotheses)


def test_a_longer_prefix_is_read_by_ctc_too():
    model = build("plain")
    source, mask = waves(LENGTHS, dtype=torch.float64)
    generator = SequenceGenerator(
        [JointSearchView(model, 0.5, BLANK, END)], dictionary(), beam_size=2, max_len_b=8, len_penalty=0.0
    )
    prefix = torch.tensor([[45, 7, 7], [46, 9, 8], [45, 30, 2]])
    sample = {"net_input": {"source": source, "padding_mask": mask}}
    for row, hypotheses in enumerate(generator.generate([model], sample, prefix_tokens=prefix)):
        for one in hypotheses:
            assert one["tokens"][: len(prefix[row])].tolist() == prefix[row].tolist()
            assert float(one["score"]) == pytest.approx(score_whole(model, row, one["tokens"], 0.5), abs=1e-3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_scores_in_float32(dtype):
    model = build("plain", torch.float32).to(dtype)
    for hypotheses in search(model, 0.3, 2):
        assert all(one["positional_scores"].dtype == torch.float32 for one in hypotheses)
        assert all(bool(one["positional_scores"].isfinite().all()) for one in hypotheses)
