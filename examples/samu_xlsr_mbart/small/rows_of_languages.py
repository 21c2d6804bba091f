"""Manifests of one spoken language each: train_cs.tsv, valid_cs.tsv, test_cs.tsv ... beside train.tsv and the others.

python rows_of_languages.py --data DATA --languages cs,nl
"""

import argparse
from pathlib import Path

SPLITS = ("train", "test", "valid")


def main() -> None:
    """Write the manifests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the manifests")
    parser.add_argument("--languages", required=True, help="codes of src_lang, by commas")
    arguments = parser.parse_args()
    for split in SPLITS:
        lines = (arguments.data / f"{split}.tsv").read_text(encoding="utf-8").split("\n")
        for language in arguments.languages.split(","):
            kept = keep_language(lines, language)
            (arguments.data / f"{split}_{language}.tsv").write_text("\n".join(kept) + "\n", encoding="utf-8")


def keep_language(lines: list[str], language: str) -> list[str]:
    """Header and rows of a language.

    Args:
        lines: of a manifest.
        language: code of src_lang.
    """
    place = lines[0].split("\t").index("src_lang")
    return [lines[0], *(line for line in lines[1:] if line and line.split("\t")[place] == language)]


if __name__ == "__main__":
    main()
