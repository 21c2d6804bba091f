import pytest

from fairseq_samu.data.corpora.lua_dialogs import Line, parse_dialogs

LEVELS = ("reef", "wreck", "city", "maze")


def test_dialogues_are_read():
    content = (
        'dialogId("a", "font_big", "Say \\"no\\"!")\ndialogStr("Řekni \\"ne\\"!")\n'
        '-- dialogId("x", "font_big", "old")\n'
        'dialogId("b", "", "Two\nlines")\n dialogStr(\n "Dva")\n'
        'dialogId("c", "font_small", "Untranslated")\n'
        'dialogId("a", "font_small", "Again")\ndialogStr("Znovu")\n'
    )
    assert parse_dialogs(content) == [
        Line("a", "font_big", 'Say "no"!', 'Řekni "ne"!'),
        Line("b", "", "Two\nlines", "Dva"),
        Line("c", "font_small", "Untranslated"),
    ]


def dialogue(lines, translated):
    parts = []
    for name, font, english, text in lines:
        parts.append(f'dialogId("{name}", "{font}", "{english}")')
        if translated:
            parts.append(f'dialogStr("{text}")')
    return "\n\n".join(parts)


@pytest.fixture
def source(tmp_path, tones, write_text):
    game = tmp_path / "source/usr/share/games/fillets-ng"
    for level in LEVELS:
        lines = [
            (f"{level}-v", "font_big", f"Big speaks in {level}", f"Velká mluví v {level}"),
            (f"{level}-m", "font_small", "Oh!", "Ach!"),
        ]
        if level == "reef":
            lines += [
                ("empty", "font_big", "Nothing", ""),
                ("fill", "font_big", "A%1.", "A%1."),
                ("gone", "", "x", "y"),
            ]
            lines += [("rus", "font_big", "Wait", "Подожди počkej"), ("bad", "font_big", "Bad file", "Zlý soubor")]
        write_text(game / f"script/{level}/dialogs_en.lua", dialogue(lines, False))
        write_text(game / f"script/{level}/dialogs_cs.lua", dialogue(lines, True))
        dutch = [(name, font, english, f"{text} nl") for name, font, english, text in lines[:2]]
        write_text(game / f"script/{level}/dialogs_nl.lua", dialogue(dutch, True))
        write_text(game / f"script/{level}/dialogs_de_CH.lua", dialogue(dutch, True))
        for name, *_ in lines:
            if name != "gone":
                tones.write(game / f"sound/{level}/cs/{name}.ogg", 1.5, 22050)
        for name, *_ in dutch:
            tones.write(game / f"sound/{level}/nl/{name}.ogg", 1.5, 22050)
    (game / "sound/reef/cs/bad.ogg").write_bytes(b"OggS")
    tones.write(game / "sound/reef/cs/nameless.ogg", 1.0, 22050)
    shared = [("joke", "font_big", "A joke", "Vtip")]
    write_text(game / "script/share/black_dialogs_cs.lua", dialogue(shared, True))
    tones.write(game / "sound/share/blackjokes/cs/joke.ogg", 1.0, 22050)
    return tmp_path / "source"


def test_miniature(tmp_path, source, run, rows, dropped):
    output = tmp_path / "out"
    shares = ("--test-share", "0.2", "--valid-share", "0.1")
    code, _, err = run("prepare", "fillets", "--source", source, "--output", output, *shares)
    assert code == 0, err
    tables = {split: rows(output / f"{split}.tsv") for split in ("train", "valid", "test")}
    levels = {split: {row.parallel_id.rpartition("/")[0] for row in table.values()} for split, table in tables.items()}
    assert levels["test"]
    assert levels["valid"]
    assert not levels["test"] & (levels["train"] | levels["valid"])
    everything = {name: row for table in tables.values() for name, row in table.items()}
    level = min(levels["test"])
    row = everything[f"nl/{level}/{level}-v"]
    assert (row.src_text, row.tgt_text, row.tgt_lang) == (f"Velká mluví v {level} nl", f"Big speaks in {level}", "en")
    assert (row.speaker, row.n_frames) == ("nl_big", 24000)
    assert everything["cs/share/blackjokes/joke"].tgt_text == "A joke"
    reasons = dropped(output)
    assert reasons >= {
        ("reef/empty", "empty text"),
        ("reef/fill", "placeholder in the text"),
        ("reef/rus", "two scripts in the text"),
        ("reef/bad", "unreadable recording"),
        ("reef/nameless", "no text"),
    }
    # `Oh!` is said in every level: it stays in the split that holds it out, and leaves the others.
    holders = {split for split, table in tables.items() for row in table.values() if row.tgt_text == "Oh!"}
    assert holders == {"test"}
    assert {reason for item, reason in reasons if item.endswith("-m")} == {
        "its words are held out",
        "text: its words are held out",
    }


def test_voices_are_needed(tmp_path, source, run, write_text):
    lonely = tmp_path / "lonely"
    write_text(lonely / "script/reef/dialogs_en.lua", 'dialogId("a", "font_big", "Hello")')
    code, _, err = run("prepare", "fillets", "--source", lonely, "--output", tmp_path / "out")
    assert code == 1
    assert "no fillets-ng-data-cs or fillets-ng-data-nl" in err


def several_targets(run, source, output, targets="en,fr,cs"):
    shares = ("--test-share", "0.2", "--valid-share", "0.1")
    return run("prepare", "fillets", "--source", source, "--output", output, "--targets", targets, *shares)


def test_a_row_for_each_target_language(tmp_path, source, run, rows, dropped, write_text):
    game = source / "usr/share/games/fillets-ng"
    for level in LEVELS[1:]:
        lines = [
            (f"{level}-v", "font_big", f"Big speaks in {level}", f"Le gros parle dans {level}"),
            (f"{level}-m", "font_small", "Oh!", f"Le petit dans {level}"),
        ]
        write_text(game / f"script/{level}/dialogs_fr.lua", dialogue(lines, True))
    output = tmp_path / "out"
    code, out, err = several_targets(run, source, output)
    assert code == 0, err
    found = {}
    for split in ("train", "valid", "test"):
        found |= rows(output / f"{split}.tsv")
    row = found["nl/maze/maze-v>fr"]
    assert (row.tgt_text, row.tgt_lang) == ("Le gros parle dans maze", "fr")
    assert (row.src_text, row.src_lang, row.parallel_id) == ("Velká mluví v maze nl", "nl", "maze/maze-v")
    assert found["nl/maze/maze-v>cs"].tgt_text == "Velká mluví v maze"
    assert found["nl/maze/maze-v>en"].audio == row.audio
    assert "cs/maze/maze-v>cs" not in found
    assert "cs/reef/reef-v>fr" not in found
    assert dropped(output) >= {("reef/reef-v", "no text in fr")}
    assert [line.split()[0] for line in out.splitlines() if ">" in line] == [
        "cs>en",
        "cs>fr",
        "nl>cs",
        "nl>en",
        "nl>fr",
    ]


def test_no_target_text_stands_in_two_splits(tmp_path, source, run, rows, dropped, write_text):
    game = source / "usr/share/games/fillets-ng"
    for level in LEVELS:
        write_text(
            game / f"script/{level}/dialogs_fr.lua",
            dialogue([(f"{level}-v", "font_big", f"Big speaks in {level}", "Partout pareil")], True),
        )
    output = tmp_path / "out"
    code, _, err = several_targets(run, source, output, "en,fr")
    assert code == 0, err
    splits = ("train", "valid", "test")
    holders = {s for s in splits for row in rows(output / f"{s}.tsv").values() if row.tgt_text == "Partout pareil"}
    assert holders == {"test"}
    english = {s for s in splits for row in rows(output / f"{s}.tsv").values() if row.tgt_lang == "en"}
    assert english == set(splits)
    assert {reason for item, reason in dropped(output) if item.endswith("-v")} == {
        "no text in fr",
        "text: its words are held out",
    }


@pytest.mark.parametrize(("targets", "fault"), [("en,xx", "xx"), (",", "")])
def test_targets_must_be_languages_of_the_game(tmp_path, source, run, targets, fault):
    code, _, err = several_targets(run, source, tmp_path / "out", targets)
    assert code == 1
    assert f"cs en nl), by commas, but is '{fault}' instead" in err
