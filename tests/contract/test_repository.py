"""The repository as a whole: its texts, its versions, and tests that mirror the package."""

import re
from pathlib import PurePath

import pytest

import fairseq_samu
from tests.contract.source_tree import PACKAGE, ROOT, package_sources, python_sources, text_files, tracked_files
from tests.contract.words import check_words

TEXTS = dict(text_files())
BYTES_OF_A_FILE = 25 << 20


def test_no_file_tells_where_or_how_it_was_written():
    assert [fault for name, text in TEXTS.items() for fault in check_words(name, text)] == []


@pytest.mark.parametrize(
    "line",
    ["see /t" + "mp/build/data", 'open("/w' + 'ork/x")', "as dis" + "cussed in is" + "sue 2", "# TO" + "DO: later"],
)
def test_planted_words_are_found(line):
    assert len(list(check_words("a.py", line))) == 1


@pytest.mark.parametrize(
    "line", ["https://host/home/page", "the issue at hand", "data/tmp/x", "${TMPDIR}/tmp/x", "/dev/shm"]
)
def test_harmless_words_pass(line):
    assert list(check_words("a.py", line)) == []


def test_texts_end_their_lines_alike():
    faults = []
    for name, text in TEXTS.items():
        if PurePath(name).suffix in {".py", ".md", ".toml", ".sh", ".txt", ".yaml", ""} and "manifests" not in name:
            if "\r" in text:
                faults.append(f"{name}: carriage returns")
            if text and not text.endswith("\n"):
                faults.append(f"{name}: no line end at the end")
    assert faults == []


def test_the_changelog_knows_this_version():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    headings = re.findall(r"^## \[?([^\]\s]+)", text, re.MULTILINE)
    assert fairseq_samu.__version__ in headings or (headings and headings[0] == "Unreleased")
    assert re.search(rf"\b{re.escape(fairseq_samu.__version__)}\b", text)


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "manifests/README.md"])
def test_what_a_newcomer_looks_for_is_there(name):
    assert len((ROOT / name).read_text("utf-8")) > 200


def test_no_file_is_too_large_to_clone():
    large = [name for name in tracked_files() if (ROOT / name).stat().st_size > BYTES_OF_A_FILE]
    assert large == []


def test_scripts_can_be_run():
    scripts = [name for name, text in TEXTS.items() if text.startswith("#!")]
    assert "tests/run.sh" in scripts
    assert [name for name in scripts if not (ROOT / name).stat().st_mode & 0o100] == []


def test_unit_tests_mirror_the_package():
    folders = {str(PurePath(source.path).parent) for source in package_sources()}
    folders.add(str(PurePath(PACKAGE, "examples")))  # tests of the code inside recipes
    tests = [PurePath(source.path) for source in python_sources("tests/unit")]
    places = {str(PurePath(PACKAGE, *path.parts[2:-1])) for path in tests if path.name.startswith("test_")}
    assert places - folders == set(), "tests of rooms that do not exist"
    rooms = {source.path.rpartition("/")[0] for source in package_sources() if not source.path.endswith("__init__.py")}
    assert rooms - places - {PACKAGE} == set(), "rooms without a unit test"


def test_every_module_is_reached_by_some_test():
    """A module that no test imports, directly or through others, is dead or unproven."""
    by_name = {source.module: source for source in [*package_sources(), *python_sources("tests")]}
    waiting = [name for name in by_name if name.startswith(("tests.", f"{PACKAGE}.cli."))]  # verbs are loaded by name
    reached: set[str] = set()
    while waiting:
        module = waiting.pop()
        reached.add(module)
        mentioned = by_name[module].mentioned_modules()
        waiting += [name for name in mentioned if name in by_name and name not in reached]
    ours = {source.module for source in package_sources() if not source.path.endswith("__init__.py")}
    assert sorted(ours - reached) == []
