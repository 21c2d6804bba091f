"""Collect the parallel text that the small decoder is pre-trained on, without anything that is held out.

    python parallel_text.py --fillets DATA --output TEXT [--source DEBS] [--packages NAMES] [--languages cs,nl,de]

Pairs of a text and its English come from the catalogues of games, or of other packages, and from the training split of
the prepared Fish Fillets, or of another corpus with texts.tsv. A pair with a side whose words stand in the validation
or test split, in any language, is left out; letter case, punctuation and accents do not count. Writes pairs.tsv
(source, language, text, english) and counts.json.
"""

import argparse
import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from catalogues import GAMES, Pair, read_package

from fairseq_samu.data.corpora.packages import fetch_packages
from fairseq_samu.data.corpora.splits import normalise_for_leaks

FIELDS = ("source", "language", "text", "english")


def main() -> None:
    """Collect, filter, check, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fillets", type=Path, required=True, help="folder of the prepared corpus, with texts.tsv")
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    parser.add_argument("--source", type=Path, help="folder of the Debian packages; downloaded to OUTPUT where absent")
    parser.add_argument("--packages", default=",".join(GAMES), help="Debian packages to read, by commas [games]")
    parser.add_argument("--languages", default="cs,nl,de", help="codes of the languages beside English")
    arguments = parser.parse_args()
    languages = tuple(arguments.languages.split(","))
    packages = arguments.packages.split(",")
    folder = arguments.source or fetch_packages(packages, arguments.output / "packages")
    archives = [path for name in packages for path in sorted(folder.glob(f"{name}_*.deb"))[-1:]]
    texts = read_texts(arguments.fillets / "texts.tsv")
    held_out = find_held_out(texts)
    found = [*pair_texts(texts, languages), *(pair for path in archives for pair in read_package(path, languages))]
    pairs, counts = keep_clean(found, held_out)
    write_pairs(pairs, arguments.output / "pairs.tsv")
    leaks = find_leaks(read_pairs(arguments.output / "pairs.tsv"), held_out)
    if leaks:
        raise SystemExit(f"pairs.tsv holds {len(leaks)} held-out texts, the first: {leaks[0]}")
    counts["packages"] = [path.name for path in archives]
    (arguments.output / "counts.json").write_text(json.dumps(counts, indent=1) + "\n")
    print(json.dumps(counts, indent=1))


def read_texts(path: Path) -> list[dict[str, str]]:
    """Rows of the table of texts of a prepared corpus: parallel_id, lang, text, split."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def find_held_out(texts: Iterable[dict[str, str]]) -> set[str]:
    """Words of all texts, in all languages, that are not for training."""
    return {normalise_for_leaks(row["text"]) for row in texts if row["split"] != "train"} - {""}


def pair_texts(texts: Iterable[dict[str, str]], languages: Iterable[str]) -> Iterator[Pair]:
    """Pairs of the training split of the prepared corpus, named fillets."""
    rows = [row for row in texts if row["split"] == "train"]
    english = {row["parallel_id"]: row["text"] for row in rows if row["lang"] == "en"}
    wanted = set(languages)
    for row in rows:
        if row["lang"] in wanted and row["parallel_id"] in english:
            yield Pair("fillets", row["lang"], row["text"], english[row["parallel_id"]])


def keep_clean(pairs: Iterable[Pair], held_out: set[str]) -> tuple[list[Pair], dict]:
    """Leave out what is held out, and repetitions.

    Args:
        pairs: in the order of preference: of equal pairs the first is kept.
        held_out: words that must not occur, as :func:`find_held_out` gives them.

    Returns:
        The pairs, and counts: pairs by language and source, words of English, pairs left out by reason.
    """
    kept: list[Pair] = []
    seen: set[tuple[str, str, str]] = set()
    dropped: Counter[str] = Counter()
    for pair in pairs:
        words = normalise_for_leaks(pair.text), normalise_for_leaks(pair.english)
        if not held_out.isdisjoint(words):
            dropped["held out"] += 1
        elif (key := (pair.language, *words)) in seen:
            dropped["repeated"] += 1
        else:
            seen.add(key)
            kept.append(pair)
    by_language: dict[str, Counter[str]] = {}
    for pair in kept:
        by_language.setdefault(pair.language, Counter())[pair.source.partition("-")[0]] += 1
    words_of_english = sum(len(pair.english.split()) for pair in kept)
    return kept, {"pairs": by_language, "all": len(kept), "english_words": words_of_english, "left_out": dropped}


def find_leaks(pairs: Iterable[Pair], held_out: set[str]) -> list[str]:
    """Texts of either side whose words are held out."""
    sides = (side for pair in pairs for side in (pair.text, pair.english))
    return [side for side in sides if normalise_for_leaks(side) in held_out]


def write_pairs(pairs: Iterable[Pair], path: Path) -> None:
    """Write the table of pairs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(FIELDS), *("\t".join(pair) for pair in pairs)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_pairs(path: Path) -> list[Pair]:
    """Read what :func:`write_pairs` wrote."""
    lines = path.read_text(encoding="utf-8").split("\n")[1:-1]
    return [Pair(*line.split("\t")) for line in lines]


if __name__ == "__main__":
    main()
