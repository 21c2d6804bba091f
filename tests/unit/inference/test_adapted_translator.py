"""Recordings and texts in several languages through the named adapters of one model, from Python."""

import json

import pytest
import torch
from torch import nn

pytest.importorskip("fairseq", reason="the search is the host's")

from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import ConfigError
from fairseq_samu.inference.speech_translator import SpeechTranslator
from fairseq_samu.models.multitask_st import MultitaskStConfig, MultitaskStModel
from fairseq_samu.models.speech_encoder_options import build_configured_encoder
from tests.unit.inference.conftest import ENCODERS
from tests.unit.inference.test_speech_translator import waves
from tests.unit.tiny_sentencepiece import TEXTS, train_model

TEXT = {"dim": 24, "ffn_dim": 40, "num_heads": 4, "num_layers": 2, "decoder_layers": 2, "max_positions": 30}
NAMES = ["en", "fr", "law"]


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory):
    return Vocabulary.from_sentencepiece(train_model(tmp_path_factory.mktemp("pieces")), ["en", "fr", "de"])


@pytest.fixture(scope="module")
def model(vocabulary):
    torch.manual_seed(4)
    sizes = {"encoder_config": json.dumps(ENCODERS["xlsr"]), "text_config": json.dumps(TEXT), "compressor": "off"}
    adapters = {"adapter_names": ",".join(NAMES), "adapter_dim": 8, "decoder_adapter_dim": 8}
    cfg = MultitaskStConfig(**sizes, **adapters, seed=1)
    model = MultitaskStModel(cfg, build_configured_encoder(cfg), len(vocabulary)).eval()
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=0.6 if "encoder_attn" in name else 0.3)
    return model


@pytest.fixture
def translator(model, vocabulary):
    def make(policy="error"):
        return SpeechTranslator(model, vocabulary, ["st", "asr", "mt"], missing_adapter=policy, max_tokens=12)

    return make


@torch.no_grad()
def greedy(model, vocabulary, wave, language, source, target):
    """The most likely token at each place, one whole forward for each, through adapters of these numbers."""
    numbers = {"source_adapters": torch.tensor([source]), "target_adapters": torch.tensor([target])}
    tokens = [vocabulary.eos, vocabulary.tag(language)]
    while tokens[-1] != vocabulary.eos and len(tokens) < 13:
        written = torch.tensor([tokens])
        logits = model(torch.from_numpy(wave)[None], prev_output_tokens=written, **numbers).logits()[0, -1]
        logits[vocabulary.pad] = -torch.inf
        tokens.append(int(logits.argmax()))
    return vocabulary.decode(tokens)


def test_each_recording_goes_through_its_own(model, vocabulary, translator):
    recordings = waves(1.0, 1.4, 0.8)
    asked = [("en", "fr", 0, 1), ("fr", "en", 1, 0), ("en", "en", 0, 0)]
    expected = [
        greedy(model, vocabulary, wave, to, *numbers) for wave, (_, to, *numbers) in zip(recordings, asked, strict=True)
    ]
    spoken, written = [of for of, *_ in asked], [to for _, to, *_ in asked]
    assert translator().translate(recordings, written, beam=1, source_language=spoken) == expected
    through = [greedy(model, vocabulary, wave, "en", 2, 2) for wave in recordings]
    assert translator().translate(recordings, "en", beam=1, adapter="law") == through
    assert through[2] != expected[2], "adapters make a difference"


def test_transcripts_go_by_one_language(model, vocabulary, translator):
    recordings = waves(1.0, 1.4)
    expected = [
        greedy(model, vocabulary, recordings[0], "en", 0, 0),
        greedy(model, vocabulary, recordings[1], "de", -1, -1),
    ]
    assert translator("base").transcribe(recordings, ["en", "de"], beam=1) == expected
    with pytest.raises(ConfigError, match="but is 'de' instead"):
        translator().transcribe(recordings, ["en", "de"], beam=1)


def test_ctc_goes_by_the_encoders(model, vocabulary, translator):
    recordings = waves(1.0, 1.4)
    texts = {name: translator().transcribe_by_ctc(recordings, adapter=name) for name in NAMES}
    assert texts["en"] != texts["law"]
    assert translator().transcribe_by_ctc(recordings, ["en", "fr"]) == [texts["en"][0], texts["fr"][1]]
    with pytest.raises(ConfigError, match="source_language"):
        translator().transcribe_by_ctc(recordings)


def test_texts_go_by_the_language_to_be_written(translator):
    texts = TEXTS[:3]
    single = [
        translator().translate_texts(text, language)[0]
        for text, language in zip(texts, ["en", "fr", "en"], strict=True)
    ]
    assert translator().translate_texts(texts, ["en", "fr", "en"]) == single
    assert translator().translate_texts(texts, "en", adapter="law") != translator().translate_texts(texts, "en")


def test_the_policy_has_to_be_known(translator):
    with pytest.raises(ConfigError, match="error, base, nearest"):
        translator("closest")
