"""Manifests of text pairs for the MT task: the languages that are spoken, into every target, through equal English.

    python text_pairs.py --data DATA --pairs pairs.tsv --sources cs,nl --targets en,fr,it,es,de --output OUTPUT

pairs.tsv is what examples/samu_xlsr_mbart/small/parallel_text.py writes (source, language, text, english; without the
texts of the validation and test levels). Texts of a package with the same English are each other's translation: every
text of a source language is paired with the first one of every target. Writes OUTPUT/train.tsv (the pairs of Fish
Fillets), OUTPUT/valid.tsv (the validation rows of DATA without their recordings), OUTPUT/games/train.tsv (the others)
and OUTPUT/counts.json.
"""

import argparse
import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fairseq_samu.data.manifest import read_manifest, write_manifest

COLUMNS = ("id", "src_text", "src_lang", "tgt_text", "tgt_lang")
CORPUS = "fillets"


class Text(NamedTuple):
    """A line of pairs.tsv.

    Attributes:
        source: package or corpus.
        language: ISO code.
        text: in that language.
        english: the same in English.
    """

    source: str
    language: str
    text: str
    english: str


def main() -> None:
    """Write the manifests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared speech, with valid.tsv")
    parser.add_argument("--pairs", type=Path, required=True, help="table of texts and their English")
    parser.add_argument("--sources", required=True, help="codes of the source languages, by commas")
    parser.add_argument("--targets", required=True, help="codes of the target languages, by commas")
    parser.add_argument("--max-words", type=int, default=24, help="leave longer texts of games out [%(default)s]")
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    arguments = parser.parse_args()
    texts = read_texts(arguments.pairs)
    pairs = list(pair_texts(texts, arguments.sources.split(","), arguments.targets.split(",")))
    parts = {
        "train.tsv": [row for row in pairs if row["id"].startswith(f"{CORPUS}/")],
        "games/train.tsv": [
            row for row in pairs if not row["id"].startswith(f"{CORPUS}/") and is_short(row, arguments.max_words)
        ],
        "valid.tsv": take_texts(arguments.data / "valid.tsv"),
    }
    counts = {}
    for name, rows in parts.items():
        (arguments.output / name).parent.mkdir(parents=True, exist_ok=True)
        write_manifest(arguments.output / name, rows, COLUMNS)
        counts[name] = {"rows": len(rows), **Counter(f"{row['src_lang']}-{row['tgt_lang']}" for row in rows)}
    (arguments.output / "counts.json").write_text(json.dumps(counts, indent=1) + "\n")
    print(json.dumps(counts, indent=1))


def read_texts(path: Path) -> list[Text]:
    """Lines of pairs.tsv."""
    with path.open(encoding="utf-8", newline="") as file:
        return [Text(**row) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


def pair_texts(texts: Iterable[Text], sources: Sequence[str], targets: Sequence[str]) -> Iterator[dict[str, str]]:
    """Pair the texts of a package that have the same English.

    Args:
        texts: with their English.
        sources: languages to translate from.
        targets: languages to translate into; English is one of the texts' own.

    Yields:
        Different rows of a manifest; ``id`` begins with the package.
    """
    by_english: dict[tuple[str, str], dict[str, dict[str, None]]] = {}
    for text in texts:
        languages = by_english.setdefault((text.source, text.english), {"en": {text.english: None}})
        languages.setdefault(text.language, {})[text.text] = None
    seen = set()
    for (package, _), languages in by_english.items():
        for source in sources:
            for text in languages.get(source, ()):
                for target in targets:
                    translation = next(iter(languages.get(target, ())), "")
                    row = (text, source, translation, target)
                    if translation and target != source and row not in seen:
                        seen.add(row)
                        yield dict(zip(COLUMNS, (f"{package}/{len(seen)}", *row), strict=True))


def is_short(row: dict[str, str], max_words: int) -> bool:
    """Whether both sides have at most so many words."""
    return all(len(row[side].split()) <= max_words for side in ("src_text", "tgt_text"))


def take_texts(manifest: Path) -> list[dict[str, str]]:
    """Rows of a manifest of speech without their recordings."""
    return [{name: getattr(row, name) or "" for name in COLUMNS} for row in read_manifest(manifest)]


if __name__ == "__main__":
    main()
