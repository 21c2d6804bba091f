import numpy as np
import pytest

from fairseq_samu.concepts import read_prefix_map
from fairseq_samu.data.audio import read_audio

HEAD = """<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE Trans SYSTEM "trans-14.dtd">
<Trans audio_filename="{name}" version="1">
<Speakers>
<Speaker id="spk1" name="{wizard}"/>
<Speaker id="spk2" name="speaker1_{name}"/>
</Speakers>
<Episode><Section type="report" startTime="0" endTime="8">
"""
TAIL = "</Section></Episode></Trans>\n"
WIZARD = '<Turn speaker="spk1" startTime="0" endTime="1"><Sync time="0"/>buongiorno</Turn>\n'
TAKEN = """<Turn speaker="spk2" startTime="1.0" endTime="3.0"><Sync time="1.0"/>
<SemDebut concept="null"/>vorrei<SemFin/>
<SemDebut concept="nombre-chambre-reservation" valeur="2"/>2<SemFin/>
<SemDebut concept="chambre-type" valeur="doppia"/>camere *<Sync time="2.0"/>
<SemFin/><SemDebut concept="null"/>a (ro)ma <Event desc="i" type="noise"/>è<SemFin/>
</Turn>
"""


def caller(words, start="3.0", end="4.0", speaker="spk2"):
    return f'<Turn speaker="{speaker}" startTime="{start}" endTime="{end}"><Sync time="{start}"/>\n{words}\n</Turn>\n'


def yes(value="sì"):
    return f'<SemDebut concept="reponse" valeur="si"/>{value}<SemFin/>'


@pytest.fixture
def source(tmp_path, tones):
    """Six dialogues with one malformed turn of each kind in them, and a damaged file of each kind."""
    folder = tmp_path / "pm/PMLANG3IT_00/PMLANG3IT"

    def write(block, name, *turns, wizard="Compère", encoding="utf-8", wave=True):
        text = HEAD.format(name=name, wizard=wizard) + WIZARD + "".join(turns) + TAIL
        path = folder / block / f"{name}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(encoding))
        if wave:
            tones.write(path.with_suffix(".wav"), 5.0, 8000)
        return path

    bad = [
        TAKEN,
        caller("<SemFin/>"),
        caller("<SemDebut concept='a'/>uno<SemDebut concept='b'/>due<SemFin/>"),
        caller("<SemDebut concept='a'/>tre"),
        caller("* ( )"),
        caller(yes(), "spk", "4"),
        caller(yes(), "4", "4"),
        caller(yes(), speaker="spk1 spk2"),
        caller(yes(), speaker="spk9"),
        caller(yes("<SemDebut/>")),
        caller("<SemDebut concept='a b'/>quattro<SemFin/>"),
        caller(yes(), "4.5", "8"),
        caller(yes(), "0", "4.5"),
    ]
    write("BLOCK00", "08730_1", *bad)
    write("BLOCK00", "08730_2", caller(yes()), wizard="operatore", encoding="iso-8859-1")
    path = write("BLOCK00", "08730_3", caller(yes()), encoding="iso-8859-1")
    path.write_bytes(path.read_bytes()[1:])
    write("BLOCK00", "08730_4", caller(yes()), wave=False)
    write("BLOCK01", "08730_5", caller(yes())).write_text("<Trans><Turn></Trans>", encoding="utf-8")
    path = write("BLOCK01", "08730_6", caller(yes()))
    path.write_bytes(b">" + path.read_bytes())
    write("BLOCK01", "08730_7", caller(yes("no")))
    return tmp_path / "pm"


def prepare(run, source, output, *more):
    counts = () if "--splits" in more else ("--valid-dialogues", "1", "--test-dialogues", "1")
    arguments = ("prepare", "portmedia", "--source", source, "--output", output, "--max-seconds", "4", *counts, *more)
    code, out, err = run(*arguments)
    assert code == 0, err
    return out


def ids(rows, output):
    return {s: list(rows(output / f"{s}.tsv")) for s in ("train", "valid", "test") if (output / f"{s}.tsv").exists()}


def test_every_turn_of_a_caller_is_used_or_named(tmp_path, source, run, rows, dropped):
    output = tmp_path / "out"
    prepare(run, source, output)
    assert ids(rows, output) == {
        "train": ["08730_1_0001000-0003000", "08730_3_0003000-0004000"],
        "valid": ["08730_6_0003000-0004000"],
        "test": ["08730_7_0003000-0004000"],
    }
    assert dropped(output) == {
        ("08730_1.xml:3", "end of a concept that is not open"),
        ("08730_1.xml:4", "concept inside a concept"),
        ("08730_1.xml:5", "concept that is not closed"),
        ("08730_1.xml:6", "no words"),
        ("08730_1.xml:7", "time that is no number"),
        ("08730_1.xml:8", "ends before it starts"),
        ("08730_1.xml:9", "several speakers at once"),
        ("08730_1.xml:10", "unknown speaker"),
        ("08730_1.xml:11", "concept inside a concept"),
        ("08730_1.xml:12", "faulty annotation"),
        ("08730_1.xml:13", "unreadable segment"),
        ("08730_1.xml:14", "longer than 4 s"),
        ("08730_2.xml", "no wizard among its speakers"),
        ("08730_4.xml:2", "missing recording"),
        ("08730_5.xml", "no XML"),
    }


def test_words_concepts_times_and_speakers_are_exact(tmp_path, source, run, rows):
    output = tmp_path / "out"
    prepare(run, source, output)
    row = rows(output / "train.tsv")["08730_1_0001000-0003000"]
    assert row.tgt_text == "vorrei <nombre-chambre-reservation> due > <chambre-type> camere > a roma è"
    assert (row.src_text, row.src_lang, row.tgt_lang) == ("vorrei due camere a roma è", "it", "it")
    assert (row.n_frames, row.speaker) == (32000, "speaker1_08730_1")
    whole = read_audio(str(next(source.rglob("08730_1.wav"))))
    np.testing.assert_allclose(read_audio(row.audio, output), whole[16000:48000], atol=2**-15)
    assert rows(output / "test.tsv")["08730_7_0003000-0004000"].tgt_text == "<reponse> no >"
    names = {"chambre-type": "chambre-type", "nombre-chambre-reservation": "nombre-chambre", "reponse": "reponse"}
    assert {full: new for full, new in read_prefix_map(output / "relax.tsv").items() if full in names} == names


def test_turns_may_be_cut_at_their_times(tmp_path, source, run, rows):
    prepare(run, source, tmp_path / "out", "--segments", "sync")
    train = rows(tmp_path / "out/train.tsv")
    assert train["08730_1_0001000-0002000"].tgt_text == (
        "vorrei <nombre-chambre-reservation> due > <chambre-type> camere >"
    )
    assert train["08730_1_0002000-0003000"].tgt_text == "a roma è"


def test_splits_may_come_from_a_list(tmp_path, source, run, rows, dropped):
    splits = tmp_path / "splits.txt"
    splits.write_text("08730_1 test\n\n08730_3 train\n08730_6 valid\n08730_2 train\n", encoding="utf-8")
    prepare(run, source, tmp_path / "out", "--splits", splits)
    assert ids(rows, tmp_path / "out") == {
        "train": ["08730_3_0003000-0004000"],
        "valid": ["08730_6_0003000-0004000"],
        "test": ["08730_1_0001000-0003000", "08730_1_0000000-0004500"],
    }
    assert ("08730_7.xml", "dialogue without a split") in dropped(tmp_path / "out")
    splits.write_text("08730_1 test\n08730_3 dev\n08730_6\n", encoding="utf-8")
    code, _, err = run("prepare", "portmedia", "--source", source, "--output", tmp_path / "o", "--splits", splits)
    assert code == 1
    assert f"{splits}:2: " in err
    assert f"{splits}:3: " in err
    code, _, err = run("prepare", "portmedia", "--source", source, "--output", tmp_path / "o", "--splits", "none.txt")
    assert code == 1
    assert "a readable text file" in err


def test_too_few_dialogues_and_none_are_refused(tmp_path, source, run):
    code, _, err = run("prepare", "portmedia", "--source", source, "--output", tmp_path / "out")
    assert code == 1
    assert "must be fewer than the 7 dialogues, and not negative, but is '100 and 200'" in err
    code, _, err = run("prepare", "portmedia", "--source", tmp_path / "pm/PMLANG3IT_01", "--output", tmp_path / "out")
    assert code == 1
    assert "BLOCK*/*.xml" in err


def test_the_corpus_can_be_trained_on(tmp_path, source, run, learnable):
    output = tmp_path / "out"
    prepare(run, source, output)
    full = {"chambre-type", "nombre-chambre-reservation", "reponse"}
    assert set(learnable(output)) == full
    relaxed = {"chambre-type", "nombre-chambre", "reponse"}
    assert set(learnable(output, "--prefix-map", output / "relax.tsv")) == relaxed
