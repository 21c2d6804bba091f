"""Texts of recordings: the search against a greedy one in a loop, order, cutting, languages, and clear refusals."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("fairseq", reason="the search is the host's")

import fairseq_samu
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import AudioError, CheckpointError, ConfigError
from fairseq_samu.inference.speech_translator import SpeechTranslator
from fairseq_samu.models.samu_xlsr_mbart import SamuXlsrMbartConfig, SamuXlsrMbartModel
from fairseq_samu.models.speech_encoder_options import build_configured_encoder
from tests.unit.inference.conftest import ENCODERS
from tests.unit.inference.test_speech_embedder import RATE
from tests.unit.tiny_sentencepiece import train_model

DECODER = {"dim": 24, "ffn_dim": 40, "num_layers": 2, "num_heads": 4, "max_positions": 30}


def waves(*seconds):
    """Rising tones of unlike pitch, which even random weights tell apart."""
    random = np.random.default_rng(0)
    found = []
    for number, length in enumerate(seconds):
        times = np.arange(int(length * RATE)) / RATE
        tone = 0.2 * np.sin(2 * np.pi * 150 * 2**number * times * (1 + 0.3 * times))
        found.append((tone + 0.02 * random.normal(size=len(times))).astype(np.float32))
    return found


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory):
    pieces = train_model(tmp_path_factory.mktemp("pieces"))
    return Vocabulary.from_sentencepiece(pieces, ["en", "fr"])


@pytest.fixture
def write(tmp_path, vocabulary):
    """Writer of checkpoints as the trainer leaves them, of a tiny model with random weights."""

    def write(encoder="xlsr", tasks="st", task=None, **options):
        torch.manual_seed(2)
        settings = {
            "encoder_config": json.dumps(ENCODERS[encoder]),
            "decoder_config": json.dumps(DECODER),
            "adapter_dim": 8,
            **options,
        }
        cfg = SamuXlsrMbartConfig(**settings, seed=1)
        model = SamuXlsrMbartModel(cfg, build_configured_encoder(cfg), len(vocabulary)).eval()
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.6 if "encoder_attn" in name else 0.3)
        places = {"encoder_path": "/of/the/training/machine.pt", "decoder_path": "/of/the/training/machine"}
        config = {
            "common": {"seed": 1, "fp16": False, "bf16": True},
            "model": {"_name": "samu_xlsr_mbart", **settings, **places},
            "task": {"_name": "multitask_st", "tasks": tasks, "data": "/gone", "trim_vocabulary": "train.tsv"},
            "criterion": {"_name": "ctc_ce"},
        }
        state = {
            "args": None,
            "cfg": config,
            "model": model.state_dict(),
            "task_state": {"vocabulary": vocabulary.state_dict()} if task is None else task,
        }
        torch.save(state, tmp_path / "checkpoint.pt")
        return tmp_path / "checkpoint.pt", model

    return write


@torch.no_grad()
def greedy_tokens(model, vocabulary, wave, language, limit=DECODER["max_positions"] - 1):
    """End, tag, and the most likely token at each place, one whole forward for each."""
    tokens = [vocabulary.eos, vocabulary.tag(language)]
    while tokens[-1] != vocabulary.eos:
        if len(tokens) > limit:
            return [*tokens, vocabulary.eos]
        logits = model(torch.from_numpy(wave)[None], prev_output_tokens=torch.tensor([tokens])).logits()[0, -1]
        logits[vocabulary.pad] = -torch.inf
        tokens.append(int(logits.argmax()))
    return tokens


def greedy(model, vocabulary, wave, language):
    return vocabulary.decode(greedy_tokens(model, vocabulary, wave, language))


@pytest.mark.parametrize("encoder", ["whisper", "xlsr"])
def test_a_beam_of_one_is_a_greedy_search(write, vocabulary, encoder):
    path, model = write(encoder)
    translator = SpeechTranslator.load(path)
    recordings = waves(1.0, 2.5, 0.5)
    expected = [greedy(model, vocabulary, wave, "fr") for wave in recordings]
    assert len(set(expected)) > 1, "the model says the same for all"
    assert translator.translate(recordings, "fr", beam=1) == expected


def test_texts_do_not_depend_on_order_or_batches(write):
    path, _ = write()
    recordings = waves(1.0, 3.0, 0.3, 2.0, 1.7)
    together = SpeechTranslator.load(path).translate(recordings)
    assert len(set(together)) > 1
    assert SpeechTranslator.load(path).translate(recordings[::-1])[::-1] == together
    assert SpeechTranslator.load(path, batch_seconds=0.001).translate(recordings) == together


def test_each_recording_in_its_own_language(write, vocabulary):
    path, model = write()
    translator = SpeechTranslator.load(path)
    assert translator.languages == ["en", "fr"]
    recordings = waves(1.0, 2.0)
    codes = ["fr_XX", "eng"]
    expected = [greedy(model, vocabulary, wave, code) for wave, code in zip(recordings, codes, strict=True)]
    assert translator.translate(recordings, codes, beam=1) == expected
    assert translator.translate(recordings, "en", beam=1)[0] != expected[0]


def test_a_long_recording_is_the_sum_of_its_segments(write):
    path, _ = write()
    translator = SpeechTranslator.load(path, max_seconds=2.0)
    [speech] = waves(3.5)
    speech[int(1.3 * RATE) : int(1.7 * RATE)] = 0.0
    [short] = waves(0.5)
    [cut, whole] = translator.translate_segments([speech, short], beam=3, nbest=2)
    assert cut[0].end_seconds == pytest.approx(1.5, abs=0.1)
    assert cut[0].start_seconds == 0.0 and cut[-1].end_seconds == 3.5
    assert all(first.end_seconds == second.start_seconds for first, second in pairwise(cut))
    assert len(whole) == 1
    for part in [*cut, *whole]:
        assert len(part.hypotheses) == 2
        assert part.hypotheses[0].score >= part.hypotheses[1].score
    alone = [speech[round(part.start_seconds * RATE) : round(part.end_seconds * RATE)] for part in cut]
    texts = translator.translate(alone, beam=3)
    assert [part.text for part in cut] == texts
    assert translator.translate(speech, beam=3) == [" ".join(text for text in texts if text)]


def test_scores_are_mean_log_probabilities(write, vocabulary):
    path, model = write()
    [wave] = waves(1.0)
    tokens = torch.tensor(greedy_tokens(model, vocabulary, wave, "en"))
    with torch.no_grad():
        logits = model(torch.from_numpy(wave)[None], prev_output_tokens=tokens[None, :-1]).logits()[0]
    own = torch.log_softmax(logits, -1).gather(1, tokens[1:, None])
    [[segment]] = SpeechTranslator.load(path).translate_segments(wave, "en", beam=1)
    assert segment.text == vocabulary.decode(tokens)
    assert segment.hypotheses[0].score == pytest.approx(own.mean().item(), rel=1e-4)


def test_transcripts_need_such_a_training(write):
    path, _ = write(tasks="st, asr")
    translator = SpeechTranslator.load(path)
    recordings = waves(1.0)
    assert translator.transcribe(recordings, "fr") == translator.translate(recordings, "fr")
    path, _ = write(tasks="st")
    with pytest.raises(ConfigError, match="`asr` in --tasks to transcribe"):
        SpeechTranslator.load(path).transcribe(recordings, "fr")
    path, _ = write(tasks="asr")
    with pytest.raises(ConfigError, match="`st` in --tasks to translate"):
        SpeechTranslator.load(path).translate(recordings)


def test_a_model_for_ctc_alone_transcribes(write, vocabulary):
    path, model = write(tasks="asr", without_decoder=True, ctc_head=True)
    recordings = waves(1.0, 0.6)
    expected = []
    for wave in recordings:
        with torch.no_grad():
            labels = model(torch.from_numpy(wave)[None]).ctc_logits[0].argmax(-1).tolist()
        merged = [label for label, before in zip(labels, [None, *labels], strict=False) if label != before]
        expected.append(vocabulary.decode([label for label in merged if label != vocabulary.bos]))
    assert all(expected)
    assert SpeechTranslator.load(path).transcribe(recordings, "fr") == expected
    with pytest.raises(ConfigError, match="without both a decoder and a head for CTC"):
        SpeechTranslator.load(path).transcribe(recordings, "fr", ctc_weight=0.3)


def test_no_text_is_longer_than_asked_for(write):
    path, _ = write()
    recordings = waves(2.5)
    texts = [SpeechTranslator.load(path, max_tokens=count).translate(recordings)[0] for count in (2, 20)]
    assert len(texts[0]) < len(texts[1])


def test_what_cannot_work_is_named(write):
    path, _ = write()
    translator = SpeechTranslator.load(path)
    recordings = waves(0.5, 0.6)
    with pytest.raises(ConfigError, match="en, fr"):
        translator.translate(recordings, "de")
    with pytest.raises(ConfigError, match="one, or 2 for 2"):
        translator.translate(recordings, ["en"])
    with pytest.raises(ConfigError, match="Widen the beam"):
        translator.translate_segments(recordings, beam=2, nbest=3)
    with pytest.raises(AudioError, match="recording 1"):
        translator.translate([recordings[0], np.zeros((2, 3))])
    assert translator.translate([]) == []


def test_other_files_are_refused(write, trained, tmp_path):
    with pytest.raises(CheckpointError, match="samu_xlsr_mbart"):
        SpeechTranslator.load(trained()[0])
    path, _ = write(task={})
    with pytest.raises(CheckpointError, match="vocabulary"):
        SpeechTranslator.load(path)
    with pytest.raises(CheckpointError, match="nowhere"):
        SpeechTranslator.load(tmp_path / "nowhere.pt")


def test_the_package_hands_it_out():
    assert fairseq_samu.SpeechTranslator is SpeechTranslator
