"""Rules of form hold in every file, and each check finds what is planted."""

import pytest

from tests.contract.source_tree import PACKAGE, Source, package_sources, python_sources, tracked_files
from tests.contract.style import check_constructs, check_docstrings, check_file_size, check_function_sizes

EVERYWHERE = python_sources()
OURS = package_sources()


@pytest.mark.parametrize("source", EVERYWHERE, ids=lambda source: source.path)
def test_files_are_small(source):
    assert list(check_file_size(source)) == []


@pytest.mark.parametrize("source", OURS, ids=lambda source: source.path)
@pytest.mark.parametrize("check", [check_function_sizes, check_constructs, check_docstrings])
def test_the_package_keeps_the_rules_of_form(check, source):
    assert list(check(source)) == []


def test_every_folder_of_the_package_is_a_package():
    folders = {source.path.rpartition("/")[0] for source in OURS}
    assert [folder for folder in sorted(folders) if f"{folder}/__init__.py" not in tracked_files()] == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x = eval('1')", "calls eval"),
        ("from os.path import *", "star import"),
        ("import sys\nprint(sys.argv[1])", "sys.argv"),
        ("torch.load(path)", "weights_only"),
        ("torch.load(path, weights_only=False)", "weights_only"),
        ("torch.load(path, weights_only=safe)", "weights_only"),
        ("np.load(path, allow_pickle=True)", "unpickles freely"),
        ("pickle.loads(blob)", "unpickles freely"),
        ("try:\n    pass\nexcept:\n    pass", "bare"),
        ("def f():\n    global x\n    x = 1", "global state"),
        ("class A:\n    cache = {}", "mutable class attribute"),
        ("class A:\n    cache: dict = dict()", "mutable class attribute"),
        ("class A:\n    seen = collections.defaultdict(list)", "mutable class attribute"),
    ],
)
def test_planted_constructs_are_found(text, fault):
    faults = list(check_constructs(Source(f"{PACKAGE}/ops/a.py", text)))
    assert len(faults) == 1
    assert fault in faults[0]


@pytest.mark.parametrize(
    "text",
    [
        "torch.load(path, weights_only=True)",
        "model.eval()",
        "class A:\n    x: list = field(default_factory=list)\n    y = (1, 2)",
    ],
)
def test_harmless_constructs_pass(text):
    assert list(check_constructs(Source(f"{PACKAGE}/ops/a.py", text))) == []


def test_a_file_named_after_nothing_is_found():
    assert "named after its concept" in next(check_constructs(Source(f"{PACKAGE}/ops/utils.py", "")))


def test_sizes_are_counted():
    line = "x = 1\n"
    assert list(check_file_size(Source("fairseq_samu/ops/a.py", line * 300))) == []
    assert list(check_file_size(Source("fairseq_samu/ops/a.py", line * 301)))
    assert list(check_file_size(Source("fairseq_samu/tasks/a.py", line * 201)))
    docstring = '    """Say.\n' + "\n" * 50 + '    """\n'
    assert list(check_function_sizes(Source("a.py", f"def f():\n{docstring}" + "    x = 1\n" * 39))) == []
    assert list(check_function_sizes(Source("a.py", f"def f():\n{docstring}" + "    x = 1\n" * 40)))
    assert list(check_function_sizes(Source("a.py", "class A:\n  async def f():\n" + "    x = 1\n" * 40)))


TRUE = '''"""Holds f."""
def f(a, *, b):
    """Do it.

    Args:
        a: one, with
            more.
        b: two.
    """
'''


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (TRUE, []),
        (TRUE.replace('"""Holds f."""', ""), ["has no docstring"]),
        (TRUE.replace("Do it.", "Do it"), ["must be a sentence"]),
        (TRUE.replace("b: two", "c: two"), ["`c`, which is no parameter", "leaves out `b`"]),
        (TRUE.replace("        b: two.\n", ""), ["leaves out `b`"]),
        ('"""Holds A."""\nclass A:\n    """Be."""\n    def f(self): pass\n    def _g(self): pass', ["`f` is public"]),
        ('"""Holds A."""\nclass A:\n    """Be."""\n    @override\n    def f(self): pass', []),
        ('"""Holds _f."""\ndef _f(): pass', []),
    ],
)
def test_docstrings_are_compared_with_what_they_describe(text, faults):
    found = list(check_docstrings(Source("a.py", text)))
    assert len(found) == len(faults)
    for one, expected in zip(found, faults, strict=True):
        assert expected in one
