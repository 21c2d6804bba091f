"""The stamps of Tux Paint: volunteers describe pictures in six languages, with texts in dozens (GPL-2)."""

import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fairseq_samu.data.corpora.names import split_names
from fairseq_samu.data.corpora.packages import fetch_packages, read_document, unpack_packages
from fairseq_samu.data.corpora.recordings import (
    Limits,
    Recording,
    Texts,
    measure_seconds,
    read_files,
    within_limits,
    without_leaks,
    write_recordings,
)
from fairseq_samu.data.corpora.splits import group_by_text, normalise_for_leaks, split_by_hash
from fairseq_samu.data.corpora.writer import CorpusWriter, clean_cell
from fairseq_samu.errors import ConfigError, explain

DESCRIPTION = "Tux Paint picture descriptions: fr es ro ca ru be speech, texts in dozens of languages (GPL-2)"
PACKAGES = ("tuxpaint-stamps-default",)
_SPEECH = re.compile(r"(.+)_desc_([a-z]{2})\.ogg")
_TRANSLATION = re.compile(r"([A-Za-z_@]+)\.utf8=(.*)")

_NOTES = """
# Tux Paint stamps: spoken descriptions of pictures

From the Debian package `tuxpaint-stamps-default`. The recordings are the published Ogg Vorbis files, unchanged.
Licence: GPL-2, see `LICENSE.txt`.

- `parallel_id` is the path of the stamp: rows that share it describe the same picture. `tgt_text` is the English text.
- The package does not name its speakers: `speaker` is `tuxpaint_LANG`, and may stand for several people.
- Stamps that share a text in any language go together. In the order of the SHA-256 of `tuxpaint/STAMP`, such groups
  fill the test split up to {test:.0%} of the stamps, then the validation split up to {valid:.0%}; the rest is training.
- `symbols/` (numbers, letters, signs) is left out, because voice and text differ there, and so are recordings that are
  spoken faster than {fast:g} characters a second or than {pace:g} times the middle pace of their language: their voice
  and text differ too.
"""


@dataclass(frozen=True)
class Options:
    """Options of ``prepare tuxpaint``."""

    languages: str = field(default="fr,es,ro,ca,ru,be", metadata={"help": "languages of the speech, by commas"})
    test_share: float = field(default=0.15, metadata={"help": "share of the stamps held out for testing"})
    valid_share: float = field(default=0.05, metadata={"help": "share of the stamps held out for validation"})
    max_seconds: float = field(default=30.0, metadata={"help": "longest recording that is used"})
    max_chars_per_second: float = field(
        default=25.0, metadata={"help": "fastest recording that is used; above it voice and text do not agree"}
    )
    max_pace: float = field(
        default=2.25, metadata={"help": "fastest recording that is used, as a multiple of its language's median pace"}
    )


def prepare(source: Path | None, cache: Path, writer: CorpusWriter, options: Options) -> None:
    """Prepare the descriptions.

    Args:
        source: folder of the Debian package or of its contents; None downloads it.
        cache: folder for downloads.
        writer: takes the corpus.
        options: see there.

    Raises:
        ConfigError: where the package is missing.
    """
    tree = unpack_packages(source or fetch_packages(PACKAGES, cache), PACKAGES, writer.scratch / "unpacked")
    stamps = next(iter(sorted(path for path in tree.glob("**/stamps") if path.is_dir())), None)
    if stamps is None:
        mend = "Leave --source out to download the package."
        raise ConfigError(explain("--source", "package", "there", f"no {PACKAGES[0]}", mend))
    texts = _read_texts(stamps)
    recordings: list[Recording] = []
    for lang in split_names(options.languages):
        spoken = list(_pair(stamps, lang, texts, writer))
        pace = min(options.max_chars_per_second, options.max_pace * _median_pace(spoken))
        recordings += within_limits(writer, spoken, Limits(0.1, options.max_seconds, round(pace, 1)))
    splits = _split_stamps(texts, options)
    recordings, texts = without_leaks(writer, recordings, texts, splits)
    write_recordings(writer, recordings, read_files(recordings), texts, splits, ".ogg")
    licence = read_document(tree, PACKAGES[0], "copyright") or "GPL-2\n"
    writer.add_document("LICENSE.txt", licence)
    writer.add_document("CREDITS.txt", f"Tux Paint stamps by the Tux Paint project and its volunteers.\n\n{licence}")
    shares = {"test": options.test_share, "valid": options.valid_share}
    writer.add_notes(_NOTES.format(fast=options.max_chars_per_second, pace=options.max_pace, **shares))


def _read_texts(stamps: Path) -> Texts:
    """Read ``STAMP.txt``: the English text in the first line, then ``LANGUAGE.utf8=TEXT`` lines."""
    texts: Texts = {}
    for path in sorted(stamps.glob("**/*.txt")):
        item = path.relative_to(stamps).with_suffix("").as_posix()
        if item.startswith("symbols/"):
            continue
        english, *lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines() or [""]
        found = {match[1]: match[2] for match in map(_TRANSLATION.fullmatch, lines) if match}
        # A plain code before its regional variants; a variant (pt_BR, zh_TW) serves where the plain code is absent.
        for code in sorted(found, key=lambda code: (len(code) > 2, code)):
            lang, _, variant = re.sub("[_@]", " ", code).partition(" ")
            if len(lang) == 2 and (not variant or code[2] == "_"):
                texts.setdefault((item, lang), clean_cell(found[code]))
        texts[item, "en"] = clean_cell(english)
    return {key: text for key, text in texts.items() if text}


def _pair(stamps: Path, lang: str, texts: Texts, writer: CorpusWriter) -> Iterator[Recording]:
    for path in sorted(stamps.glob(f"**/*_desc_{lang}.ogg")):
        match = _SPEECH.fullmatch(path.relative_to(stamps).as_posix())
        item = match[1] if match else path.stem
        if item.startswith("symbols/"):
            writer.drop(lang, item, "symbol")
        elif (item, lang) not in texts or (item, "en") not in texts:
            writer.drop(lang, item, "no text")
        else:
            yield Recording(item, lang, texts[item, lang], f"tuxpaint_{lang}", path)


def _median_pace(recordings: Sequence[Recording]) -> float:
    """Middle of the characters a second; recordings that cannot be opened are named later."""
    paces = []
    for recording in recordings:
        try:
            paces.append(len(normalise_for_leaks(recording.text)) / max(measure_seconds(recording.path), 0.1))
        except (OSError, RuntimeError):
            continue
    return statistics.median(paces) if paces else float("inf")


def _split_stamps(texts: Texts, options: Options) -> dict[str, str]:
    group = group_by_text((item, text) for (item, _), text in sorted(texts.items()))
    sizes: dict[str, int] = {}
    for head in group.values():
        sizes[head] = sizes.get(head, 0) + 1
    test, valid = round(options.test_share * len(group)), round(options.valid_share * len(group))
    heads = split_by_hash(sizes, test, valid, "tuxpaint")
    return {item: heads[head] for item, head in group.items()}
