"""Lines of tokens for the small decoder's pre-training: translation into English, and denoising.

    python pretraining_rows.py --text TEXT --valid DATA/valid.tsv --output ROWS [--repeat fillets=4,nl=2,cs=2]

Writes sentencepiece.model (where absent), dict.txt, and train.src, train.tgt, valid.src, valid.tgt: each line begins
with the tag of its language, `[cs_CZ]`, and tags and `<mask>` are entries of dict.txt like any other, so that the
host's task `translation` trains on them as it stands.
"""

import argparse
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from catalogues import Pair
from noise import mask_spans
from parallel_text import read_pairs

from fairseq_samu.data.language_tags import tag_token
from fairseq_samu.data.manifest import read_manifest
from fairseq_samu.data.vocabulary import MASK, SPECIALS, Vocabulary

MODEL = "sentencepiece.model"
Row = tuple[str, str]


def main() -> None:
    """Write the model and the lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True, help="folder with pairs.tsv")
    parser.add_argument(
        "--valid", type=Path, required=True, help="manifest whose transcripts are translated to validate"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    parser.add_argument("--repeat", default="", help="copies of a source's or a language's pairs, as nl=2,fillets=4")
    parser.add_argument("--denoise", default="en,cs,nl", help="languages whose texts are denoised as well")
    parser.add_argument("--vocab-size", type=int, default=8000, help="pieces of the SentencePiece model")
    parser.add_argument("--seed", type=int, default=1, help="of the noise")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    pairs = read_pairs(arguments.text / "pairs.tsv")
    model = arguments.output / MODEL
    if not model.exists():
        model.write_bytes(train_sentencepiece(pairs, arguments.vocab_size))
    languages = sorted({pair.language for pair in pairs} | {"en"})
    vocabulary = Vocabulary.from_sentencepiece(model, languages)
    write_dictionary(vocabulary, arguments.output / "dict.txt")
    repeats = {
        name: int(times) for name, _, times in (part.partition("=") for part in arguments.repeat.split(",") if part)
    }
    noise = np.random.default_rng(arguments.seed)
    train = [*translate_rows(vocabulary, pairs, repeats)]
    for language in filter(None, arguments.denoise.split(",")):
        train += denoise_rows(vocabulary, texts_of(pairs, language), language, noise)
    write_rows(train, arguments.output / "train")
    valid = [Pair("valid", row.src_lang, row.src_text, row.tgt_text) for row in read_manifest(arguments.valid)]
    write_rows(translate_rows(vocabulary, valid, {}), arguments.output / "valid")
    print(f"{len(train)} lines to train on, {len(valid)} to validate, {len(vocabulary)} tokens")


def train_sentencepiece(pairs: Iterable[Pair], size: int) -> bytes:
    """Train a model on both sides of the pairs, each different text once.

    Returns:
        Contents of the model file.
    """
    from sentencepiece import SentencePieceTrainer

    texts = dict.fromkeys(side for pair in pairs for side in (pair.text, pair.english))
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        vocab_size=size,
        character_coverage=0.9998,
        minloglevel=1,
        num_threads=2,
    )
    return model.getvalue()


def write_dictionary(vocabulary: Vocabulary, path: Path) -> None:
    """Write the host's dictionary file; the host puts the four marks in front of it."""
    entries = vocabulary.tokens[len(SPECIALS) :]
    path.write_text("".join(f"{entry} 1\n" for entry in entries), encoding="utf-8")


def texts_of(pairs: Iterable[Pair], language: str) -> list[str]:
    """Different texts of a language, in order."""
    if language == "en":
        return list(dict.fromkeys(pair.english for pair in pairs))
    return list(dict.fromkeys(pair.text for pair in pairs if pair.language == language))


def translate_rows(vocabulary: Vocabulary, pairs: Iterable[Pair], repeats: Mapping[str, int]) -> Iterator[Row]:
    """Lines of a text and its English.

    Args:
        vocabulary: encodes both.
        pairs: texts.
        repeats: copies by name of the source and by language; of two that apply the larger holds.
    """
    for pair in pairs:
        row = (encode(vocabulary, pair.text, pair.language), encode(vocabulary, pair.english, "en"))
        for _ in range(max(repeats.get(pair.source, 1), repeats.get(pair.language, 1))):
            yield row


def denoise_rows(
    vocabulary: Vocabulary, texts: Iterable[str], language: str, generator: np.random.Generator
) -> Iterator[Row]:
    """Lines of a text with spans masked, and the whole text."""
    for text in texts:
        words = text.split()
        if len(words) > 2:
            noised = mask_spans(words, generator)
            yield encode_noised(vocabulary, noised, language), encode(vocabulary, text, language)


def encode(vocabulary: Vocabulary, text: str, language: str) -> str:
    """Tag and pieces, without the end, which the host adds."""
    return vocabulary.dictionary.string(vocabulary.encode(text, language)[:-1])


def encode_noised(vocabulary: Vocabulary, words: Iterable[str | None], language: str) -> str:
    """Tag, pieces and masks; None is a mask."""
    pieces = [tag_token(language)]
    for word in words:
        pieces += [MASK] if word is None else [vocabulary.dictionary[int(i)] for i in vocabulary.encode(word)[:-1]]
    return " ".join(pieces)


def write_rows(rows: Iterable[Row], stem: Path) -> None:
    """Write STEM.src and STEM.tgt."""
    with (
        stem.with_suffix(".src").open("w", encoding="utf-8") as left,
        stem.with_suffix(".tgt").open("w", encoding="utf-8") as right,
    ):
        for source, target in rows:
            left.write(source + "\n")
            right.write(target + "\n")


if __name__ == "__main__":
    main()
