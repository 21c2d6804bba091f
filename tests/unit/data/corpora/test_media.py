import numpy as np
import pytest
import soundfile

from fairseq_samu.concepts import read_prefix_map, relax_text
from fairseq_samu.data.audio import read_audio

TURN = """
  <turn id="{id}" speaker="{speaker}" startTime="{start}" endTime="{end}"{audio}>
    <transcription>{words}</transcription>
    <semAnnotation withContext="false">{sems}
    </semAnnotation>
    <semAnnotation withContext="true">
      <sem concept="reponse" specif="null"><transcription>with context</transcription></sem>
    </semAnnotation>
  </turn>"""


def sem(concept, specifier, transcription):
    return f"""
      <sem concept="{concept}" mode="+" value="v" specif="{specifier}">
        <transcription>{transcription}</transcription></sem>"""


def turn(number, start, end, *sems, words="mots", speaker="spk", side="r", dialogue="70"):
    audio = f' audioFilename="somewhere/{dialogue}.{side}.wav"' if side else ""
    parts = dict(id=f"{dialogue}_{number}", start=start, end=end, words=words, speaker=speaker, audio=audio)
    return TURN.format(sems="".join(sems), **parts)


def dialogue(name, *turns, speaker="speaker#08730"):
    return f'\n<dialogue id="{name}" nameSpk="{speaker}_{name}" nameComp="Compère">{"".join(turns)}\n</dialogue>'


def write_xml(path, *dialogues):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<corpus>{"".join(dialogues)}\n</corpus>\n'
    path.write_bytes(text.encode("iso-8859-1"))


ROOM = sem("nombre-chambre", "-reservation", "deux")
YES = sem("reponse", "null", "oui")


@pytest.fixture
def source(tmp_path, tones):
    """Dialogues with one malformed turn of each kind in them."""
    data = tmp_path / "media/E0024/MEDIA1FR_00/MEDIA1FR/DATA"
    waves = tmp_path / "media/S0272/MEDIA1FR_01/MEDIA1FR/BLOCK00"
    waves.mkdir(parents=True)
    for name in ("70", "80", "90", "91"):
        both = np.stack([tones.wave(10.0, 8000), tones.wave(10.0, 8000)], axis=1)
        both[24000:32000] = 0  # silence from 3 to 4 s
        soundfile.write(waves / f"{name}.wav", both, 8000)
    soundfile.write(waves / "92.wav", tones.wave(2.0, 8000), 8000)
    (waves / "93.wav").write_bytes(b"not a recording" * 50)
    write_xml(
        data / "media_lot1.xml",
        dialogue(
            "70",
            turn(1, "0", "1.0", words="bonjour", speaker="woz"),
            turn(
                2,
                "1.0",
                "3.0",
                sem("null", "null", 'bonjour<Sync time="1.5"/>\nje voudrais réserver'),
                ROOM,
                sem("chambre-type", "null", "chambres (dou)bles"),
                sem("null", "null", '<Sync time="2.5"/>à l\'hôtel'),
            ),
            turn(3, "4.0", "5.0", YES),
            turn(4, "4.0", "5.0", YES),
            turn(5, "5.0", "5.0", YES),
            turn(6, "5.0", "late", YES),
            turn(7, "9.0", "12.0", YES),
            turn(8, "3.2", "3.8", YES),
            turn(9, "5.0", "6.0", words="sans annotation"),
            turn(10, "5.0", "6.0", sem("null", "null", " ? "), words="?"),
            turn(11, "5.0", "6.0", sem("null", "null", "..."), words="..."),
            turn(12, "5.0", "6.0", YES, side=""),
            turn(13, "5.0", "6.0", sem("objet<", "null", "hôtel").replace("objet<", "objet &lt;")),
            turn(14, "5.0", "6.0", sem("nombre", "-chambre-reservation", "trois")),
            turn(15, "5.0", "6.0", sem("null", "null", 'oui<Sync time="soon"/>')),
            turn(16, "0.0", "8.0", YES),
            turn(17, "-1", "1.0", YES),
        ),
    )
    write_xml(data / "media_lot2.xml", dialogue("80", turn(1, "0", "1", YES, dialogue="80")))
    write_xml(
        data / "media_lot3.xml",
        dialogue("92", turn(1, "0", "1", YES, dialogue="92")),
        dialogue("93", turn(1, "0", "1", YES, dialogue="93")),
        dialogue("94", turn(1, "0", "1", YES, dialogue="94")),
    )
    write_xml(data / "media_lot4.xml")
    write_xml(data / "media_testHC_a_blanc.xml", dialogue("90", turn(1, "0.5", "2.0", YES, side="l", dialogue="90")))
    write_xml(data / "media_testHC.xml", dialogue("80", turn(1, "0", "1", YES, ROOM, dialogue="80")))
    return tmp_path / "media"


def prepare(run, source, output, *more):
    code, out, err = run("prepare", "media", "--source", source, "--output", output, "--max-seconds", "5", *more)
    assert code == 0, err
    return out


def test_every_segment_is_used_or_named(tmp_path, source, run, rows, dropped):
    output = tmp_path / "out"
    prepare(run, source, output)
    assert {split: list(rows(output / f"{split}.tsv")) for split in ("train", "valid", "test")} == {
        "train": ["70_0001000-0001500", "70_0001500-0002500", "70_0002500-0003000", "70_0004000-0005000"],
        "valid": ["90_0000500-0002000"],
        "test": ["80_0000000-0001000"],
    }
    place = "media_lot1.xml:70"
    assert dropped(output) == {
        (f"{place}:4", "second segment of one time"),
        (f"{place}:5", "ends before it starts"),
        (f"{place}:6", "time that is no number"),
        (f"{place}:7", "unreadable segment"),
        (f"{place}:8", "unreadable segment"),
        (f"{place}:9", "no annotation"),
        (f"{place}:10", "no words"),
        (f"{place}:11", "no words"),
        (f"{place}:12", "unknown channel"),
        (f"{place}:13", "faulty annotation"),
        (f"{place}:14", "concept that is two without its specifier"),
        (f"{place}:15", "time that is no number"),
        (f"{place}:16", "longer than 5 s"),
        (f"{place}:17", "time that is no number"),
        ("media_lot2.xml:80:1", "its recording is held out"),
        ("media_lot3.xml:92:1", "unreadable segment"),
        ("media_lot3.xml:93:1", "unreadable segment"),
        ("media_lot3.xml:94:1", "missing recording"),
    }
    found = [line.split("\t") for line in (output / "dropped.tsv").read_text(encoding="utf-8").splitlines()]
    details = {item: detail for _, item, _, detail in found}
    assert "mots" in details[f"{place}:14"]
    assert "ends at 12.00" in details[f"{place}:7"]
    assert "2 channels" in details["media_lot3.xml:92:1"]


def test_words_concepts_times_and_speakers_are_exact(tmp_path, source, run, rows):
    output = tmp_path / "out"
    prepare(run, source, output)
    train = rows(output / "train.tsv")
    assert [(row.src_text, row.tgt_text) for row in train.values()] == [
        ("bonjour", "bonjour"),
        (
            "je voudrais réserver deux chambres *bles",
            "je voudrais réserver <nombre-chambre-reservation> deux > <chambre-type> chambres *bles >",
        ),
        ("à l' hôtel", "à l' hôtel"),
        ("oui", "<reponse> oui >"),
    ]
    row = train["70_0001500-0002500"]
    assert (row.n_frames, row.src_lang, row.tgt_lang, row.speaker) == (16000, "fr", "fr", "speaker#08730_70")
    assert row.parallel_id.startswith("fr/")


def test_the_callers_channel_is_cut_where_the_segment_is(tmp_path, source, run, rows):
    output = tmp_path / "out"
    prepare(run, source, output)
    for split, row_id, name, channel, part in (
        ("train", "70_0001500-0002500", "70", 1, slice(24000, 40000)),
        ("valid", "90_0000500-0002000", "90", 0, slice(8000, 32000)),
    ):
        whole = read_audio(str(next(source.rglob(f"{name}.wav"))), channel=channel)
        wave = read_audio(rows(output / f"{split}.tsv")[row_id].audio, output)
        np.testing.assert_allclose(wave, whole[part], atol=2**-15)
        other = read_audio(str(next(source.rglob(f"{name}.wav"))), channel=1 - channel)
        assert np.abs(wave - other[part]).max() > 0.1


def test_concepts_without_specifiers_by_option_or_by_the_map(tmp_path, source, run, rows):
    prepare(run, source, tmp_path / "full")
    prepare(run, source, tmp_path / "relax", "--concepts", "relax")
    prefixes = read_prefix_map(tmp_path / "full/relax.tsv")
    assert prefixes["nombre-chambre-reservation"] == "nombre-chambre"
    assert prefixes["reponse"] == "reponse"
    full, relaxed = (rows(tmp_path / name / "train.tsv") for name in ("full", "relax"))
    for row_id, row in full.items():
        assert relax_text(row.tgt_text, prefixes) == relaxed[row_id].tgt_text
    assert "<nombre-chambre> deux >" in relaxed["70_0001500-0002500"].tgt_text
    assert relaxed["70_0005000-0006000"].tgt_text == "<nombre> trois >"


def test_rows_may_be_turns(tmp_path, source, run, rows):
    prepare(run, source, tmp_path / "out", "--segments", "turn")
    row = rows(tmp_path / "out/train.tsv")["70_0001000-0003000"]
    assert row.src_text == "bonjour je voudrais réserver deux chambres *bles à l' hôtel"


def test_channels_may_come_from_a_table(tmp_path, source, run, rows, dropped):
    table = tmp_path / "channels.csv"
    table.write_text("R,70\nL,80\nR,90\n", encoding="utf-8")
    prepare(run, source, tmp_path / "out", "--channels", table)
    whole = read_audio(str(next(source.rglob("90.wav"))), channel=1)
    wave = read_audio(rows(tmp_path / "out/valid.tsv")["90_0000500-0002000"].audio, tmp_path / "out")
    np.testing.assert_allclose(wave, whole[8000:32000], atol=2**-15)
    assert ("media_lot3.xml:94:1", "unknown channel") in dropped(tmp_path / "out")
    assert ("media_lot1.xml:70:12", "unknown channel") not in dropped(tmp_path / "out")


@pytest.mark.parametrize("line", ["X,70", "L,", "70"])
def test_a_bad_table_of_channels_is_refused(tmp_path, source, run, line):
    table = tmp_path / "channels.csv"
    table.write_text(f"R,80\n\n{line}\n", encoding="utf-8")
    code, _, err = run("prepare", "media", "--source", source, "--output", tmp_path / "out", "--channels", table)
    assert code == 1
    assert f"{table}:3: `line` must be L or R" in err
    code, _, err = run("prepare", "media", "--source", source, "--output", tmp_path / "out", "--channels", "none.csv")
    assert code == 1
    assert "a readable text file" in err


def test_missing_and_broken_annotation_is_named(tmp_path, source, run):
    lot = next(source.rglob("media_lot4.xml"))
    lot.write_bytes(b"<corpus><dialogue></corpus>")
    code, _, err = run("prepare", "media", "--source", source, "--output", tmp_path / "out")
    assert code == 1
    assert "media_lot4.xml: `annotation` must be XML, but is 'mismatched tag" in err
    lot.unlink()
    code, _, err = run("prepare", "media", "--source", source, "--output", tmp_path / "out")
    assert code == 1
    assert "--source: `media_lot4.xml` must be below" in err


def test_the_corpus_can_be_trained_on(tmp_path, source, run, learnable):
    output = tmp_path / "out"
    prepare(run, source, output)
    full = {"chambre-type", "nombre-chambre-reservation", "reponse"}
    assert set(learnable(output)) == full
    relaxed = {"chambre-type", "nombre-chambre", "reponse"}
    assert set(learnable(output, "--prefix-map", output / "relax.tsv")) == relaxed
