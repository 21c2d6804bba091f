"""Lines of tokens of a test set for the text model: transcripts, or what was recognised, to be translated.

    python text_rows.py --decoder DECODER --manifest test.tsv --output STEM [--recognised FILE]

Writes STEM.src and STEM.tgt. What was recognised is the output of fairseq-generate over the manifest; without it the
column src_text is taken.
"""

import argparse
from pathlib import Path

from catalogues import Pair
from pretraining_rows import translate_rows, write_rows

from fairseq_samu.checkpoints.decoder_vocabulary import read_sentencepiece
from fairseq_samu.data.language_tags import find_tags
from fairseq_samu.data.manifest import read_manifest
from fairseq_samu.data.vocabulary import SPECIALS, Vocabulary
from fairseq_samu.scoring.generate_output import order_rows, read_generate_output


def main() -> None:
    """Write the lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decoder", type=Path, required=True, help="folder of the text model")
    parser.add_argument("--manifest", type=Path, required=True, help="test manifest")
    parser.add_argument("--output", type=Path, required=True, help="path without ending")
    parser.add_argument("--recognised", type=Path, help="output of fairseq-generate, to be translated")
    arguments = parser.parse_args()
    rows = list(read_manifest(arguments.manifest))
    texts = [row.src_text for row in rows]
    if arguments.recognised:
        found = read_generate_output([arguments.recognised])
        texts = order_rows(found.hypotheses, len(rows), str(arguments.recognised))
    tokens = (arguments.decoder / "dict.txt").read_text(encoding="utf-8").split("\n")[:-1]
    entries = [line.rpartition(" ")[0] for line in tokens]
    vocabulary = Vocabulary.from_tokens([*SPECIALS, *entries], read_sentencepiece(arguments.decoder))
    known = find_tags(vocabulary.tokens)
    unknown = {row.src_lang for row in rows} - set(known)
    if unknown:
        raise SystemExit(f"{arguments.manifest}: the text model knows {', '.join(known)}, not {', '.join(unknown)}")
    pairs = [Pair("test", row.src_lang, text, row.tgt_text) for row, text in zip(rows, texts, strict=True)]
    write_rows(translate_rows(vocabulary, pairs, {}), arguments.output)


if __name__ == "__main__":
    main()
