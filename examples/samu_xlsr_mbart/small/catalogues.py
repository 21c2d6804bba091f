"""Message catalogues (gettext, .mo) of Debian packages: pairs of a translation and its English original."""

import gettext
import io
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_CAMPAIGNS = "did dm dw ei httt l low nr sof sota sotbe thot trow tsg ttb utbs"
GAMES = (
    "freedroidrpg-data",
    "widelands-data",
    "wesnoth-1.16-data",
    *(f"wesnoth-1.16-{name}" for name in _CAMPAIGNS.split()),
)
"""Games whose catalogues hold mostly dialogue and stories (GPL-2 or later, their own files say more): about 0.9 GB."""

_LANGUAGE = re.compile(r"/([a-z]{2,3}(?:_[A-Z]{2})?)/LC_MESSAGES/[^/]+\.mo$")
_CONTEXT = re.compile(r"^[\w+:,. -]*\^")
_MARKUP = re.compile(r"<[^<>\n]{1,80}>|\[/?[a-z]+(?:=[^\]]*)?\]|~")  # ~ stands before the key of a menu's entry
_PLACEHOLDER = re.compile(r"%[\w(]|%\d|\$[\w(]|[{}|\\@_=#]|://|\.(?:cfg|lua|wml)\b")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "`": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "…": "..."})
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[^\W\d_])")
_MAX_WORDS = 40
_MAX_LETTERS = 400
_LONG = 24


class Pair(NamedTuple):
    """A text and its English.

    Attributes:
        source: package or corpus.
        language: ISO code of the text.
        text: in that language.
        english: the same in English.
    """

    source: str
    language: str
    text: str
    english: str


def read_package(archive: Path, languages: tuple[str, ...]) -> Iterator[Pair]:
    """Read the catalogues of a package without unpacking the rest of it.

    Args:
        archive: the .deb file.
        languages: codes as the catalogues' folders have them.

    Yields:
        Cleaned pairs.

    Raises:
        subprocess.CalledProcessError: when dpkg-deb cannot read the file.
    """
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    name = archive.name.partition("_")[0]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process, _open_tar(process) as tar:
        for member in tar:
            found = _LANGUAGE.search(member.name)
            if not found or found[1] not in languages or not member.isfile():
                continue
            contents = tar.extractfile(member)
            if contents is not None:
                yield from read_catalogue(contents.read(), name, found[1])
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def _open_tar(process: subprocess.Popen[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=process.stdout, mode="r|")


def read_catalogue(contents: bytes, source: str, language: str) -> Iterator[Pair]:
    """Read the messages of a .mo file.

    Args:
        contents: of the file.
        source: package that it is from.
        language: ISO code of the translations.

    Yields:
        Cleaned pairs, one a paragraph or sentence.
    """
    catalogue = gettext.GNUTranslations(io.BytesIO(contents))
    for key, translation in catalogue._catalog.items():  # type: ignore[attr-defined]  # the only way to list them
        message = key[0] if isinstance(key, tuple) else key
        english = _CONTEXT.sub("", message.rpartition("\4")[2])
        for left, right in align(translation, english):
            if is_clean(left, right):
                yield Pair(source, language, left, right)


def align(text: str, english: str) -> Iterator[tuple[str, str]]:
    """Cut a message into its paragraphs, and long paragraphs into sentences, where both sides have as many.

    Args:
        text: translation.
        english: original.

    Yields:
        Pairs of texts, markup removed, quotation marks and white space made plain.
    """
    pairs = [(text, english)]
    for cut in (str.splitlines, _sentences):
        pairs = [part for left, right in pairs for part in _cut_alike(left, right, cut)]
    yield from pairs


def _cut_alike(text: str, english: str, cut) -> list[tuple[str, str]]:
    sides = [[part for part in map(_plain, cut(side)) if part] for side in (text, english)]
    if len(sides[0]) == len(sides[1]):
        return list(zip(*sides, strict=True))
    return [(_plain(text), _plain(english))]


def _sentences(text: str) -> list[str]:
    return _SENTENCE_END.split(text) if len(text.split()) > _LONG else [text]


def _plain(text: str) -> str:
    return " ".join(_MARKUP.sub("", text).translate(_QUOTES).split())


def is_clean(text: str, english: str) -> bool:
    """Whether two texts can be each other's translation, and are language rather than a program's."""
    if text.casefold() == english.casefold() or _PLACEHOLDER.search(text) or _PLACEHOLDER.search(english):
        return False
    letters = [sum(char.isalpha() for char in side) for side in (text, english)]
    shares = [count / max(1, len(side)) for count, side in zip(letters, (text, english), strict=True)]
    words = max(len(text.split()), len(english.split()))
    if min(letters) < 2 or min(shares) < 0.6 or max(letters) > _MAX_LETTERS or words > _MAX_WORDS:
        return False
    shorter, longer = sorted(letters)
    return longer <= 2 * shorter + 10
