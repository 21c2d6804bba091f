"""Texts of a decoder: ids as mBART-50 has them, tags, saving, and trimming."""

import pickle

import pytest
import sentencepiece
import torch

from fairseq_samu.data.language_codes import MBART50_CODES
from fairseq_samu.data.vocabulary import MASK, SPECIALS, Vocabulary
from fairseq_samu.errors import ConfigError
from tests.unit.tiny_sentencepiece import TEXTS, train_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return train_model(tmp_path_factory.mktemp("sentencepiece"))


@pytest.fixture
def vocabulary(model):
    return Vocabulary.from_sentencepiece(model)


def test_layout(vocabulary):
    tags = [f"[{code}]" for code in MBART50_CODES]
    assert vocabulary.tokens[:4] == list(SPECIALS)
    assert vocabulary.tokens[-53:] == [*tags, MASK]
    host = vocabulary.dictionary
    assert (host.bos(), host.pad(), host.eos(), host.unk()) == (0, 1, 2, 3)
    assert (vocabulary.bos, vocabulary.pad, vocabulary.eos, vocabulary.unk) == (0, 1, 2, 3)
    assert len(vocabulary) == len(host) == 4 + (120 - 3) + 52 + 1


def test_target_is_tag_pieces_end(vocabulary):
    ids = vocabulary.encode(TEXTS[0], "en")
    assert ids.dtype == "int64"
    assert ids[0] == vocabulary.dictionary.index("[en_XX]") == vocabulary.tag("en_XX") == vocabulary.tag("eng")
    assert ids[-1] == 2
    assert ids[1:].tolist() == vocabulary.encode(TEXTS[0]).tolist()
    assert vocabulary.decode(torch.from_numpy(ids)) == vocabulary.decode([0, *ids, 1, 1]) == TEXTS[0]
    assert vocabulary.encode("").tolist() == [2]
    assert vocabulary.decode([]) == ""


def test_same_ids_as_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    # without normalisation, whose tables transformers reads with another library
    model = train_model(tmp_path, normalization_rule_name="identity")
    vocabulary = Vocabulary.from_sentencepiece(model)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    pieces = [(processor.id_to_piece(i), processor.get_score(i)) for i in range(processor.get_piece_size())]
    tokenizer = transformers.MBart50Tokenizer(vocab=pieces, src_lang="en_XX")
    theirs = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    tags = vocabulary.tag_ids
    assert [token.strip("[]") if n in tags else token for n, token in enumerate(vocabulary.tokens)] == theirs
    for code in MBART50_CODES:
        assert vocabulary.tag(code) == tokenizer.convert_tokens_to_ids(code)
    for text in [*TEXTS, "vis  ryba,  fish", "unknown ✈ sign"]:
        for language in ("en_XX", "cs_CZ", "sl_SI"):
            tokenizer.src_lang = language
            assert vocabulary.encode(text, language).tolist() == tokenizer(text)["input_ids"]


def test_pieces_of_the_host_become_text(vocabulary):
    written = vocabulary.dictionary.string(torch.from_numpy(vocabulary.encode(TEXTS[1], "it")))
    assert written.startswith("[it_IT] ▁")
    assert vocabulary.decode_pieces(written) == TEXTS[1]
    assert vocabulary.decode_pieces("▁Hel lo ▁world") == "Hello world"
    assert vocabulary.decode_pieces("") == ""


def test_marks_written_in_a_text_are_text(vocabulary):
    ids = vocabulary.encode("</s> fish <pad> [en_XX]", "en").tolist()
    assert ids.count(2) == 1 and ids[-1] == 2
    assert 1 not in ids
    assert ids.count(vocabulary.tag("en")) == 1


def test_saved_and_loaded_in_place(vocabulary, tmp_path):
    path = tmp_path / "state.pt"
    torch.save(vocabulary.state_dict(), path)
    loaded = Vocabulary()
    dictionary = loaded.dictionary
    assert len(loaded) == 4
    loaded.load_state_dict(torch.load(path, weights_only=True))
    assert loaded.dictionary is dictionary and dictionary == vocabulary.dictionary
    assert dictionary.symbols == vocabulary.dictionary.symbols and len(dictionary.count) == len(dictionary)
    assert loaded.fingerprint == vocabulary.fingerprint
    assert [loaded.encode(text, "cs").tolist() for text in TEXTS] == [
        vocabulary.encode(text, "cs").tolist() for text in TEXTS
    ]


def test_workers_can_have_it(vocabulary):
    vocabulary.encode("before")
    copy = pickle.loads(pickle.dumps(vocabulary))
    assert copy.encode(TEXTS[2], "cs").tolist() == vocabulary.encode(TEXTS[2], "cs").tolist()
    assert copy.fingerprint == vocabulary.fingerprint
    assert pickle.loads(pickle.dumps(Vocabulary())).dictionary.symbols == list(SPECIALS)


def test_only_tags_asked_for(model):
    vocabulary = Vocabulary.from_sentencepiece(model, ["it", "en_XX", "be", "ces", "en"])
    assert vocabulary.tokens[-5:] == ["[cs_CZ]", "[en_XX]", "[it_IT]", "[be_XX]", MASK]
    assert vocabulary.languages == ["cs", "en", "it", "be"]
    assert vocabulary.tag("be") == vocabulary.tag("bel") == len(vocabulary) - 2


def test_filipino_is_written_with_tagalogs_tag(vocabulary):
    assert vocabulary.tag("fil") == vocabulary.tag("tl_XX") == vocabulary.tag("tgl")


@pytest.mark.parametrize("language", ["be", "xx", "EN", ""])
def test_a_wrong_tag_is_one_clear_error(vocabulary, language):
    with pytest.raises(ConfigError, match=r"language` must be one .*\(af, ar, .*zh\), but is") as caught:
        vocabulary.tag(language)
    assert "\n" not in str(caught.value)


def test_a_language_without_tag_gets_one(vocabulary):
    before = vocabulary.tokens
    dictionary = vocabulary.dictionary
    new, relative = vocabulary.add_language("be", like="ru")
    assert vocabulary.tokens == [*before, "[be_XX]"] and vocabulary.dictionary is dictionary
    assert (new, relative) == (len(before), vocabulary.tag("ru_RU"))
    assert vocabulary.encode("ryba", "be")[0] == new
    with pytest.raises(ConfigError, match="without a tag"):
        vocabulary.add_language("be", like="ru")
    with pytest.raises(ConfigError, match="of ISO 639-1"):
        vocabulary.add_language("qqq", like="ru")
    with pytest.raises(ConfigError, match="target language"):
        vocabulary.add_language("ca", like="ast")


@pytest.mark.parametrize("options", [{}, {"model_type": "bpe"}, {"byte_fallback": True, "vocab_size": 370}])
def test_trimmed_vocabulary_encodes_and_decodes_alike(tmp_path, options):
    vocabulary = Vocabulary.from_sentencepiece(train_model(tmp_path, **options))
    dictionary, full = vocabulary.dictionary, vocabulary.tokens
    texts = [(TEXTS[0], "en"), (TEXTS[1], "it"), (TEXTS[7], "en")]
    before = [[full[number] for number in vocabulary.encode(text, language)] for text, language in texts]
    kept = vocabulary.kept_ids(iter(texts), ["cs"])
    assert kept.tolist() == sorted(set(kept.tolist())) and len(kept) < len(full)
    vocabulary.trim(kept)
    assert vocabulary.dictionary is dictionary
    assert vocabulary.tokens == [full[number] for number in kept]
    assert vocabulary.languages == ["cs", "en", "it"]
    assert vocabulary.tokens[-1] == MASK
    # what the texts themselves are made of stays, and other texts of the same characters need no <unk>
    assert [[dictionary[n] for n in vocabulary.encode(text, language)] for text, language in texts] == before
    for text in ("submarine fish", "sono dove sei tu", "Why not?", "bottom snow"):
        ids = vocabulary.encode(text, "en")
        assert vocabulary.unk not in ids
        assert vocabulary.decode(ids) == text
    again = Vocabulary()
    again.load_state_dict(vocabulary.state_dict())
    assert again.encode("submarine snow").tolist() == vocabulary.encode("submarine snow").tolist()


def test_characters_that_trimming_left_out_are_unknown(vocabulary):
    vocabulary.trim(vocabulary.kept_ids([(TEXTS[0], "en")]))
    ids = vocabulary.encode("fish 魚", "en")
    assert (ids == vocabulary.unk).sum() == 1
    assert vocabulary.decode(ids) == "fish  ⁇"


def test_bytes_spell_what_has_no_piece(tmp_path):
    vocabulary = Vocabulary.from_sentencepiece(train_model(tmp_path, byte_fallback=True, vocab_size=370))
    vocabulary.trim(vocabulary.kept_ids([(TEXTS[0], "en")]))
    ids = vocabulary.encode("fish 鯨", "en")
    assert vocabulary.unk not in ids and vocabulary.decode(ids) == "fish 鯨"


@pytest.mark.parametrize("ids", [[0, 1, 2], [3, 2, 1, 0, 7], [0, 1, 2, 3, 9, 9], [0, 1, 2, 3, 10**6], []])
def test_trimming_refuses_other_lists(vocabulary, ids):
    before = vocabulary.fingerprint
    with pytest.raises(ConfigError, match="begin with 0, 1, 2, 3"):
        vocabulary.trim(torch.tensor(ids, dtype=torch.int64))
    assert vocabulary.fingerprint == before


def test_bad_input(vocabulary, tmp_path):
    with pytest.raises(ConfigError, match="readable file"):
        Vocabulary.from_sentencepiece(tmp_path / "none.model")
    (tmp_path / "bad.model").write_bytes(b"not a model")
    with pytest.raises(ConfigError, match=r"bad\.model: `sentencepiece model` must be a whole"):
        Vocabulary.from_sentencepiece(tmp_path / "bad.model")
    with pytest.raises(ConfigError, match="of ISO 639-1"):
        Vocabulary.from_sentencepiece(tmp_path / "bad.model", ["qqq"]) if False else vocabulary.add_language(
            "qqq", "en"
        )
    with pytest.raises(ConfigError, match="begin with <s>"):
        Vocabulary.from_tokens(["a", "b"], b"")
    with pytest.raises(ConfigError, match="repeated"):
        Vocabulary.from_tokens([*SPECIALS, "a", "a"], b"")
    with pytest.raises(ConfigError, match="filled before"):
        Vocabulary().encode("text")
    with pytest.raises(ConfigError, match="without"):
        Vocabulary().load_state_dict({"tokens": torch.zeros(1, dtype=torch.uint8)})
