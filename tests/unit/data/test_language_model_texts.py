"""Texts for a language model: the host reads back the decoder's own tokens, with its own numbers."""

import pytest

pytest.importorskip("fairseq", reason="the host reads what is written")
pytest.importorskip("sentencepiece", reason="the texts are pieces")

from fairseq.data import Dictionary, data_utils

from fairseq_samu.data.language_model_texts import read_tagged_texts, write_dictionary, write_token_lines
from fairseq_samu.data.manifest import write_manifest
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import ConfigError, ManifestError
from tests.unit.tiny_sentencepiece import train_model

ROWS = [
    {"id": "1", "audio": "a.wav", "n_frames": 9, "src_text": "where is  it", "src_lang": "en", "tgt_text": "kde"},
    {"id": "2", "audio": "b.wav", "n_frames": 9, "src_text": "velká ryba", "src_lang": "cs", "tgt_text": "big"},
    {"id": "3", "audio": "c.wav", "n_frames": 9, "src_text": "where is it", "src_lang": "en", "tgt_text": "kde"},
]


@pytest.fixture
def vocabulary(tmp_path):
    return Vocabulary.from_sentencepiece(train_model(tmp_path), ["en", "cs"])


@pytest.fixture
def manifest(tmp_path):
    write_manifest(tmp_path / "train.tsv", ROWS, list(ROWS[0]))
    return tmp_path / "train.tsv"


def test_the_host_reads_what_the_decoder_writes(vocabulary, manifest, tmp_path):
    texts = read_tagged_texts([manifest], "train")
    assert texts == [("where is it", "en"), ("velká ryba", "cs")]
    write_dictionary(vocabulary, tmp_path)
    total = write_token_lines(vocabulary, texts, tmp_path, "train")
    dictionary = Dictionary.load(str(tmp_path / "dict.txt"))
    assert dictionary.symbols == vocabulary.tokens
    dataset = data_utils.load_indexed_dataset(str(tmp_path / "train"), dictionary, None)
    lines = [dataset[index].tolist() for index in range(len(dataset))]
    assert lines == [vocabulary.encode(text, code).tolist() for text, code in texts]
    assert [line[0] for line in lines] == [vocabulary.tag("en"), vocabulary.tag("cs")]
    assert total == sum(map(len, lines))
    assert not list(tmp_path.glob(".*"))


def test_columns_languages_and_plain_texts(manifest, tmp_path):
    plain = tmp_path / "more.txt"
    plain.write_text("one\n\ntwo\none\n", "utf-8")
    assert read_tagged_texts([manifest, plain], "train", "tgt_text", "be") == [
        ("kde", "be"),
        ("big", "be"),
        ("one", "be"),
        ("two", "be"),
    ]
    assert read_tagged_texts([manifest], "train", languages=["cs_CZ"]) == [("velká ryba", "cs")]


def test_tables_of_texts_give_the_rows_of_their_split(tmp_path):
    rows = [("a", "en", "train"), ("b", "en", "valid"), ("c", "ru", "train")]
    table = tmp_path / "texts.tsv"
    table.write_text("text\tlang\tsplit\n" + "".join("\t".join(row) + "\n" for row in rows), "utf-8")
    assert read_tagged_texts([table], "train") == [("a", "en"), ("c", "ru")]
    assert read_tagged_texts([table], "valid") == [("b", "en")]


def test_what_cannot_be_read_is_named(manifest, tmp_path):
    plain = tmp_path / "more.txt"
    plain.write_text("one\n", "utf-8")
    with pytest.raises(ConfigError, match="--language"):
        read_tagged_texts([plain], "train")
    with pytest.raises(ManifestError, match="tgt_lang"):
        read_tagged_texts([manifest], "train", "tgt_text")
    nameless = tmp_path / "more.tsv"
    write_manifest(nameless, [ROWS[0], {**ROWS[1], "src_lang": ""}], list(ROWS[0]))
    with pytest.raises(ManifestError, match=r"more\.tsv:3"):
        read_tagged_texts([nameless], "train")
    with pytest.raises(ConfigError, match="`texts of train` must be there"):
        read_tagged_texts([manifest], "train", languages=["fr"])
    with pytest.raises(ConfigError, match="xx-nothing"):
        read_tagged_texts([plain], "train", language="xx-nothing")
    held_out = manifest.rename(tmp_path / "test.tsv")
    with pytest.raises(ConfigError, match="of no evaluation split"):
        read_tagged_texts([held_out], "train")
    assert len(read_tagged_texts([held_out], "valid")) == 2


def test_a_language_without_a_tag_writes_nothing(vocabulary, tmp_path):
    with pytest.raises(ConfigError, match="ru"):
        write_token_lines(vocabulary, [("it", "en"), ("ryba", "ru")], tmp_path, "train")
    assert not list(tmp_path.glob("train*"))


def test_another_dictionary_is_kept_but_by_force(vocabulary, tmp_path):
    path = tmp_path / "dict.txt"
    path.write_text("some 1\nthing 1\n", "utf-8")
    with pytest.raises(ConfigError, match="of the decoder's tokens"):
        write_dictionary(vocabulary, tmp_path)
    assert path.read_text("utf-8") == "some 1\nthing 1\n"
    write_dictionary(vocabulary, tmp_path, force=True)
    before = path.read_bytes()
    write_dictionary(vocabulary, tmp_path)
    assert path.read_bytes() == before


def test_tokens_that_the_host_would_split_are_refused(tmp_path):
    model = train_model(tmp_path).read_bytes()
    broken = Vocabulary.from_tokens(["<s>", "<pad>", "</s>", "<unk>", "one", "t\rwo", "[en_XX]", "<mask>"], model)
    with pytest.raises(ConfigError, match="readable by the host"):
        write_dictionary(broken, tmp_path)
    assert not (tmp_path / "dict.txt").exists()
    assert not list(tmp_path.glob(".*"))
