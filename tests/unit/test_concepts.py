"""Annotated text: exact labels for any text, a lenient reader for hypotheses, and strict checks for data."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairseq_samu.concepts import (
    RESERVED,
    Concept,
    concept_of,
    escape,
    extract_concepts,
    find_annotation_faults,
    has_tag,
    is_label,
    is_open,
    join_tokens,
    read_prefix_map,
    relax_text,
    strip_tags,
    tokenize,
    unescape,
)
from fairseq_samu.errors import ConfigError

EXAMPLE = "je veux <nombre> deux > <chambre-type> chambres doubles > pour <temps-date> le trois mai >"
# Any text, texts made of what the grammar is made of, and white space and controls of every kind.
PIECES = ["<", ">", "\\", "_", " ", "a", "/", "<s>", "<pad>", "</s>", "<unk>", "<nombre>", "\\u0020", "madeupword0000"]
ODD = "".join(
    c for c in map(chr, range(0x11000)) if c.isspace() or (unicodedata.category(c) in ("Cc", "Cf") and c != " ")
)
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join), st.text(alphabet=ODD + "<>\\_ ab"))
NAMES = st.from_regex(r"[a-zé_][a-zé0-9_.:-]{0,8}", fullmatch=True).filter(lambda name: name not in RESERVED)


@given(TEXTS)
@example("\\u0020 _ \\_ \u2028\u00a0\t\r\n\0<unk><a\x01b>\\")
def test_labels_give_back_any_text(text):
    tokens = tokenize(text)
    assert join_tokens(tokens) == text
    assert all(is_label(token) for token in tokens)


@given(TEXTS)
def test_no_label_confuses_the_dictionary_of_the_host(text):
    for token in tokenize(text):
        assert token.split() == [token]
        assert token not in {"<s>", "<pad>", "</s>", "<unk>"}
        assert not token.startswith("madeupword")
        token.encode("utf-8")


def test_lone_surrogates_become_labels_that_a_file_can_hold():
    assert tokenize("a\ud800<b\ud800>") == ["a", "\\ud800", "<", "b", "\\ud800", ">"]
    assert join_tokens(tokenize("a\ud800<b\ud800>")) == "a\ud800<b\ud800>"


@given(TEXTS)
def test_escaped_text_has_no_tags_and_comes_back(text):
    written = escape(text)
    assert unescape(written) == text
    assert not has_tag(written)
    assert extract_concepts(f"<a> {written} >") == [Concept("a", tuple(text.split()))]
    assert find_annotation_faults(f"<a> {written} x >") == []
    assert strip_tags(written) == " ".join(text.split())


@given(st.lists(st.tuples(NAMES, st.text(min_size=1).filter(str.strip)), min_size=1))
def test_tags_and_closers_are_one_label_each(pairs):
    text = " ".join(f"<{name}> {escape(value)} >" for name, value in pairs)
    tokens = tokenize(text)
    assert [concept_of(token) for token in tokens if concept_of(token)] == [name for name, _ in pairs]
    assert tokens.count(">") == len(pairs)
    assert [(c.name, c.words) for c in extract_concepts(text)] == [(name, tuple(v.split())) for name, v in pairs]
    assert find_annotation_faults(text, {name for name, _ in pairs}) == []


@given(TEXTS, TEXTS)
def test_words_are_cut_one_by_one(left, right):
    assert tokenize(f"{left} {right}") == [*tokenize(left), "_", *tokenize(right)]


def test_labels_of_the_example():
    assert tokenize("veux <nombre> deux >") == [*"veux", "_", "<nombre>", "_", *"deux", "_", ">"]
    assert tokenize("a_b \\< \\\\ \u00a0") == ["a", "\\_", "b", "_", "\\<", "_", "\\\\", "_", "\\u00a0"]
    assert tokenize("<unk>") == [*"<unk>"]


@pytest.mark.parametrize("token", ["", " ", "ab", "<unk>", "<s>", "\\u0041", "\\u110000", "e\u0301", "<a b>", "\\x"])
def test_what_is_no_label(token):
    assert not is_label(token)


@pytest.mark.parametrize(
    ("text", "concepts"),
    [
        (EXAMPLE, [("nombre", "deux"), ("chambre-type", "chambres doubles"), ("temps-date", "le trois mai")]),
        ("euh bonjour", []),
        ("", []),
        ("<reponse> oui <nombre> trois", [("reponse", "oui"), ("nombre", "trois")]),
        ("oui > <reponse> > oui", [("reponse", "")]),
        ("<localisation-ville> à Paris", [("localisation-ville", "à Paris")]),
        # defects that other extractors have
        ("<unk>oui <reponse> non <unk> >", [("reponse", "non <unk>")]),
        ("oui<reponse> non >", [("reponse", "non")]),
        ("oui<reponse>non>si", [("reponse", "non")]),
        ("<<unk>> <a> x >", [("a", "x")]),
        # escapes
        ("<a> 3 \\> 2 \\\\ > \\<b> c >", [("a", "3 > 2 \\")]),
    ],
)
def test_concepts_of_hypotheses(text, concepts):
    assert [(concept.name, concept.value) for concept in extract_concepts(text)] == concepts


def test_words_without_tags():
    assert strip_tags(EXAMPLE) == "je veux deux chambres doubles pour le trois mai"
    assert strip_tags("a<b>c>d  \\<e\\> <unk>") == "a c d <e> <unk>"


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("<a> x > y", []),
        ("", []),
        ("<a> x", ["closed by a >"]),
        ("x > y", ["behind a tag that it closes"]),
        ("<a> x <b> y >", ["closed by a > before the next tag"]),
        ("<a> >", ["around words"]),
        ("<c> x >", ["one of those that are known"]),
        ("<unk> x", ["of another name"]),
        ("<a> x </a>", ["closed by a > before", "without / in front", "closed by a >"]),
        ("w<a> x >", ["a word of its own"]),
        ("<a> x>", ["a word of its own"]),
        ("<a>x >", ["a word of its own"]),
        ("3 < 4", ["behind a backslash"]),
        ("c:\\d", ["behind a backslash"]),
        ("> <c> x", ["behind a tag", "known", "closed by"]),
    ],
)
def test_faults_of_data(text, faults):
    found = find_annotation_faults(text, {"a", "b"})
    assert len(found) == len(faults)
    for fault, expected in zip(found, faults, strict=True):
        assert expected in fault


def test_any_name_will_do_where_none_are_known():
    assert find_annotation_faults("<c> x >") == []


@given(TEXTS)
def test_strict_text_is_found_by_the_lenient_reader(text):
    if not find_annotation_faults(text):
        opened = sum(concept_of(token) is not None for token in tokenize(text))
        assert len(extract_concepts(text)) == opened
        assert all(concept.words for concept in extract_concepts(text))


def test_relaxed_names(tmp_path):
    path = tmp_path / "relax.csv"
    lines = ["nombre-chambre,nombre", "temps-date*,temps-date", "temps-date-x-*,x", "", "a\tb"]
    path.write_text("\ufeff" + "\r\n".join(lines))
    prefixes = read_prefix_map(path)
    text = "\\<a> _  <nombre-chambre> deux > <temps-date> x > <temps-date-du> y > <temps-date-x-y> z > <a> c > <ab> d >"
    assert relax_text(text, prefixes) == (
        "\\<a> _  <nombre> deux > <temps-date> x > <temps-date> y > <x> z > <b> c > <ab> d >"
    )


@given(TEXTS)
def test_nothing_but_names_is_relaxed(text):
    assert relax_text(text, {"x": "y"}) == text
    assert relax_text(text, {}) == text


def test_all_faults_of_a_prefix_map_in_one_report(tmp_path):
    path = tmp_path / "map"
    path.write_text("a,b\nc\nd,e,f\na,x\n<g>,h\nunk,i\n/j,k\na,b\n")
    with pytest.raises(ConfigError) as caught:
        read_prefix_map(path)
    places = [line.partition(": ")[0] for line in str(caught.value).splitlines()]
    assert places == [f"{path}:{number}" for number in (2, 3, 4, 5, 6, 7)]


@pytest.mark.parametrize(
    ("content", "fault"), [(b"", "at least one"), (b"\xff,a", "not UTF-8"), (None, "No such file")]
)
def test_a_prefix_map_that_is_none(tmp_path, content, fault):
    path = tmp_path / "map"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=fault):
        read_prefix_map(path)


@pytest.mark.parametrize(
    ("text", "expected"), [("", False), ("a", False), ("<n> a", True), ("<n> a >", False), ("<n> a > <m>", True)]
)
def test_a_concept_without_a_closer_is_open(text, expected):
    assert is_open(text) is expected
