"""What two transcripts are compared by: letters of any script stay, what cannot be heard goes."""

import unicodedata

import pytest

from fairseq_samu.errors import ConfigError
from fairseq_samu.scoring.text_normalisers import TEXT_NORMALISERS, combine_text_normalisers


@pytest.mark.parametrize(
    ("text", "simple"),
    [
        ("Добры дзень, сябры!", "добры дзень сябры"),
        ("Сям’я і сямʼя", "сям'я і сям'я"),
        ("‘Qui?’ — l’home", "qui l'home"),
        ("la col·lecció · COL·LECCIÓ.", "la col·lecció col·lecció"),
        ("într-un oraș (mic)", "într un oraș mic"),
        ("Ｆｕｌｌ １２　ﬁn", "full 12 fin"),
        ("50 % < 7 €", "50 7"),
        ("नमस्ते, दुनिया।", "नमस्ते दुनिया"),
        ("za\u00adpad\u200b a\u0301", "zapad á"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("'' ' · '", ""),
        ("İstanbul", "i̇stanbul"),
    ],
)
def test_basic_form(text, simple):
    rule = TEXT_NORMALISERS["basic"]
    assert rule(text) == simple
    assert rule(simple) == simple, "a form of a form is itself"
    assert rule(unicodedata.normalize("NFD", text)) == simple


def test_the_other_forms():
    text = "Él  dijo:\tSÍ"
    forms = {name: rule(text) for name, rule in TEXT_NORMALISERS.items()}
    assert forms == {
        "none": "Él dijo: SÍ",
        "lower": "él dijo: sí",
        "basic": "él dijo sí",
        "punctuation": "Él dijo SÍ",
        "accents": "El dijo: SI",
    }
    assert combine_text_normalisers(["basic", "accents"])(text) == "el dijo si"
    assert combine_text_normalisers(["basic", "accents"]).name == "basic+accents"


def test_unknown_names_are_refused():
    with pytest.raises(ConfigError) as caught:
        combine_text_normalisers(["lower", "whisper"])
    assert "`text normaliser` must be of none, lower, basic, punctuation, accents, but is 'whisper'" in str(
        caught.value
    )
    assert "RecognitionPlan" in str(caught.value)
