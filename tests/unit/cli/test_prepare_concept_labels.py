"""`fairseq-samu prepare concept-labels`, end to end."""

import pytest

from fairseq_samu.cli.main import main
from fairseq_samu.data.manifest import write_manifest

COLUMNS = ("id", "audio", "n_frames", "src_lang", "tgt_text")


@pytest.fixture
def manifest(tmp_path):
    def make(name, *rows):
        path = tmp_path / name
        values = (
            {"id": f"{name}{number}", "audio": "a.wav", "n_frames": 9, "src_lang": language, "tgt_text": text}
            for number, (language, text) in enumerate(rows)
        )
        write_manifest(path, values, COLUMNS)
        return path

    return make


def prepare(*arguments):
    return main(["prepare", "concept-labels", *map(str, arguments)])


def words(path):
    return " ".join(path.read_text().split())


def test_labels_of_several_manifests(tmp_path, manifest, capsys):
    french = manifest("fr.tsv", ("fr", "je <b-long> é >"), ("fr", "<a> e_ >"))
    italian = manifest("it.tsv", ("it", "è"), ("es", "ñ <c> o >"))
    output = tmp_path / "new/labels.txt"
    assert prepare("--manifest", french, italian, "--output", output) == 0
    assert output.read_text() == "<a>\n<b-long>\n<c>\n>\n_\n\\_\ne\nj\no\nè\né\nñ\n"
    assert capsys.readouterr().out == f"{output}: 12 labels, 3 of them concepts, from 4 rows\n"
    assert prepare("--manifest", french, italian, "--output", output, "--languages", "it,fra") == 0
    assert words(output) == "<a> <b-long> > _ \\_ e j è é"


def test_relax_mode(tmp_path, manifest, caplog):
    path, relax, output = manifest("a.tsv", ("fr", "<b-long> x > <a> y >")), tmp_path / "relax", tmp_path / "labels.txt"
    relax.write_text("b-*,b\n")
    assert prepare("--manifest", path, "--output", output, "--prefix-map", relax) == 0
    assert words(output) == "<a> <b> > _ x y"
    assert not caplog.records
    relax.write_text("q,r\n")
    assert prepare("--manifest", path, "--output", output, "--prefix-map", relax) == 0
    assert "changes no concept" in caplog.text


def test_texts_without_concepts_are_pointed_out(tmp_path, manifest, caplog):
    assert prepare("--manifest", manifest("a.tsv", ("fr", "x y")), "--output", tmp_path / "labels.txt") == 0
    assert "no text has a concept" in caplog.text


def test_faults_of_all_manifests_in_one_report_and_nothing_written(tmp_path, manifest, capsys):
    first, second = manifest("a.tsv", ("fr", "<b> x"), ("fr", "y")), manifest("b.tsv", ("fr", "x > y"))
    output = tmp_path / "labels.txt"
    output.write_text("before")
    assert prepare("--manifest", first, second, "--output", output) == 1
    message = capsys.readouterr().err
    assert message.index(f"{first}:2: ") < message.index(f"{second}:2: ")
    assert len(message.splitlines()) == 2
    assert output.read_text() == "before"


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--languages", "de"], "among those of the manifests (fr)"),
        (["--prefix-map", "absent"], "a readable text file"),
    ],
)
def test_options_that_do_not_serve(tmp_path, manifest, capsys, options, fault):
    path = manifest("a.tsv", ("fr", "<b> x >"))
    assert prepare("--manifest", path, "--output", tmp_path / "labels.txt", *options) == 1
    assert fault in capsys.readouterr().err
    assert not (tmp_path / "labels.txt").exists()


def test_a_manifest_without_annotated_text(tmp_path, capsys):
    path = tmp_path / "a.tsv"
    write_manifest(path, [{"id": "a", "audio": "a.wav", "n_frames": 9}], COLUMNS[:3])
    assert prepare("--manifest", path, "--output", tmp_path / "labels.txt") == 1
    assert "tgt_text" in capsys.readouterr().err
