import dataclasses
import importlib
import os
import signal
import subprocess
import sys
import time

import pytest

from fairseq_samu.data.corpora import CORPORA
from fairseq_samu.data.corpora.progress import show_progress


@pytest.mark.parametrize("name", CORPORA)
def test_every_corpus_has_what_the_registry_asks(name):
    module = importlib.import_module(CORPORA[name])
    assert module.DESCRIPTION
    assert callable(module.prepare)
    for field in dataclasses.fields(module.Options):
        assert field.metadata["help"]
        assert isinstance(field.default, str | int | float | bool)
        assert field.default is not True  # a flag can only be raised


@pytest.mark.parametrize("name", CORPORA)
def test_help_names_every_option(name, capsys):
    from fairseq_samu.cli.main import main

    with pytest.raises(SystemExit) as stop:
        main(["prepare", name, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for field in dataclasses.fields(importlib.import_module(CORPORA[name]).Options):
        assert "--" + field.name.replace("_", "-") in text


def test_usage_is_two(capsys):
    from fairseq_samu.cli.main import main

    for arguments in (["prepare"], ["prepare", "nothing"], ["prepare", "common-voice", "--output", "x"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_leaves_no_finished_output_and_the_next_one_finishes(tmp_path, tones, write_text, how, run):
    """The command is stopped while its threads decode; a slow reader of the audio stands in for a large corpus."""
    header = "client_id\tpath\tsentence\n"
    write_text(tmp_path / "fr/validated.tsv", header + "".join(f"s\tc{n}.wav\tphrase {n}\n" for n in range(30)))
    for number in range(30):
        tones.write(tmp_path / f"fr/clips/c{number}.wav", 4.0)
    output = tmp_path / "out"
    slow = (
        "import signal, sys, time, fairseq_samu.data.corpora.clips as corpus\n"
        # a shell hands SIGINT down as ignored to what it starts in the background
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "plain = corpus.audio_samples\n"
        "corpus.audio_samples = lambda *a, **k: (time.sleep(0.4), plain(*a, **k))[1]\n"
        "from fairseq_samu.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    command = ["prepare", "common-voice", "--source", str(tmp_path / "fr"), "--output", str(output)]
    process = subprocess.Popen([sys.executable, "-c", slow, *command, "--workers", "1"], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (output / ".partial").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, how)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert not (output / "prepared.json").exists()
    assert not (output / "train.tsv").exists()
    code, _, err = run(*command)
    assert code == 0, err
    assert len((output / "train.tsv").read_text(encoding="utf-8").splitlines()) == 31
    assert not (output / ".partial").exists()


def test_progress_passes_everything_on(caplog):
    with caplog.at_level("INFO"):
        assert list(show_progress(range(3), 3, "counting")) == [0, 1, 2]
    assert "counting: 3 done" in caplog.text
