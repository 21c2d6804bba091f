"""English names of the languages that speech corpora use most; any other is shown by its code."""

_NAMES = """
ar Arabic, bg Bulgarian, bn Bengali, ca Catalan, cs Czech, cy Welsh, da Danish, de German, el Greek, en English,
es Spanish, et Estonian, eu Basque, fa Persian, fi Finnish, fr French, ga Irish, gl Galician, he Hebrew, hi Hindi,
hr Croatian, hu Hungarian, hy Armenian, id Indonesian, is Icelandic, it Italian, ja Japanese, ka Georgian, kk Kazakh,
ko Korean, lt Lithuanian, lv Latvian, mn Mongolian, mt Maltese, nl Dutch, no Norwegian, pl Polish, pt Portuguese,
ro Romanian, ru Russian, sk Slovak, sl Slovenian, sr Serbian, sv Swedish, sw Swahili, ta Tamil, te Telugu, th Thai,
tr Turkish, uk Ukrainian, ur Urdu, vi Vietnamese, zh Chinese
"""

LANGUAGE_NAMES: dict[str, str] = dict(
    (entry.split()[0], entry.split()[1]) for entry in _NAMES.replace("\n", " ").split(",")
)


def name_language(code: str) -> str:
    """Name a language in English; a tag such as ``en_XX`` goes by its first part, an unknown code stays as it is."""
    return LANGUAGE_NAMES.get(code.split("_")[0].lower(), code)
