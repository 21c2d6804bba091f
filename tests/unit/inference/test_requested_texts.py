"""Languages and adapters as a user of Python names them, for models with named adapters and without."""

import pytest
import torch

pytest.importorskip("fairseq", reason="the package's vocabulary is the host's kind")

from fairseq_samu.errors import ConfigError
from fairseq_samu.inference.requested_texts import RequestReader, Requests, spread
from tests.unit.data.test_targets import FakeVocabulary
from tests.unit.tasks.test_adapter_routing import FakeModel

NAMES = ["cs", "de", "law"]
CPU = torch.device("cpu")


def reader(encoder=NAMES, decoder=NAMES, policy="error", names=NAMES):
    return RequestReader(FakeModel(encoder, decoder, names=names), FakeVocabulary(), policy)


def test_speech_and_text_choose_each_their_own():
    asked = reader().read(2, ["de", "cs_CZ"], "cs")
    assert asked == Requests([11, 12], {"source_adapters": [0, 0], "target_adapters": [1, 0]})
    assert asked.prefix([1, 1, 0], CPU).tolist() == [[12], [12], [11]]
    inputs = asked.adapters_of([1, 0], CPU)
    assert {name: numbers.tolist() for name, numbers in inputs.items()} == {
        "source_adapters": [0, 0],
        "target_adapters": [0, 1],
    }
    assert all(numbers.dtype == torch.int64 for numbers in inputs.values())


def test_a_name_comes_before_languages():
    asked = reader().read(2, "en", adapter=["law", "de"])
    assert asked.adapters == {"source_adapters": [2, 1], "target_adapters": [2, 1]}


def test_texts_pass_no_encoder():
    assert reader().read(1, "cs", with_speech=False).adapters == {"target_adapters": [0]}
    assert reader(decoder=()).read(1, "en", with_speech=False).adapters == {}


def test_a_model_without_names_asks_for_no_spoken_language():
    assert reader((), (), names=()).read(2, "en") == Requests([10, 10])
    assert reader(encoder=()).read(1, "de").adapters == {"target_adapters": [1]}
    assert reader().read(0, "de") == Requests([], {"source_adapters": [], "target_adapters": []})


def test_the_encoder_needs_to_know_what_is_spoken():
    with pytest.raises(ConfigError, match=r"`source_language` must be given .*\(cs, de, law\)"):
        reader().read(1, "de")
    with pytest.raises(ConfigError, match="`source_language`"):
        reader().spoken(1, None)
    assert reader().spoken(2, None, "law") == {"source_adapters": [2, 2]}


def test_what_has_no_adapter_is_named_at_once_or_served_otherwise():
    with pytest.raises(ConfigError) as caught:
        reader().read(3, "cs", ["en", "cs", "fr"])
    assert "'en, fr'" in str(caught.value)
    assert reader(policy="base").read(3, "cs", ["en", "cs", "sk"]).adapters["source_adapters"] == [-1, 0, -1]
    assert reader(policy="nearest").read(3, "cs", ["en", "cs", "sk"]).adapters["source_adapters"] == [-1, 0, 0]


def test_counts_have_to_fit():
    assert spread("x", "a", 2) == spread("x", ["a", "a"], 2) == ["a", "a"]
    for arguments in ((2, ["en"]), (2, "en", ["cs"]), (2, "en", None, ["law"] * 3)):
        with pytest.raises(ConfigError, match="one, or 2 for 2"):
            reader().read(*arguments)
    with pytest.raises(ConfigError, match="`source_language` must be one, or 1 for 1, but is '0'"):
        reader().read(1, "cs", [])
