"""The view of a model for the host's search: an utterance stays one row, whatever the search does."""

import pytest
import torch

pytest.importorskip("fairseq", reason="the view stands on the host")

from fairseq.data import Dictionary
from fairseq.sequence_generator import SequenceGenerator

from fairseq_samu.models.beam_search_view import BeamSearchView, SearchedUtterances
from fairseq_samu.models.mbart_decoder import EncodedUtterances
from tests.unit.models.test_samu_xlsr_mbart import build, waves


def utterances(count):
    rows = torch.arange(count, dtype=torch.float32).view(count, 1, 1, 1).expand(count, 2, 3, 4)
    return SearchedUtterances(EncodedUtterances([(rows, rows)], torch.ones(count, 1, 1, 3, dtype=torch.bool)))


def rows_of(searched):
    return searched.encoded.layers[0][0][:, 0, 0, 0].tolist()


def test_hypotheses_of_an_utterance_share_its_row():
    first = utterances(3)
    searched = first.reorder(torch.arange(3).repeat_interleave(4))
    assert (rows_of(searched), searched.beam) == ([0, 1, 2], 4)
    assert searched.encoded is first.encoded
    moved = searched.reorder(torch.tensor([1, 1, 0, 3, 7, 4, 4, 4, 8, 9, 10, 11]))
    assert moved.encoded is first.encoded


def test_finished_utterances_are_left_out():
    searched = utterances(3).reorder(torch.arange(3).repeat_interleave(2)).reorder(torch.tensor([0, 1, 5, 4]))
    assert (rows_of(searched), searched.beam) == ([0, 2], 2)
    assert searched.encoded.mask.size(0) == 2


def test_unequal_numbers_of_hypotheses_get_a_row_each():
    searched = utterances(2).reorder(torch.tensor([0, 0, 1]))
    assert (rows_of(searched), searched.beam) == ([0, 0, 1], 1)


@pytest.mark.parametrize("beam", [1, 5])
def test_the_hosts_search_scores_what_the_model_scores(beam):
    dictionary = Dictionary()
    for number in range(46):
        dictionary.add_symbol(f"piece{number}")
    model = build().double().eval()
    torch.nn.init.normal_(model.decoder.embed_tokens.weight, std=0.5)
    source, mask = waves((9000, 5200, 7000), dtype=torch.float64)
    generator = SequenceGenerator([BeamSearchView(model)], dictionary, beam_size=beam, max_len_b=12, len_penalty=0.0)
    sample = {"net_input": {"source": source, "padding_mask": mask, "row_ids": torch.arange(3)}}
    tags = torch.tensor([[45], [46], [45]])
    for row, hypotheses in enumerate(generator.generate([model], sample, prefix_tokens=tags)):
        assert len(hypotheses) == beam
        for hypothesis in hypotheses:
            tokens = hypothesis["tokens"]
            assert tokens[0] == tags[row]
            read = torch.cat([torch.tensor([2]), tokens[:-1]])[None]
            with torch.no_grad():
                output = model(source[row : row + 1], mask[row : row + 1], prev_output_tokens=read)
            scores = output.logits()[0].log_softmax(-1).gather(1, tokens[:, None]).sum()
            assert abs(float(scores) - float(hypothesis["score"])) < 1e-4
