"""Alignment: batches that hold a text twice, and what CTC hears in place of the transcript."""

import pytest
import torch

pytest.importorskip("fairseq", reason="the criterion is registered with the host")

from tests.unit.criterions.spelling_model import SpellingModel, joint, make_criterion, speech, spelt


def test_equal_texts_are_no_negatives_although_dropout_makes_them_differ():
    class Noisy(SpellingModel):
        def encode_text(self, tokens):
            output = super().encode_text(tokens)
            output.compressed = output.states = output.states + torch.randn_like(output.states)
            return output

    heard, criterion = [spelt([4, 0]), spelt([5]), spelt([4])], make_criterion("asr")
    for said, is_zero in (([[4], [4], [4]], True), ([[4], [5], [4]], False)):
        _, _, log = criterion(Noisy(), joint(asr=speech("asr", heard, said, said)))
        assert (log["alignment_loss"].item() == 0) == is_zero


def test_the_transcript_gives_way_to_what_ctc_hears():
    batch = speech("asr", [spelt([6, 6, 0, 7]), spelt([5])], [[4], [5]], [[4], [5]])
    criterion, model = make_criterion("asr", alignment_gold=0.7, alignment_step=10), SpellingModel()
    criterion.begin_update(65)
    criterion(model, joint(asr=batch))
    assert model.aligned == [[[4], [5]], [[6, 7], [5, 1]]]  # the second is CTC's best path, padded
    model.aligned.clear()
    criterion.begin_update(81)
    criterion(model, joint(asr=batch))
    assert model.aligned == [[[6, 7], [5, 1]]]


def test_the_share_of_the_transcript_falls_when_so_many_updates_are_made():
    batch = speech("asr", [spelt([6, 6, 0, 7]), spelt([5])], [[4], [5]], [[4], [5]])
    criterion = make_criterion("asr", alignment_gold=0.1, alignment_step=10)
    for update, aligned in ((10, 2), (11, 1)):
        criterion.begin_update(update)
        model = SpellingModel()
        criterion(model, joint(asr=batch))
        assert len(model.aligned) == aligned  # the transcript still counts in the tenth
