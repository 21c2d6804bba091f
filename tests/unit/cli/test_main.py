"""The entry of the program: which verbs there are, what they import, and how errors become exit codes."""

import argparse
import subprocess
import sys
import types

import pytest

import fairseq_samu
from fairseq_samu.cli import main as entry
from fairseq_samu.errors import ManifestError


def plant_verb(monkeypatch: pytest.MonkeyPatch, run) -> None:
    """Add a verb `planted` whose module exists only in memory."""

    def add_parser(subparsers) -> None:
        parser = subparsers.add_parser("planted")
        parser.add_argument("--flag")
        parser.set_defaults(func=run)

    module = types.ModuleType("fairseq_samu.cli.planted")
    module.add_parser = add_parser
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(entry, "available_verbs", lambda: {"planted": "a verb of the test"})


def raising(error: BaseException):
    def run(arguments: argparse.Namespace) -> int:
        raise error

    return run


def test_arguments_reach_the_verb_and_its_code_comes_back(monkeypatch):
    seen = []
    plant_verb(monkeypatch, lambda arguments: seen.append(arguments.flag) or 7)
    assert entry.main(["planted", "--flag", "-5"]) == 7
    assert seen == ["-5"]


def test_a_verb_without_a_result_is_done(monkeypatch):
    plant_verb(monkeypatch, lambda arguments: None)
    assert entry.main(["planted"]) == 0


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ManifestError("train.tsv:3: `id` must be unique"), 1, "train.tsv:3: `id` must be unique\n"),
        (FileNotFoundError(2, "No such file or directory", "a.tsv"), 1, "a.tsv: No such file or directory.\n"),
        (OSError(28, "No space left on device"), 1, "fairseq-samu: No space left on device\n"),
        (KeyboardInterrupt(), 130, "planted was interrupted.\n"),
        (
            ModuleNotFoundError("No module named 'soxr'", name="soxr"),
            1,
            "planted needs the module `soxr`, which is not installed. `fairseq-samu doctor` says how to install it.\n",
        ),
    ],
)
def test_faults_of_the_input_are_one_message_without_traceback(monkeypatch, capsys, error, code, message):
    plant_verb(monkeypatch, raising(error))
    assert entry.main(["planted"]) == code
    assert capsys.readouterr().err == message


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("a bug"), ModuleNotFoundError("a typing error", name="fairseq_samu.dta")]
)
def test_a_bug_keeps_its_traceback(monkeypatch, error):
    plant_verb(monkeypatch, raising(error))
    with pytest.raises(type(error)):
        entry.main(["planted"])


@pytest.mark.parametrize("argv", [[], ["no-such-verb"], ["--no-such-option"], ["planted", "--unknown"]])
def test_usage_errors_exit_with_two(monkeypatch, capsys, argv):
    plant_verb(monkeypatch, lambda arguments: 0)
    with pytest.raises(SystemExit) as leaving:
        entry.main(argv)
    assert leaving.value.code == 2
    assert "usage: fairseq-samu" in capsys.readouterr().err


def test_version_and_help_leave_with_zero(capsys):
    for argv, expected in [(["--version"], fairseq_samu.__version__), (["--help"], "doctor ")]:
        with pytest.raises(SystemExit) as leaving:
            entry.main(argv)
        assert leaving.value.code == 0
        assert expected in capsys.readouterr().out


@pytest.mark.parametrize("verb", entry.available_verbs())
def test_every_verb_parses_its_help_under_its_name(capsys, verb):
    with pytest.raises(SystemExit) as leaving:
        entry.main([verb, "--help"])
    assert leaving.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: fairseq-samu {verb}")


def test_only_verbs_that_exist_are_offered(monkeypatch):
    monkeypatch.setattr(entry, "VERBS", {"doctor": "exists", "levitate": "does not"})
    assert entry.available_verbs() == {"doctor": "exists"}


@pytest.mark.parametrize("argv", [["--help"], ["check", "--help"]])
def test_reading_arguments_imports_neither_torch_nor_fairseq(argv):
    watch = (
        "import sys; from fairseq_samu.cli.main import main\n"
        f"try: main({argv!r})\n"
        "except SystemExit: pass\n"
        "sys.exit(','.join(m for m in ('torch', 'fairseq', 'transformers', 'numpy') if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", watch], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


TALKATIVE = """
import sys, types
from fairseq_samu.cli import main as entry
module = types.ModuleType("fairseq_samu.cli.planted")
def run(arguments):
    for _ in range(100000):
        print("much more than a pipe holds")
def add_parser(subparsers):
    subparsers.add_parser("planted").set_defaults(func=run)
module.add_parser = add_parser
sys.modules[module.__name__] = module
entry.available_verbs = lambda: {"planted": "talks"}
sys.exit(entry.main(["planted"]))
"""


def test_a_reader_that_closes_the_pipe_gets_no_traceback():
    shell = ["bash", "-c", '"$1" -c "$2" | head -1', "bash", sys.executable, TALKATIVE]
    done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert done.stdout == "much more than a pipe holds\n"
    assert done.stderr == ""
