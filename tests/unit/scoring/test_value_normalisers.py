"""Forms that values are compared by."""

import pytest

from fairseq_samu.errors import ConfigError
from fairseq_samu.scoring.value_normalisers import IDENTITY, NORMALISERS, ValueNormaliser, combine_normalisers


@pytest.mark.parametrize(
    ("name", "value", "form"),
    [
        ("identity", "Le  Trois, MAI", "Le Trois, MAI"),
        ("lowercase", "À Paris", "à paris"),
        ("punctuation", "l'hôtel, s'il vous plaît !", "l hôtel s il vous plaît"),
        ("punctuation", "¿qué?", "qué"),
        ("punctuation", "10 €", "10 €"),
        ("accents", "Été à Nîmes", "Ete a Nimes"),
        ("accents", "السَّلام", "السلام"),
        ("accents", "deux", "deux"),
    ],
)
def test_each_rule(name, value, form):
    assert NORMALISERS[name](value) == form


def test_rules_are_applied_in_order_and_named():
    both = combine_normalisers(["accents", "lowercase", "accents"])
    assert both.name == "accents+lowercase"
    assert both("ÉTÉ") == "ete"
    assert combine_normalisers(["identity"]) is IDENTITY


def test_a_rule_of_ones_own_is_a_function_and_a_name():
    def count(value):
        return str(len(value.split()))

    assert ValueNormaliser("words", count)("le trois mai") == "3"


@pytest.mark.parametrize(("names", "value"), [(["lower"], "lower"), ([], "none"), (["identity", "a", "b"], "a, b")])
def test_unknown_rules_are_named(names, value):
    with pytest.raises(ConfigError, match=f"of identity, lowercase, punctuation, accents, but is '{value}'"):
        combine_normalisers(names)
