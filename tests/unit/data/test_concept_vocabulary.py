"""Labels of the CTC head: ids, exact round trip, saving, and what is refused."""

import io
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("fairseq", reason="the dictionary is the host's")

from fairseq_samu.data.concept_vocabulary import UNKNOWN, ConceptVocabulary
from fairseq_samu.errors import ConfigError

TEXTS = ["je veux <nombre> deux > <chambre-type> chambres doubles >", "à 3 \\> 2_"]


@pytest.fixture
def vocabulary():
    return ConceptVocabulary.from_texts(TEXTS)


def test_layout(vocabulary):
    assert vocabulary.labels[:4] == ["<chambre-type>", "<nombre>", ">", "_"]
    assert vocabulary.concepts == ["chambre-type", "nombre"]
    assert vocabulary.tag_ids == {4, 5}
    assert (vocabulary.close_id, vocabulary.space_id) == (6, 7)
    host = vocabulary.dictionary
    assert (vocabulary.blank, vocabulary.pad, vocabulary.eos, vocabulary.unk) == (0, 1, 2, 3)
    assert (host.bos(), host.pad(), host.eos(), host.unk()) == (0, 1, 2, 3)
    assert len(vocabulary) == len(host) == 4 + len(vocabulary.labels)


def test_a_tag_is_one_label_and_there_is_no_end(vocabulary):
    ids = vocabulary.encode("<nombre> deux >")
    assert ids.dtype == "int64"
    assert ids.tolist() == [5, 7, *(vocabulary.dictionary.index(letter) for letter in "deux"), 7, 6]
    assert vocabulary.encode("").tolist() == []


@given(st.lists(st.text(), min_size=1))
def test_texts_come_back(texts):
    vocabulary = ConceptVocabulary.from_texts(texts)
    for text in texts:
        ids = vocabulary.encode(text)
        assert vocabulary.unk not in ids
        assert vocabulary.decode(ids) == text
        assert vocabulary.decode(torch.tensor([0, *ids, 2, 1, 1])) == text


@given(st.lists(st.sampled_from([*TEXTS, "<nombre> ", "\\>", " _"])).map("".join))
def test_the_host_joins_symbols_and_they_come_back(text):
    vocabulary = ConceptVocabulary.from_texts([*TEXTS, text])
    ids = torch.tensor([*vocabulary.encode(text), vocabulary.eos])
    assert vocabulary.decode_symbols(vocabulary.dictionary.string(ids)) == text


def test_what_has_no_label(vocabulary):
    text = "<nombre> ß > <prix> j >"
    ids = vocabulary.encode(text)
    assert [position for position, number in enumerate(ids) if number == vocabulary.unk] == [2, 6]
    written = f"<nombre> {UNKNOWN} > {UNKNOWN} j >"
    assert vocabulary.decode(ids) == written
    host = vocabulary.dictionary
    assert vocabulary.decode_symbols(host.string(torch.from_numpy(ids))) == written
    assert vocabulary.decode_symbols(host.string(torch.from_numpy(ids), escape_unk=True)) == written


def test_saved_and_loaded_in_place(vocabulary, tmp_path):
    buffer = io.BytesIO()
    torch.save(vocabulary.state_dict(), buffer)
    buffer.seek(0)
    other = ConceptVocabulary()
    dictionary = other.dictionary
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert other.dictionary is dictionary
    assert (other.labels, other.concepts, other.fingerprint) == (
        vocabulary.labels,
        vocabulary.concepts,
        vocabulary.fingerprint,
    )
    vocabulary.save(tmp_path / "labels.txt")
    assert ConceptVocabulary.from_file(tmp_path / "labels.txt").fingerprint == vocabulary.fingerprint
    assert pickle.loads(pickle.dumps(vocabulary)).encode(TEXTS[0]).tolist() == vocabulary.encode(TEXTS[0]).tolist()


def test_the_fingerprint_tells_order_apart():
    there, other = (ConceptVocabulary.from_labels([">", "_", *letters]) for letters in ("ab", "ba"))
    assert there.fingerprint != other.fingerprint


def test_an_empty_one_is_not_used():
    empty = ConceptVocabulary()
    assert (len(empty), empty.labels, empty.concepts, empty.tag_ids) == (4, [], [], set())
    for use in (lambda: empty.encode("a"), lambda: empty.close_id, lambda: empty.space_id):
        with pytest.raises(ConfigError, match="filled before it is used"):
            use()


@pytest.mark.parametrize(
    ("labels", "fault"),
    [(["_", "a"], "with >"), ([">", "a"], "with _"), ([">", "_", "a", "a"], "there once, in line 3"), ([], "with >")],
)
def test_what_is_no_vocabulary(labels, fault):
    with pytest.raises(ConfigError, match=fault):
        ConceptVocabulary.from_labels(labels)


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        ({}, "a tensor `labels`"),
        ({"tokens": torch.zeros(1)}, "tokens"),
        ({"labels": torch.tensor([255], dtype=torch.uint8)}, "damaged at byte 0"),
        ({"labels": torch.tensor([62, 10], dtype=torch.uint8)}, "checkpoint:2"),
    ],
)
def test_a_damaged_state_changes_nothing(vocabulary, state, fault):
    before = vocabulary.fingerprint
    with pytest.raises(ConfigError, match=fault):
        vocabulary.load_state_dict(state)
    assert vocabulary.fingerprint == before
