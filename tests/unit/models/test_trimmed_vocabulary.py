"""A vocabulary and a decoder trimmed together: kept tokens keep their logits, and texts can still be written."""

import json

import pytest
import torch

from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.inference.translator_building import build_vocabulary
from fairseq_samu.models.multitask_st import MultitaskStConfig, MultitaskStModel
from fairseq_samu.models.speech_encoder_options import build_configured_encoder
from tests.unit.tiny_sentencepiece import TEXTS
from tests.unit.tiny_translator import ENCODER, make_translator

ROWS = [(TEXTS[0], "en"), (TEXTS[1], "it"), (TEXTS[7], "en")]


@pytest.fixture
def pair(tmp_path):
    """The whole model with its vocabulary, the trimmed ones, and the ids that were kept."""
    whole, trimmed = (make_translator(tmp_path, ctc_head=True) for _ in range(2))
    kept = trimmed.vocabulary.kept_ids(ROWS, ["cs"])
    assert len(kept) < 0.6 * len(whole.vocabulary)
    trimmed.vocabulary.trim(kept)
    trimmed.model.trim_vocabulary(kept)
    return whole, trimmed, kept


def run(tiny, text, language):
    torch.manual_seed(4)
    target = torch.from_numpy(tiny.vocabulary.encode(text, language))[None]
    start = torch.tensor([[tiny.vocabulary.eos]])
    wave = torch.randn(1, 8000)
    with torch.no_grad():
        out = tiny.model(source=wave, prev_output_tokens=torch.cat([start, target[:, :-1]], dim=1))
    return target, out.logits(), out.ctc_logits


@pytest.mark.parametrize("text, language", ROWS)
def test_logits_of_kept_tokens_are_equal_up_to_renormalisation(pair, text, language):
    whole, trimmed, kept = pair
    target, logits, ctc_logits = run(whole, text, language)
    new_target, new_logits, new_ctc_logits = run(trimmed, text, language)
    assert torch.equal(kept[new_target], target)
    torch.testing.assert_close(new_logits, logits[..., kept], rtol=0, atol=1e-6)
    torch.testing.assert_close(new_ctc_logits, ctc_logits[..., kept], rtol=0, atol=1e-6)
    # probabilities differ by what the left-out tokens had, one factor a position
    share = logits.softmax(-1)[..., kept].sum(-1, keepdim=True)
    assert share.max() < 0.9
    torch.testing.assert_close(new_logits.softmax(-1), logits.softmax(-1)[..., kept] / share, rtol=1e-5, atol=1e-7)
    # so that the order of any two kept tokens stays, and with it a greedy text that uses kept tokens only
    assert torch.equal(kept[new_logits.argmax(-1)], kept[logits[..., kept].argmax(-1)])


def test_trimming_twice_is_trimming_once_by_less(pair):
    whole, trimmed, _ = pair
    again = trimmed.vocabulary.kept_ids(ROWS[:1])
    trimmed.vocabulary.trim(again)
    trimmed.model.trim_vocabulary(again)
    once = whole.vocabulary.kept_ids(ROWS[:1])
    whole.vocabulary.trim(once)
    whole.model.trim_vocabulary(once)
    assert trimmed.vocabulary.tokens == whole.vocabulary.tokens
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(trimmed.model.state_dict()[name], tensor), name
    for text, language in ROWS:
        if language in whole.vocabulary.languages:
            assert (
                trimmed.vocabulary.encode(text, language).tolist() == whole.vocabulary.encode(text, language).tolist()
            )


def test_trimmed_model_is_saved_and_read(pair, tmp_path):
    _, trimmed, _ = pair
    state = torch.load(trimmed.save(tmp_path / "a.pt"), weights_only=True)
    vocabulary = build_vocabulary(state["task_state"]["vocabulary"])
    assert len(vocabulary) == len(state["model"]["decoder.embed_tokens.weight"])
    assert vocabulary.encode(*ROWS[0]).tolist() == trimmed.vocabulary.encode(*ROWS[0]).tolist()


def test_pieces_that_were_left_out_are_spelt_by_kept_ones(pair):
    """Another text of the same characters gets more tokens, not unknown ones: the model still has a say on each."""
    whole, trimmed, kept = pair
    text = "the mine is under the sea"
    ids, before = trimmed.vocabulary.encode(text, "en"), whole.vocabulary.encode(text, "en")
    assert trimmed.vocabulary.unk not in ids and trimmed.vocabulary.decode(ids) == text
    assert len(ids) >= len(before)
    assert set(kept[torch.from_numpy(ids)].tolist()) <= set(range(len(whole.vocabulary)))
    fresh = Vocabulary()
    fresh.load_state_dict(trimmed.vocabulary.state_dict())
    assert fresh.encode(text, "en").tolist() == ids.tolist()


@pytest.mark.parametrize("of_text", [False, True])
def test_a_model_of_several_tasks_keeps_the_logits_of_kept_tokens(of_text):
    """Only kept tokens are labels here, so that the compressor cuts alike."""
    torch.manual_seed(5)
    text = {"dim": 24, "ffn_dim": 40, "num_heads": 4, "num_layers": 1, "decoder_layers": 1, "max_positions": 30}
    sizes = {"encoder_config": json.dumps(ENCODER), "text_config": json.dumps(text)}
    cfg = MultitaskStConfig(**sizes, compressor_heads=4, compressor_ffn_dim=16, seed=1)
    model = MultitaskStModel(cfg, build_configured_encoder(cfg), 40).eval()
    kept = torch.tensor([0, 1, 2, 3, 7, 9, 11, 30, 35, 38])
    left_out = torch.ones(40, dtype=torch.bool).scatter(0, kept, False)
    wave, source, target = torch.randn(1, 8000), torch.tensor([[7, 9, 11]]), torch.tensor([[2, 38, 7, 9]])

    def run(source, target):
        inputs = {"source_tokens": source} if of_text else {"source": wave}
        return model(**inputs, prev_output_tokens=target)

    with torch.no_grad():
        model.decoder.embed_tokens.weight[left_out] *= 1e-3
        before = run(source, target)
        model.trim_vocabulary(kept)
        after = run(torch.searchsorted(kept, source), torch.searchsorted(kept, target))
    torch.testing.assert_close(after.logits(), before.logits()[..., kept], rtol=0, atol=1e-5)
    if not of_text:
        labels = before.ctc_logits.argmax(dim=-1)
        assert len(labels.unique()) > 1 and not left_out[labels].any()
        torch.testing.assert_close(after.ctc_logits, before.ctc_logits[..., kept], rtol=0, atol=1e-5)
