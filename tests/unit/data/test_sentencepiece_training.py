import pytest
from sentencepiece import SentencePieceProcessor

from fairseq_samu.data.sentencepiece_training import SentencePieceOptions, collect_texts, train_sentencepiece
from fairseq_samu.errors import ConfigError, ManifestError

TEXTS = [
    *("Ann sees the fish", "Ann has the ship", "Eve sees the ship", "Eve has the fish", "The fish sees Eve"),
    *("The captain knows where the ship was built", "Nobody else does"),
]
MANIFEST = """id\taudio\tn_frames\tsrc_text\tsrc_lang\ttgt_text\ttgt_lang
a>en\ta.wav\t16000\tAhoj světe\tcs\tHello  world\ten
a>fr\ta.wav\t16000\tAhoj světe\tcs\tBonjour\tfr
b>en\tb.wav\t16000\tDag wereld\tnl\tHello world\ten
"""
TABLE = """parallel_id\tlang\ttext\tsplit
a\ten\tHello\ttrain
a\tde\tHallo\ttrain
b\ten\tSecret\ttest
"""


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "train.tsv"
    path.write_text(MANIFEST, encoding="utf-8")
    return path


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "texts.tsv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_manifests_give_their_columns_without_repetitions(manifest):
    assert collect_texts([manifest]) == ["Hello world", "Bonjour"]
    both = collect_texts([manifest], ["src_text", "tgt_text"])
    assert both == ["Ahoj světe", "Hello world", "Bonjour", "Dag wereld"]


def test_languages_are_those_of_each_text(manifest, table):
    assert collect_texts([manifest], ["tgt_text", "src_text"], ["fr_XX", "nl"]) == ["Bonjour", "Dag wereld"]
    assert collect_texts([table], languages=["de"]) == ["Hallo"]


def test_tables_of_texts_give_their_training_rows(table):
    assert collect_texts([table]) == ["Hello", "Hallo"]


def test_plain_text_is_a_text_a_line(tmp_path, manifest):
    path = tmp_path / "more.txt"
    path.write_bytes("\ufeffid\tx\r\n\n ein  Satz\n".encode())
    assert collect_texts([path, manifest]) == ["id x", "ein Satz", "Hello world", "Bonjour"]


@pytest.mark.parametrize("name", ["test.tsv", "valid.tsv", "covost_v2.fr_en.dev.tsv", "news.Test.en", "eval-en.txt"])
def test_evaluation_splits_are_refused_by_their_names(tmp_path, name):
    with pytest.raises(ConfigError, match="no evaluation split, but is '.*" + name):
        collect_texts([tmp_path / "train.tsv", tmp_path / name])


@pytest.mark.parametrize("name", ["latest.txt", "contest.tsv", "development_of_fish.txt"])
def test_names_that_only_contain_such_a_word_are_read(tmp_path, name):
    (tmp_path / name).write_text("id\ttgt_text\na\tHello\n" if name.endswith("tsv") else "Hello\n")
    assert collect_texts([tmp_path / name]) == ["Hello"]


def test_columns_and_languages_must_be_there(tmp_path, manifest):
    with pytest.raises(ManifestError, match="`other` must be in the header"):
        collect_texts([manifest], ["other"])
    with pytest.raises(ConfigError, match="known code, but is 'xq'"):
        collect_texts([manifest], languages=["xq"])
    with pytest.raises(ConfigError, match="there to train on, but is 'none'"):
        collect_texts([manifest], languages=["de"])
    bare = tmp_path / "bare.tsv"
    bare.write_text("id\ttgt_text\na\tHello\n")
    with pytest.raises(ManifestError, match="`tgt_lang` must be in the header"):
        collect_texts([bare], languages=["en"])
    bare.with_suffix(".txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(ManifestError, match="byte 3 is not"):
        collect_texts([bare.with_suffix(".txt")])


@pytest.mark.parametrize(("model_type", "size"), [("unigram", 32), ("bpe", 40), ("char", 40)])
def test_models_are_equal_for_equal_texts_and_read_them_back(model_type, size):
    model = train_sentencepiece(TEXTS, SentencePieceOptions(size, model_type))
    assert model == train_sentencepiece(TEXTS, SentencePieceOptions(size, model_type))
    processor = SentencePieceProcessor(model_proto=model)
    characters = len(set("".join(TEXTS)))  # the mark of a word's start stands for the space
    assert len(processor) == (3 + characters if model_type == "char" else size)
    for text in TEXTS:
        assert processor.decode(processor.encode(text)) == text
        assert processor.unk_id() not in processor.encode(text)


def test_long_texts_are_not_left_out():
    processor = SentencePieceProcessor(model_proto=train_sentencepiece(["ab" * 4000], SentencePieceOptions(8, "bpe")))
    assert "ab" in "".join(processor.id_to_piece(i) for i in range(len(processor)))


@pytest.mark.parametrize(
    ("model_type", "size", "rule"),
    [
        ("unigram", 5000, r"at most \d\d for these texts, but is '5000'"),
        ("unigram", 5, r"at least 2\d for the characters of these texts, but is '5'"),
        ("bpe", 5, r"at least 2\d for the characters"),
    ],
)
def test_sizes_that_do_not_fit_the_texts_are_named(model_type, size, rule):
    with pytest.raises(ConfigError, match=rule):
        train_sentencepiece(TEXTS, SentencePieceOptions(size, model_type))


@pytest.mark.parametrize("options", [{"size": 3}, {"model_type": "word"}])
def test_options_are_checked(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        SentencePieceOptions(**options)
