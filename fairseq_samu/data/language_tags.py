"""Tokens that name a language, ``[en_XX]``, as mBART-50 has them (arXiv:2008.00401)."""

import re
from collections.abc import Iterable, Mapping, Sequence

from fairseq_samu.data.language_codes import MBART50_CODES, canonical_language, from_mbart50, to_mbart50
from fairseq_samu.errors import ConfigError, explain

_TAG = re.compile(r"\[([a-z]{2,3}_[A-Z]{2})\]")


def tag_token(code: str) -> str:
    """Token of a language: mBART-50's where it has one, else one of the same form (``be`` -> ``[be_XX]``).

    Args:
        code: any code that ``canonical_language`` takes.

    Raises:
        ConfigError: when the code is of no language.
    """
    language = canonical_language(code)
    if language is None:
        rule = "a code of ISO 639-1, ISO 639-3 or mBART-50"
        raise ConfigError(explain("", "language", rule, code, "Write it as `en` or `en_XX`."))
    return f"[{to_mbart50(code) or f'{language}_XX'}]"


def order_tags(languages: Sequence[str] | None) -> list[str]:
    """Tokens of languages in the order of mBART-50's vocabulary; languages that it lacks come last, as given.

    Args:
        languages: codes of any kind; None for all 52 of mBART-50.

    Raises:
        ConfigError: when a code is of no language.
    """
    all_tags = [f"[{code}]" for code in MBART50_CODES]
    if languages is None:
        return all_tags
    wanted = list(dict.fromkeys(tag_token(code) for code in languages))
    return [tag for tag in all_tags if tag in wanted] + [tag for tag in wanted if tag not in all_tags]


def find_tags(tokens: Iterable[str]) -> dict[str, int]:
    """Find the tags of a vocabulary.

    Args:
        tokens: all tokens in the order of their ids.

    Returns:
        Canonical language code to id.
    """
    found: dict[str, int] = {}
    for number, token in enumerate(tokens):
        match = _TAG.fullmatch(token)
        language = _language_of(match[1]) if match else None
        if language is not None:
            found.setdefault(language, number)
    return found


def look_up_tag(tags: Mapping[str, int], language: str) -> int:
    """Id of a language's tag.

    Args:
        tags: canonical language code to id.
        language: any code that ``canonical_language`` takes, mBART-50's included.

    Raises:
        ConfigError: when there is no such language, or no tag of it; with all that there are.
    """
    number = tags.get(_language_of(language) or "")
    if number is None:
        rule = f"one that the decoder has a tag of ({', '.join(sorted(tags)) or 'none'})"
        mend = "Write it as `en` or `en_XX`."
        if canonical_language(language):
            mend = f"Training with `--added-languages {language}=RELATIVE` adds a tag that begins as a relative's."
        raise ConfigError(explain("", "target language", rule, language, mend))
    return number


def _language_of(code: str) -> str | None:
    """Canonical code of the language that a tag serves: Filipino is Tagalog's ``tl_XX``."""
    known = to_mbart50(code)
    return from_mbart50(known) if known else canonical_language(code)
