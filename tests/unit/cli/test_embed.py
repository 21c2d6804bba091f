"""The verb `embed`: which texts it takes, what it writes, and what it says."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fairseq_samu.cli.embed import gather_texts
from fairseq_samu.cli.main import main
from fairseq_samu.errors import ManifestError
from fairseq_samu.teachers.table import EmbeddingTable

TRAIN = "id\taudio\tn_frames\tsrc_text\ttgt_text\na\tz:0:1\t16\tUn  chat\tA cat\nb\tz:1:1\t16\tUn chien\tA dog\n"
TEST = "id\taudio\tn_frames\tsrc_text\ttgt_text\nc\tz:2:1\t16\tUn chat\tA cat\nd\tz:3:1\t16\tUne vache\tA cow\n"
TEXTS = "parallel_id\tlang\ttext\tsplit\n1\tde\tEine Katze\ttrain\n2\tde\tEine Kuh\ttest\n2\tfr\tUne vache\ttest\n"
EVERYTHING = ["Un chat", "Un chien", "Une vache", "A cat", "A dog", "A cow", "Eine Katze", "Eine Kuh"]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("train.tsv").write_text(TRAIN)
    Path("test.tsv").write_text(TEST)
    Path("texts.tsv").write_text(TEXTS)
    np.save("known.npy", np.arange(16, dtype=np.float32).reshape(8, 2))
    Path("known.txt").write_text("\n".join(EVERYTHING) + "\n")
    return tmp_path


def embed(*arguments: str) -> int:
    return main(["embed", *arguments, "--teacher", "npy:known.npy", "--output", "table"])


def test_texts_of_manifests_and_of_tables_and_which_are_for_training(folder):
    assert gather_texts(["train.tsv"], ["src_text"]) == {"Un chat": True, "Un chien": True}
    assert gather_texts(["test.tsv", "train.tsv"], ["src_text"]) == {
        "Un chat": True, "Une vache": False, "Un chien": True
    }  # fmt: skip
    assert gather_texts(["texts.tsv"], ["src_text"]) == {"Eine Katze": True, "Eine Kuh": False, "Une vache": False}
    both = gather_texts(["train.tsv", "test.tsv", "texts.tsv"], ["src_text", "tgt_text"])
    assert sorted(both) == sorted(EVERYTHING)
    assert [text for text in both if not both[text]] == ["Une vache", "A cow", "Eine Kuh"]


def test_a_column_split_counts_more_than_the_name_of_the_file(folder):
    Path("train_and_test.tsv").write_text("id\tsrc_text\tsplit\na\tin\ttrain\nb\tout\ttest\n")
    assert gather_texts(["train_and_test.tsv"], ["src_text"]) == {"in": True, "out": False}


def test_empty_texts_are_counted_in_the_log(folder, caplog):
    Path("holes.tsv").write_text("id\tsrc_text\ttgt_text\na\tin\t\nb\t \tout\n")
    with caplog.at_level("WARNING"):
        assert gather_texts(["holes.tsv"], ["src_text", "tgt_text"]) == {"in": False, "out": False}
    assert caplog.messages[0].startswith("2 empty texts have no embedding")
    with pytest.raises(ManifestError, match=r"with texts.*without any.*--text-column"):
        Path("void.tsv").write_text("id\tsrc_text\na\t\n")
        gather_texts(["void.tsv"], ["src_text"])


def test_the_table_holds_every_text_and_the_last_line_sums_up(folder, capsys):
    assert embed("train.tsv", "texts.tsv", "test.tsv", "train.tsv", "--text-column", "src_text, tgt_text") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    table = EmbeddingTable.open("table")
    assert np.array_equal(table.lookup(EVERYTHING), np.arange(16).reshape(8, 2))
    found = re.fullmatch(r"table: (\d+) texts \((\S+) of them new\), (\d+) dimensions, fingerprint (\S+), \S+ s", last)
    assert found.groups() == ("8", "8", "2", table.fingerprint)
    assert embed("train.tsv") == 0
    assert capsys.readouterr().out.startswith("table: 8 texts (none of them new), 2 dimensions")


def test_options_reach_the_table(folder, capsys):
    assert embed("train.tsv", "test.tsv", "--dtype", "float16", "--center", "--normalize", "--shard-size", "2") == 0
    record = json.loads(Path("table/meta.json").read_text())
    assert (record["dtype"], record["center"], record["normalize"], record["mean_texts"]) == ("float16", True, True, 2)
    assert record["teacher"] == "npy:known.npy"
    assert len(list(Path("table").glob("embeddings-*.npy"))) == 2
    # The mean of `Un chat` (0, 1) and `Un chien` (2, 3) is (1, 2).
    assert np.allclose(EmbeddingTable.open("table").lookup(["Un chien"]), np.sqrt(0.5))
    assert embed("train.tsv", "--dtype", "float16", "--normalize") == 1
    assert "meta.json: `center` must be True, but is 'False' instead." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train.tsv", "--text-column", "src_text,words"], "train.tsv: `text column` must be one of id, audio"),
        (["nowhere.tsv"], "nowhere.tsv: `manifest` must be a readable file"),
        (["broken.tsv"], "broken.tsv:2:3: `n_frames` must be a positive number of samples"),
        (["other.tsv"], "known.npy: `precomputed vectors` must be complete"),
        (["test_only.tsv", "--center"], "`training texts to centre on` must be at least one"),
    ],
)
def test_faults_are_one_message(folder, capsys, arguments, message):
    Path("broken.tsv").write_text(TRAIN.replace("16", "-16"))
    Path("other.tsv").write_text("id\tsrc_text\na\tunknown\n")
    Path("test_only.tsv").write_text(TEST)
    assert embed(*arguments) == 1
    assert capsys.readouterr().err.startswith(message)


def test_an_unknown_teacher_is_named_and_no_table_begun(folder, capsys):
    assert main(["embed", "train.tsv", "--teacher", "labse", "--output", "table"]) == 1
    assert "`teacher` must be 'use', 'e5'" in capsys.readouterr().err
    assert not Path("table").exists()


@pytest.mark.parametrize(
    "wrong", [["--dtype", "int8"], ["--shard-size", "0"], ["--batch-size", "x"], ["--text-column", ","]]
)
def test_wrong_usage_exits_with_two(folder, wrong):
    with pytest.raises(SystemExit) as leaving:
        embed("train.tsv", *wrong)
    assert leaving.value.code == 2


def test_the_real_command_goes_on_after_sigkill(folder):
    texts = [f"line {number}" for number in range(1000)]
    Path("train.tsv").write_text("id\tsrc_text\n" + "".join(f"{at}\t{text}\n" for at, text in enumerate(texts)))
    np.save("known.npy", np.random.default_rng(0).standard_normal((1000, 16)).astype(np.float32))
    Path("known.txt").write_text("\n".join(texts) + "\n")
    command = [sys.executable, "-m", "fairseq_samu.cli", "embed", "train.tsv", "--teacher", "npy:known.npy", "--center"]
    command += ["--shard-size", "10", "--output"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[3]), *sys.path])}
    process = subprocess.Popen([*command, "killed"], env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(Path("killed").glob("keys-*.npy"))) < 20 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=30) == -signal.SIGKILL
    for output in ("killed", "whole"):
        done = subprocess.run([*command, output], env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"{output}: 1000 texts (")
    assert "1000 texts, of which 0 have embeddings already" in done.stderr
    names = sorted(path.name for path in Path("whole").iterdir())
    assert names == sorted(path.name for path in Path("killed").iterdir())
    for name in names:
        assert (Path("whole") / name).read_bytes() == (Path("killed") / name).read_bytes()
