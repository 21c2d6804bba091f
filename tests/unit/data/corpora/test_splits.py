import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairseq_samu.data.corpora.splits import (
    find_leaks,
    group_by_text,
    hash_order,
    normalise_for_leaks,
    require_no_leaks,
    split_by_hash,
    text_key,
)
from fairseq_samu.errors import ManifestError


@pytest.mark.parametrize(
    "text, normal",
    [
        ("Please, try  again!", "please try again"),
        ("Menú principal", "menu principal"),
        ("«Ёлка» — это", "елка это"),
        ("straße", "strasse"),
        ("10 %", "10"),
        ("हिन्दी भाषा", "हिन्दी भाषा"),
        ("...", ""),
        ("", ""),
    ],
)
def test_normal_form_ignores_case_punctuation_and_accents(text, normal):
    assert normalise_for_leaks(text) == normal


@given(st.text())
def test_normal_form_is_that_of_a_loop_over_characters(text):
    kept = ""
    for char in unicodedata.normalize("NFKD", text).casefold():
        if not 0x300 <= ord(char) < 0x370:
            kept += char if unicodedata.category(char)[0] in "LMN" else " "
    assert normalise_for_leaks(text) == " ".join(unicodedata.normalize("NFC", kept).split())


def test_vowel_signs_of_other_scripts_count():
    assert normalise_for_leaks("कि") != normalise_for_leaks("का")


def test_order_depends_on_the_keys_alone():
    keys = [f"item-{number}" for number in range(50)]
    shuffled = random.Random(1).sample(keys, 50)
    assert hash_order(keys, "a") == hash_order(shuffled + keys[:3], "a")
    assert hash_order(keys, "a") != hash_order(keys, "b")


def test_order_is_pinned():
    assert hash_order(["a", "b", "c"], "prompts") == ["b", "a", "c"]  # as `printf prompts/a | sha256sum` has it


def test_splits_fill_test_then_valid_with_whole_groups():
    sizes = {f"level-{number}": 1 + number % 4 for number in range(40)}
    splits = split_by_hash(sizes, 20, 10, "game")
    assert set(splits) == set(sizes)
    filled = {name: sum(sizes[key] for key in sizes if splits[key] == name) for name in ("test", "valid")}
    assert 20 <= filled["test"] < 24
    assert 10 <= filled["valid"] < 14
    assert splits == split_by_hash(dict(reversed(sizes.items())), 20, 10, "game")


def test_nothing_is_held_out_where_nothing_is_wanted():
    assert set(split_by_hash({"a": 1, "b": 1}, 0, 0, "x").values()) == {"train"}


def test_groups_join_through_other_items():
    texts = [("c", "two"), ("a", "one"), ("b", "One!"), ("b", "TWO"), ("d", "three"), ("e", "?"), ("f", "!")]
    assert group_by_text(texts) == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "e", "f": "f"}


def test_leaks_are_found_across_languages_and_spellings():
    held_out = [("test.tsv:2", "Por favor, inténtelo"), ("test.tsv:3", "...")]
    training = [("train.tsv:2", "POR FAVOR INTENTELO"), ("train.tsv:3", "!"), ("train.tsv:4", "otra cosa")]
    (leak,) = find_leaks(held_out, training)
    assert "train.tsv:2" in leak
    assert "test.tsv:2" in leak


@pytest.mark.parametrize("pair", [("test", "train"), ("test", "valid"), ("valid", "train")])
def test_a_planted_leak_is_refused(pair):
    texts = {split: [(f"{split}.tsv:2", f"words of {split}")] for split in ("train", "valid", "test")}
    require_no_leaks(texts)
    texts[pair[1]].append((f"{pair[1]}.tsv:3", f"Words of {pair[0]}."))
    with pytest.raises(ManifestError, match=f"{pair[1]}.tsv:3.*held out by {pair[0]}.tsv:2"):
        require_no_leaks(texts)


def test_key_of_nothing_is_empty():
    assert text_key(" ?! ") == b""
    assert text_key("Yes.") == text_key("yes")
