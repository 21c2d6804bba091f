"""`fairseq-samu prepare lm-texts`, end to end."""

import pytest

pytest.importorskip("fairseq", reason="the host reads what is written")
pytest.importorskip("sentencepiece", reason="the texts are pieces")

from fairseq_samu.cli.main import main
from fairseq_samu.data.manifest import write_manifest
from tests.unit.tiny_translator import make_translator


@pytest.fixture
def folder(tmp_path):
    row = {"id": "1", "audio": "a.wav", "n_frames": 9, "src_text": "where is it", "src_lang": "en"}
    for split in ("train", "valid"):
        write_manifest(tmp_path / f"{split}.tsv", [row], list(row))
    return tmp_path


def prepare(folder, *arguments):
    words = ["--train", folder / "train.tsv", "--valid", folder / "valid.tsv", "--output", folder / "lm", *arguments]
    return main(["prepare", "lm-texts", *map(str, words)])


def test_by_a_checkpoint_and_by_its_pieces(folder, capsys):
    tiny = make_translator(folder)
    checkpoint = tiny.save(folder / "model.pt")
    assert prepare(folder, "--checkpoint", checkpoint, "--data", folder) == 0
    size = len(tiny.vocabulary)
    tokens = len(tiny.vocabulary.encode("where is it", "en"))
    assert capsys.readouterr().out.splitlines() == [
        f"{folder}/lm/dict.txt",
        f"{folder}/dict.txt",
        f"train: 1 texts, {tokens} tokens of {size}",
        f"valid: 1 texts, {tokens} tokens of {size}",
    ]
    written = {path.name: path.read_bytes() for path in (folder / "lm").iterdir()}
    assert sorted(written) == ["dict.txt", "train.bin", "train.idx", "valid.bin", "valid.idx"]
    assert (folder / "dict.txt").read_bytes() == written["dict.txt"]
    assert prepare(folder, "--sentencepiece", tiny.sentencepiece) == 0
    assert {path.name: path.read_bytes() for path in (folder / "lm").iterdir()} == written
    assert prepare(folder, "--sentencepiece", tiny.sentencepiece, "--vocabulary-languages", "en") == 1
    assert "--force" in capsys.readouterr().err


@pytest.mark.parametrize("both", [True, False])
def test_one_vocabulary_is_named(folder, both, capsys):
    options = ["--checkpoint", folder / "a.pt", "--sentencepiece", folder / "b.model"] if both else []
    assert prepare(folder, *options) == 1
    assert "one of the two" in capsys.readouterr().err
    assert not (folder / "lm").exists()
