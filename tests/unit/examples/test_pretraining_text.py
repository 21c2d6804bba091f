"""The small decoder's pre-training text: read from catalogues, cleaned, kept apart from what is held out, noised."""

import io
import itertools
import struct
import subprocess
import tarfile

import numpy as np
import pytest


def write_mo(messages: dict[str, str]) -> bytes:
    """A .mo file (GNU gettext, section 10.3) of the messages."""
    items = sorted(
        (key.encode(), text.encode())
        for key, text in {"": "Content-Type: text/plain; charset=UTF-8\n", **messages}.items()
    )
    head = 28
    tables, data = [b"", b""], b""
    start = head + 16 * len(items)
    for side in (0, 1):
        for item in items:
            tables[side] += struct.pack("<2I", len(item[side]), start + len(data))
            data += item[side] + b"\0"
    count = len(items)
    return struct.pack("<7I", 0x950412DE, 0, count, head, head + 8 * count, 0, 0) + b"".join(tables) + data


CZECH = {
    "Get out of my village!": "Vypadni z mé vesnice!",
    "female^Where are you going?": "Kam jdeš?",
    "shop\4<b>Bread</b> and cheese": "<b>Chléb</b> a sýr",
    "You need %d gold": "Potřebuješ %d zlata",
    "~Open file": "Otevřít ~soubor",
    "Graak": "Graak",
    "One line\nAnother line": "Jeden řádek\nDruhý řádek",
    "Two lines\nof English": "Jeden český řádek",
}


def test_a_catalogue_gives_clean_pairs(recipe):
    catalogues = recipe("catalogues")
    pairs = list(catalogues.read_catalogue(write_mo(CZECH), "wesnoth", "cs"))
    assert {pair.source for pair in pairs} == {"wesnoth"}
    assert {(pair.text, pair.english) for pair in pairs} == {
        ("Vypadni z mé vesnice!", "Get out of my village!"),
        ("Kam jdeš?", "Where are you going?"),
        ("Chléb a sýr", "Bread and cheese"),
        ("Otevřít soubor", "Open file"),
        ("Jeden řádek", "One line"),
        ("Druhý řádek", "Another line"),
        ("Jeden český řádek", "Two lines of English"),
    }


def test_a_package_is_read_without_unpacking(recipe, tmp_path, monkeypatch):
    catalogues = recipe("catalogues")
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, data in {
            "share/locale/cs/LC_MESSAGES/a.mo": write_mo(CZECH),
            "share/locale/pl/LC_MESSAGES/a.mo": b"?",
            "share/a.png": b"?",
        }.items():
            member = tarfile.TarInfo(f"./usr/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    (tmp_path / "data.tar").write_bytes(tar.getvalue())
    started = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda command, **kind: started(["cat", str(tmp_path / "data.tar")], **kind)
    )
    pairs = list(catalogues.read_package(tmp_path / "game-data_1.0_all.deb", ("cs", "nl")))
    assert len(pairs) == 7
    assert {(pair.source, pair.language) for pair in pairs} == {("game-data", "cs")}


def test_a_damaged_package_is_no_empty_one(recipe, tmp_path):
    (tmp_path / "game_1.deb").write_bytes(b"no package")
    with pytest.raises((subprocess.CalledProcessError, tarfile.ReadError, FileNotFoundError)):
        list(recipe("catalogues").read_package(tmp_path / "game_1.deb", ("cs",)))


def test_long_paragraphs_are_cut_into_sentences_where_both_sides_have_as_many(recipe):
    catalogues = recipe("catalogues")
    sentence = "word " * 25
    left, right = f"{sentence}end. Next one! A third?", f"{sentence}konec. Druhá! Třetí?"
    assert [pair[1] for pair in catalogues.align(right, left)] == [f"{sentence}end.", "Next one!", "A third?"]
    assert len(list(catalogues.align("Jedna. Dvě.", "One. Two."))) == 1
    assert len(list(catalogues.align(right.replace("Druhá! ", ""), left))) == 1


@pytest.mark.parametrize(
    ("text", "english", "clean"),
    [
        ("Kdo je tam?", "Who is there?", True),
        ("Kdo je tam?", "kdo JE tam?", False),
        ("Kdo $je tam", "Who is there", False),
        ("1 2 3 4", "One two three", False),
        ("Ne", "A sentence that is far longer than its translation", False),
        ("slovo " * 41, "word " * 41, False),
        ("a" * 500, "b" * 500, False),
    ],
)
def test_what_is_clean(recipe, text, english, clean):
    assert recipe("catalogues").is_clean(text, english) is clean


TEXTS = [
    {"parallel_id": "a", "lang": "cs", "text": "Kdo je tam?", "split": "train"},
    {"parallel_id": "a", "lang": "en", "text": "Who is there?", "split": "train"},
    {"parallel_id": "b", "lang": "cs", "text": "Dobrý den.", "split": "test"},
    {"parallel_id": "b", "lang": "en", "text": "Good day.", "split": "test"},
    {"parallel_id": "b", "lang": "de", "text": "Guten Tag.", "split": "test"},
]


def test_nothing_held_out_is_kept(recipe):
    parallel_text, catalogues = recipe("parallel_text"), recipe("catalogues")
    held_out = parallel_text.find_held_out(TEXTS)
    assert held_out == {"dobry den", "good day", "guten tag"}
    own = list(parallel_text.pair_texts(TEXTS, ["cs", "nl"]))
    assert own == [catalogues.Pair("fillets", "cs", "Kdo je tam?", "Who is there?")]
    game = [
        catalogues.Pair("game", "nl", "Goedendag!", "good DAY"),
        catalogues.Pair("game", "nl", "Guten Tag", "Hello"),
        catalogues.Pair("game", "cs", "KDO je tam", "Who is there"),
        catalogues.Pair("game", "nl", "Wie is daar?", "Who is there?"),
    ]
    kept, counts = parallel_text.keep_clean([*own, *game], held_out)
    assert kept == [own[0], game[3]]
    assert counts["left_out"] == {"held out": 2, "repeated": 1}
    assert counts["pairs"] == {"cs": {"fillets": 1}, "nl": {"game": 1}}
    assert parallel_text.find_leaks(kept, held_out) == []
    assert parallel_text.find_leaks(game, held_out) == ["good DAY", "Guten Tag"]


def test_pairs_survive_their_file(recipe, tmp_path):
    parallel_text, catalogues = recipe("parallel_text"), recipe("catalogues")
    pairs = [catalogues.Pair("game", "cs", 'Řekl: "Ano"', "He said\u2028yes")]
    parallel_text.write_pairs(pairs, tmp_path / "new/pairs.tsv")
    assert parallel_text.read_pairs(tmp_path / "new/pairs.tsv") == pairs


def test_masked_spans(recipe):
    noise = recipe("noise")
    words = [f"w{place}" for place in range(40)]
    for seed in range(20):
        noised = noise.mask_spans(words, np.random.default_rng(seed))
        left = [word for word in noised if word is not None]
        assert left == [word for word in words if word in left]
        assert len(left) == 26  # 40 less 35 %, rounded up
        assert None in noised
        assert not any(a is None and b is None for a, b in itertools.pairwise(noised))
    assert noise.mask_spans(["a"], np.random.default_rng(1)) == [None]
    assert noise.mask_spans(words, np.random.default_rng(3)) == noise.mask_spans(words, np.random.default_rng(3))
