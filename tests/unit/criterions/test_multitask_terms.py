"""Alignment in batches that hold a text twice."""

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
