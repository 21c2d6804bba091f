import pytest

SLOW = ("a bird that sings", "a cat", "a dog", "a tree", "a red house", "a green boat")


@pytest.fixture
def source(tmp_path, tones, write_text):
    stamps = tmp_path / "source/usr/share/tuxpaint/stamps"
    for number, english in enumerate(SLOW):
        lines = [english, f"fr.utf8={english} fr", f"pt_BR.utf8=variante {number}", "ca@valencia.utf8=no"]
        lines += [f"ast.utf8={english} ast", f"zh_TW.utf8=tw {number}", f"zh_CN.utf8=cn {number}"]
        write_text(stamps / f"things/s{number}.txt", "\n".join(lines) + "\n")
        tones.write(stamps / f"things/s{number}_desc_fr.ogg", 1.5, 44100)
    write_text(stamps / "things/twin.txt", "another\nfr.utf8=A cat, FR!\n")
    tones.write(stamps / "things/twin_desc_fr.ogg", 1.5)
    write_text(stamps / "things/fast.txt", "fast\nfr.utf8=" + "beaucoup de mots " * 4 + "\n")
    tones.write(stamps / "things/fast_desc_fr.ogg", 1.0)
    write_text(stamps / "symbols/one.txt", "one\nfr.utf8=un\n")
    tones.write(stamps / "symbols/one_desc_fr.ogg", 1.0)
    write_text(stamps / "things/mute.txt", "no French\n")
    tones.write(stamps / "things/mute_desc_fr.ogg", 1.0)
    tones.write(stamps / "things/lost_desc_fr.ogg", 1.0)
    write_text(stamps / "things/bad.txt", "bad\nfr.utf8=mauvais\n")
    (stamps / "things/bad_desc_fr.ogg").write_bytes(b"")
    return tmp_path / "source"


def test_miniature(tmp_path, source, run, rows, dropped):
    output = tmp_path / "out"
    options = ("--languages", "fr", "--test-share", "0.2", "--valid-share", "0.1", "--max-pace", "4")
    code, _, err = run("prepare", "tuxpaint", "--source", source, "--output", output, *options)
    assert code == 0, err
    tables = {split: rows(output / f"{split}.tsv") for split in ("train", "valid", "test")}
    everything = {name: (split, row) for split, table in tables.items() for name, row in table.items()}
    assert set(everything) == {f"fr/things/s{number}" for number in range(6)} | {"fr/things/twin"}
    split, row = everything["fr/things/s0"]
    assert (row.src_text, row.tgt_text, row.speaker, row.n_frames) == (f"{SLOW[0]} fr", SLOW[0], "tuxpaint_fr", 24000)
    assert everything["fr/things/s1"][0] == everything["fr/things/twin"][0]  # they share a text
    assert dropped(output) == {
        ("symbols/one", "symbol"),
        ("things/mute", "no text"),
        ("things/lost", "no text"),
        ("things/bad", "unreadable recording"),
        ("things/fast", "more than 25 characters a second"),
    }
    texts = {tuple(line.split("\t")) for line in (output / "texts.tsv").read_text(encoding="utf-8").splitlines()}
    assert ("things/s0", "pt", "variante 0", split) in texts
    assert ("things/s0", "zh", "cn 0", split) in texts
    assert {text[1] for text in texts} == {"lang", "en", "fr", "pt", "zh"}


def test_an_empty_source_is_named(tmp_path, run):
    code, _, err = run("prepare", "tuxpaint", "--source", tmp_path, "--output", tmp_path / "out")
    assert code == 1
    assert "no tuxpaint-stamps-default" in err
