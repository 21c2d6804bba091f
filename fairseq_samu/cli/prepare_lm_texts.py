"""`fairseq-samu prepare lm-texts`: what the host needs to train a language model in a decoder's own tokens."""

import argparse
from pathlib import Path
from typing import Any

from fairseq_samu.data.corpora.names import split_names
from fairseq_samu.errors import ConfigError, explain

DESCRIPTION = (
    "Write dict.txt, train and valid for `fairseq-train --task language_modeling --sample-break-mode complete`: texts "
    "in the tokens of a decoder, each behind the tag of its language. (The host's mode `eos` works with numpy 1 alone; "
    "`complete` begins every block of --tokens-per-sample with a whole text.) The model takes part in decoding by "
    "`fairseq-generate --lm-path FILE --lm-weight W`, which looks for dict.txt in the folder of the manifests: name "
    "that as --data. Training files named test, valid or dev are refused; each text counts once."
)


def add_parser(commands: Any) -> None:
    """Register the command among those of `fairseq-samu prepare`."""
    parser = commands.add_parser("lm-texts", help="encode texts for a language model", description=DESCRIPTION)
    files = "manifests (.tsv), texts.tsv, or plain text, a line a text"
    parser.add_argument("--train", nargs="+", type=Path, required=True, metavar="FILE", help=files)
    parser.add_argument("--valid", nargs="+", type=Path, required=True, metavar="FILE", help=files)
    parser.add_argument("--output", type=Path, required=True, help="folder for dict.txt and the encoded texts")
    parser.add_argument("--checkpoint", type=Path, help="a training checkpoint, whose decoder writes the tokens")
    parser.add_argument("--sentencepiece", type=Path, help="in its place: the pieces of a decoder yet to be trained")
    parser.add_argument(
        "--vocabulary-languages", default="", help="with --sentencepiece: as in training, by commas [mBART-50's]"
    )
    parser.add_argument("--column", default="src_text", help="column of manifests with the texts [%(default)s]")
    parser.add_argument("--language", default="", help="language of plain texts")
    parser.add_argument("--languages", default="", help="languages to keep, by commas; empty: all")
    parser.add_argument("--data", type=Path, help="folder of the manifests to be decoded, which gets dict.txt too")
    parser.add_argument("--force", action="store_true", help="replace a dict.txt of other tokens")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Encode the texts of both sets.

    Args:
        args: as the parser of :func:`add_parser` gives them.

    Returns:
        0.

    Raises:
        SamuError: where files or options do not serve.
    """
    # the host is slow to import, and the list of corpora does without
    from fairseq_samu.data.language_model_texts import read_tagged_texts, write_dictionary, write_token_lines

    vocabulary = _read_vocabulary(args)
    languages = split_names(args.languages)
    texts = {
        split: read_tagged_texts(getattr(args, split), split, args.column, args.language, languages)
        for split in ("train", "valid")
    }
    args.output.mkdir(parents=True, exist_ok=True)
    for folder in (args.output, args.data):
        if folder is not None:
            print(write_dictionary(vocabulary, folder, args.force))
    for split, rows in texts.items():
        tokens = write_token_lines(vocabulary, rows, args.output, split)
        print(f"{split}: {len(rows):,} texts, {tokens:,} tokens of {len(vocabulary):,}")
    return 0


def _read_vocabulary(args: argparse.Namespace) -> Any:
    """The vocabulary that a decoder has or will have."""
    from fairseq_samu.checkpoints.trained_translator import read_trained_translator
    from fairseq_samu.data.vocabulary import Vocabulary

    if bool(args.checkpoint) == bool(args.sentencepiece):
        given = "both" if args.checkpoint else "neither"
        mend = "Name the decoder's checkpoint, or the pieces that it will be trained with."
        raise ConfigError(explain("", "--checkpoint or --sentencepiece", "one of the two", given, mend))
    if args.sentencepiece:
        return Vocabulary.from_sentencepiece(args.sentencepiece, split_names(args.vocabulary_languages) or None)
    vocabulary = Vocabulary()
    vocabulary.load_state_dict(read_trained_translator(args.checkpoint).vocabulary)
    return vocabulary
