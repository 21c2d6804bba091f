"""Words and concepts of recordings: the same as the search on the model, order, cutting, and clear refusals."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("fairseq", reason="the model stands on the host")

import fairseq_samu
from fairseq_samu.concepts import extract_concepts, strip_tags
from fairseq_samu.data.concept_spans import ConceptSpan, TaggedText
from fairseq_samu.data.concept_vocabulary import ConceptVocabulary
from fairseq_samu.errors import AudioError, CheckpointError
from fairseq_samu.inference.concept_tagger import ConceptTagger, _join
from fairseq_samu.models.ctc_search import CtcSearch
from fairseq_samu.models.samu_slu import SamuSluConfig, SamuSluModel
from fairseq_samu.models.speech_encoder_options import build_configured_encoder
from fairseq_samu.ops.ctc_best_path import find_best_paths
from tests.unit.inference.conftest import ENCODERS
from tests.unit.inference.test_speech_embedder import RATE
from tests.unit.inference.test_speech_translator import waves

VOCABULARY = ConceptVocabulary.from_texts(["<n> deux > <m> mai >"])


@pytest.fixture
def write(tmp_path):
    """Writer of checkpoints as the trainer leaves them, of a tiny model with random weights."""

    def write(encoder="whisper", vocabulary=VOCABULARY, **options):
        torch.manual_seed(3)
        settings = {
            "encoder_config": json.dumps(ENCODERS[encoder]),
            "embedding_dim": 12,
            "num_labels": len(VOCABULARY),
            "lstm_dim": 16,
            "num_lstm_layers": 2,
            "slu_hidden_dim": 16,
            "slu_weight": 5.0,
            "semantic_weight": 1.0,
            **options,
        }
        cfg = SamuSluConfig(**settings, seed=1)
        model = SamuSluModel(cfg, build_configured_encoder(cfg)).eval()
        for parameter in model.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.4)
        nn.init.normal_(model.slu_head.output.weight, std=2.0)
        with torch.no_grad():
            model.slu_head.output.bias[list(VOCABULARY.tag_ids)] += 2.0  # so that concepts occur
        config = {
            "common": {"seed": 1, "fp16": False, "bf16": False},
            "model": {"_name": "samu_slu", **settings, "encoder_path": "/gone.pt", "slu_checkpoint": "/gone2.pt"},
            "task": {"_name": "dual_slu", "data": "/gone", "teacher_table": "/gone", "concept_prefixes": "/gone"},
            "criterion": {"_name": "dual_slu"},
        }
        task = {"vocabulary": vocabulary.state_dict()} if vocabulary else {}
        state = {"args": None, "cfg": config, "model": model.state_dict(), "task_state": task}
        torch.save(state, tmp_path / "checkpoint.pt")
        return tmp_path / "checkpoint.pt", model

    return write


@torch.no_grad()
def best_text(model, wave):
    """Text of CTC's best path of a wave alone."""
    output = model(torch.from_numpy(wave)[None], torch.zeros(1, len(wave), dtype=torch.bool))
    return VOCABULARY.decode(find_best_paths(output.ctc_logits, output.padding_mask, 0)[0].labels)


@pytest.mark.parametrize("encoder", ["whisper", "xlsr"])
@pytest.mark.parametrize("features", ["last", "1", "weighted"])
def test_texts_are_those_of_each_recording_alone(write, encoder, features):
    path, model = write(encoder, slu_features=features)
    recordings = waves(1.1, 0.4, 2.3, 0.7)
    found = fairseq_samu.ConceptTagger.load(path, batch_seconds=3.0).tag(recordings)
    texts = [best_text(model, wave) for wave in recordings]
    assert [utterance.text for utterance in found] == texts
    assert len(set(texts)) == len(texts)
    assert any(utterance.concepts for utterance in found)
    for utterance, wave in zip(found, recordings, strict=True):
        concepts = [(span.concept, span.value) for span in utterance.concepts]
        assert concepts == [(one.name, one.value) for one in extract_concepts(utterance.text)]
        assert utterance.words == strip_tags(utterance.text)
        assert all(0 <= span.start < span.end <= len(wave) / RATE + 1e-3 for span in utterance.concepts)


def test_a_beam_sums_paths(write):
    path, _ = write()
    recordings = waves(1.1, 2.3)
    tagger = ConceptTagger.load(path)
    wide = ConceptTagger.load(path, search=CtcSearch(beam=20))
    assert [one.text for one in tagger.tag(recordings)] != [one.text for one in wide.tag(recordings)]
    assert tagger.concepts == wide.concepts == ["m", "n"]


def test_long_recordings_are_cut_and_times_go_on(write):
    path, _ = write()
    (wave,) = waves(4.3)
    tagger = ConceptTagger.load(path, max_seconds=1.5)
    (utterance,) = tagger.tag(wave)
    starts = [span.start for span in utterance.concepts]
    assert starts == sorted(starts)
    assert any(start > 1.5 for start in starts)
    assert all(first.end <= second.start + 1e-6 for first, second in pairwise(utterance.concepts))
    whole = ConceptTagger.load(path).tag(wave)[0]
    assert whole.text != utterance.text


def test_what_is_no_recording(write):
    path, _ = write()
    tagger = ConceptTagger.load(path)
    assert tagger.tag([]) == []
    with pytest.raises(AudioError, match="recording 1"):
        tagger.tag([np.zeros(800, np.float32), np.zeros((2, 800), np.float32)])


def test_checkpoints_that_cannot_tag(write, trained, tmp_path):
    with pytest.raises(CheckpointError, match="must be a file"):
        ConceptTagger.load(tmp_path / "none.pt")
    path, _ = write(slu_weight=0.0)
    with pytest.raises(CheckpointError, match="learnt to tag"):
        ConceptTagger.load(path)
    path, _ = write(vocabulary=None)
    with pytest.raises(CheckpointError, match="`vocabulary` must be in the checkpoint"):
        ConceptTagger.load(path)
    other, _ = trained()
    with pytest.raises(CheckpointError, match="one of samu_slu"):
        ConceptTagger.load(other)


def test_a_concept_that_a_segment_leaves_open_does_not_take_the_words_of_the_next():
    segments = [
        (0, TaggedText("<n> deux", [ConceptSpan("n", "deux", 0.0, 1.0)])),
        (16000, TaggedText("", [])),
        (32000, TaggedText("trois <m> jours", [ConceptSpan("m", "jours", 0.5, 1.0)])),
    ]
    joined = _join(segments)
    assert joined.text == "<n> deux > trois <m> jours"
    assert [(one.name, one.value) for one in extract_concepts(joined.text)] == [("n", "deux"), ("m", "jours")]
    assert [(one.concept, one.start) for one in joined.concepts] == [("n", 0.0), ("m", 2.5)]
