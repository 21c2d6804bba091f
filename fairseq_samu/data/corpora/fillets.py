"""Fish Fillets NG: a game's dialogues, spoken by actors in Czech and Dutch, with texts in a dozen languages (GPL-2)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fairseq_samu.data.corpora.lua_dialogs import Line, parse_dialogs
from fairseq_samu.data.corpora.names import split_names
from fairseq_samu.data.corpora.packages import fetch_packages, read_document, unpack_packages
from fairseq_samu.data.corpora.recordings import (
    Limits,
    Recording,
    Texts,
    read_files,
    within_limits,
    without_leaks,
    write_recordings,
)
from fairseq_samu.data.corpora.splits import split_by_hash
from fairseq_samu.data.corpora.writer import CorpusWriter, clean_cell
from fairseq_samu.errors import ConfigError, explain

DESCRIPTION = "Fish Fillets game dialogues: Czech and Dutch speech, texts in a dozen languages (Debian packages, GPL-2)"
SPOKEN = ("cs", "nl")
PACKAGES = ("fillets-ng-data", *(f"fillets-ng-data-{lang}" for lang in SPOKEN))
_PLACEHOLDER = re.compile(r"%\d")  # a number that the game fills in, spoken in a recording of its own
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_FILE = re.compile(r"(?:([a-z]+)_)?dialogs_([a-z]{2})\.lua")
# Lines that several levels share lie beside the levels, and their voices in folders of other names.
_SHARED = {"black": "share/blackjokes", "bore": "share/borejokes", "border": "share/border", "shout": "share/border"}

_NOTES = """
# Fish Fillets NG: acted dialogues in Czech and Dutch

From the Debian packages `fillets-ng-data` (texts), `fillets-ng-data-cs` and `fillets-ng-data-nl` (voices). The
recordings are the published Ogg Vorbis files, unchanged. Licence: GPL-2, see `LICENSE.txt`.

- `parallel_id` is `LEVEL/LINE`: rows that share it say the same thing. `tgt_text` is {translations}.
- The speaker is the language and the font of the subtitle, by which the game tells its speakers apart: `small` and
  `big` are the two main voices.
- Split by game level in the order of the SHA-256 of `fillets/LEVEL`: whole levels, the same in both languages, until
  {test:.0%} of the recordings are in the test split and {valid:.0%} in the validation split.
- What stands word for word in a split that must not know it was taken out of training (see `dropped.tsv`), and so were
  subtitles with a placeholder, and those of foreign speech, which hold two scripts.
"""


@dataclass(frozen=True)
class Options:
    """Options of ``prepare fillets``."""

    targets: str = field(
        default="en",
        metadata={"help": "languages of tgt_text, by commas; with several, a row for each one that a recording has"},
    )
    test_share: float = field(default=0.15, metadata={"help": "share of the recordings held out for testing"})
    valid_share: float = field(default=0.05, metadata={"help": "share of the recordings held out for validation"})
    max_seconds: float = field(default=30.0, metadata={"help": "longest recording that is used"})
    max_chars_per_second: float = field(
        default=30.0, metadata={"help": "fastest recording that is used; above it voice and text do not agree"}
    )


def layout(options: Options) -> dict[str, bool]:
    """Say that rows are counted by language pair where there are several targets."""
    return {"pairs": len(set(split_names(options.targets))) > 1}


def prepare(source: Path | None, cache: Path, writer: CorpusWriter, options: Options) -> None:
    """Prepare the dialogues.

    Args:
        source: folder of the Debian packages or of their contents; None downloads them.
        cache: folder for downloads.
        writer: takes the corpus.
        options: see there.

    Raises:
        ConfigError: where packages are missing.
    """
    tree = unpack_packages(source or fetch_packages(PACKAGES, cache), PACKAGES, writer.scratch / "unpacked")
    fonts, texts = _read_texts(tree)
    spoken = list(_pair(tree, fonts, texts, writer))
    if not texts or not spoken:
        missing = PACKAGES[0] if not texts else " or ".join(PACKAGES[1:])
        mend = "Leave --source out to download the packages."
        raise ConfigError(explain("--source", "package", "there", f"no {missing}", mend))
    targets = _check_targets(options.targets, texts)
    recordings = within_limits(writer, spoken, Limits(0.1, options.max_seconds, options.max_chars_per_second))
    splits = _split_levels(recordings, texts, options)
    recordings, texts = without_leaks(writer, recordings, texts, splits)
    write_recordings(writer, recordings, read_files(recordings), texts, splits, ".ogg", targets)
    writer.add_document("LICENSE.txt", read_document(tree, PACKAGES[0], "copyright") or "GPL-2\n")
    papers = [f"{name}\n\n{read_document(tree, name, 'copyright') or ''}" for name in PACKAGES]
    writer.add_document("CREDITS.txt", "\n\n".join(papers))
    translations = "the English original"
    if targets != ["en"]:
        translations = f"its text in {', '.join(targets)}, with a row for each of them that there is"
    shares = {"test": options.test_share, "valid": options.valid_share}
    writer.add_notes(_NOTES.format(translations=translations, **shares))


def _check_targets(wanted: str, texts: Texts) -> list[str]:
    """Split the wanted target languages, each once, and refuse those that the game has no texts in."""
    known = sorted({lang for _, lang in texts})
    targets = list(dict.fromkeys(split_names(wanted)))
    absent = [target for target in targets if target not in known]
    if absent or not targets:
        rule = f"languages of the game's texts ({' '.join(known)}), by commas"
        raise ConfigError(explain("--targets", "language", rule, ", ".join(absent), "Change it."))
    return targets


def _read_texts(tree: Path) -> tuple[dict[str, str], Texts]:
    """Read all dialogues: the font of each item, and its text in each language."""
    fonts: dict[str, str] = {}
    texts: Texts = {}
    for path in sorted(tree.glob("**/script/**/*dialogs_*.lua")):
        match = _FILE.fullmatch(path.name)
        if match is None:
            continue  # a regional variant such as de_CH
        prefix, lang = match.groups()
        level = path.parent.name
        folder = _SHARED.get(prefix or "", f"share/{prefix}") if level == "share" else level
        for line in parse_dialogs(path.read_text(encoding="utf-8", errors="replace")):
            _take(f"{folder}/{line.name}", lang, line, fonts, texts)
    return fonts, {key: text for key, text in texts.items() if text}


def _take(item: str, lang: str, line: Line, fonts: dict[str, str], texts: Texts) -> None:
    fonts.setdefault(item, line.font.removeprefix("font_") or "none")
    texts.setdefault((item, "en"), clean_cell(line.english))
    if lang != "en" and line.text is not None:
        texts.setdefault((item, lang), clean_cell(line.text))


def _pair(tree: Path, fonts: dict[str, str], texts: Texts, writer: CorpusWriter) -> Iterator[Recording]:
    for lang in SPOKEN:
        for path in sorted(tree.glob(f"**/sound/**/{lang}/*.ogg"), key=_item_of):
            item = _item_of(path)
            text = texts.get((item, lang), "")
            if item not in fonts:
                writer.drop(lang, item, "no text")
            elif not text or (item, "en") not in texts:
                writer.drop(lang, item, "empty text")
            elif _PLACEHOLDER.search(text):
                writer.drop(lang, item, "placeholder in the text", text)
            elif _CYRILLIC.search(text):
                writer.drop(lang, item, "two scripts in the text", text)
            else:
                yield Recording(item, lang, text, f"{lang}_{fonts[item]}", path)


def _item_of(path: Path) -> str:
    """``sound/share/border/cs/x.ogg`` is ``share/border/x``."""
    parts = path.parts
    start = len(parts) - 1 - parts[::-1].index("sound")
    return "/".join((*parts[start + 1 : -2], path.stem))


def _level_of(item: str) -> str:
    return item.rpartition("/")[0]


def _split_levels(recordings: Iterable[Recording], texts: Texts, options: Options) -> dict[str, str]:
    sizes: dict[str, int] = {}
    for recording in recordings:
        level = _level_of(recording.item)
        sizes[level] = sizes.get(level, 0) + 1
    total = sum(sizes.values())
    levels = split_by_hash(sizes, round(options.test_share * total), round(options.valid_share * total), "fillets")
    return {item: levels.get(_level_of(item), "train") for item, _ in texts}
