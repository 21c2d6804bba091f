"""Lines that the small decoder is pre-trained on, and what its folder is read as."""

import numpy as np
import pytest

pytest.importorskip("sentencepiece")


@pytest.fixture
def pairs(recipe):
    catalogues = recipe("catalogues")
    english = [
        f"The {beast} number {count} sees the {thing}."
        for count in range(9)
        for beast, thing in [("fish", "sea"), ("cat", "bird")]
    ]
    return [catalogues.Pair("game", "nl", text.replace("The", "De").replace("sees", "ziet"), text) for text in english]


@pytest.fixture
def vocabulary(recipe, pairs, tmp_path):
    from fairseq_samu.data.vocabulary import Vocabulary

    model = tmp_path / "sentencepiece.model"
    model.write_bytes(recipe("pretraining_rows").train_sentencepiece(pairs, 32))
    return Vocabulary.from_sentencepiece(model, ["en", "nl"])


def test_lines_begin_with_the_tag_of_their_language(recipe, pairs, vocabulary):
    rows = list(recipe("pretraining_rows").translate_rows(vocabulary, pairs, {}))
    assert len(rows) == len(pairs)
    for pair, (source, target) in zip(pairs, rows, strict=True):
        assert source.split()[0] == "[nl_XX]"
        assert target.split()[0] == "[en_XX]"
        assert vocabulary.decode_pieces(source) == pair.text
        assert vocabulary.decode_pieces(target) == pair.english
        assert set(source.split()) <= set(vocabulary.tokens)


@pytest.mark.parametrize(("repeats", "times"), [({"nl": 2}, 2), ({"game": 3, "nl": 2}, 3), ({"cs": 4}, 1)])
def test_rare_texts_are_repeated(recipe, pairs, vocabulary, repeats, times):
    rows = list(recipe("pretraining_rows").translate_rows(vocabulary, pairs, repeats))
    assert len(rows) == times * len(pairs)
    assert len(set(rows)) == len(pairs)


def test_denoising_gives_back_the_whole_text(recipe, pairs, vocabulary):
    texts = ["The fish sees the sea.", "No."]
    rows = list(recipe("pretraining_rows").denoise_rows(vocabulary, texts, "en", np.random.default_rng(1)))
    assert len(rows) == 1, "two words or fewer are nothing to mask"
    source, target = rows[0]
    assert vocabulary.decode_pieces(target) == texts[0]
    assert source.split()[0] == "[en_XX]"
    assert "<mask>" in source.split()
    assert len(vocabulary.decode_pieces(source)) < len(texts[0])


def test_the_host_reads_the_dictionary_as_the_vocabulary(recipe, pairs, vocabulary, tmp_path):
    from fairseq.data import Dictionary

    path = tmp_path / "dict.txt"
    recipe("pretraining_rows").write_dictionary(vocabulary, path)
    assert Dictionary.load(str(path)).symbols == vocabulary.tokens


def test_the_architecture_is_one_that_the_package_reads(recipe):
    from argparse import Namespace

    args = Namespace()
    recipe("mbart_small").mbart_small_architecture(args)
    for side in ("encoder", "decoder"):
        assert getattr(args, f"{side}_normalize_before") is True
        assert getattr(args, f"{side}_learned_pos") is True
        assert getattr(args, f"{side}_embed_dim") == 512
    assert args.layernorm_embedding is True and args.share_all_embeddings is True
    assert (args.encoder_layers, args.decoder_layers, args.decoder_ffn_embed_dim) == (3, 4, 2048)


@pytest.fixture
def decoder(recipe, vocabulary, tmp_path):
    """Folder of a text model, as far as its vocabulary goes."""
    folder = tmp_path / "decoder"
    folder.mkdir()
    (folder / "sentence.bpe.model").write_bytes(vocabulary.sentencepiece)
    recipe("pretraining_rows").write_dictionary(vocabulary, folder / "dict.txt")
    return folder


def write_test_set(path, language="nl"):
    rows = [f"{i}\ta.zip:{i}:1\t160\tDe fish {i}\t{language}\tThe fish {i}\ten" for i in range(3)]
    path.write_text("\n".join(["id\taudio\tn_frames\tsrc_text\tsrc_lang\ttgt_text\ttgt_lang", *rows]) + "\n")
    return path


def test_lines_to_translate_are_transcripts_or_what_was_recognised(recipe, vocabulary, decoder, tmp_path, monkeypatch):
    program = recipe("text_rows")
    words = ["text_rows.py", "--decoder", str(decoder), "--output", str(tmp_path / "test")]
    words += ["--manifest", str(write_test_set(tmp_path / "test.tsv"))]
    recognised = tmp_path / "asr.out"
    recognised.write_text("D-2\t-1\tDe cat 2\nD-0\t-1\tDe cat 0\nD-1\t-1\t\n")
    for further, expected in (
        ([], ["De fish 0", "De fish 1", "De fish 2"]),
        (["--recognised", str(recognised)], ["De cat 0", "", "De cat 2"]),
    ):
        monkeypatch.setattr("sys.argv", [*words, *further])
        program.main()
        lines = (tmp_path / "test.src").read_text().split("\n")[:-1]
        assert [line.split()[0] for line in lines] == ["[nl_XX]"] * 3
        assert [vocabulary.decode_pieces(line) for line in lines] == expected
        assert (tmp_path / "test.tgt").read_text().count("[en_XX]") == 3


def test_a_language_without_a_tag_is_named(recipe, decoder, tmp_path, monkeypatch):
    manifest = write_test_set(tmp_path / "test.tsv", language="cs")
    words = ["text_rows.py", "--decoder", str(decoder), "--output", str(tmp_path / "test"), "--manifest", str(manifest)]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit, match="knows en, nl, not cs"):
        recipe("text_rows").main()
