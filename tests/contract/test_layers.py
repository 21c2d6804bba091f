"""Imports go downward only, and the check that says so finds what is planted."""

import sys

import pytest

from tests.contract.layers import MAY_IMPORT, check_layers, loaded_at_start
from tests.contract.source_tree import Source, package_sources


@pytest.mark.parametrize("source", package_sources(), ids=lambda source: source.path)
def test_imports_keep_the_layers(source):
    assert list(check_layers(source)) == []


def test_the_rooms_form_no_circle():
    remaining = {room: set(allowed) for room, allowed in MAY_IMPORT.items()}
    while remaining:
        bottom = [room for room, allowed in remaining.items() if not allowed & remaining.keys()]
        assert bottom, f"these rooms may import each other in a circle: {sorted(remaining)}"
        for room in bottom:
            del remaining[room]


def test_the_doctor_starts_where_nothing_is_installed():
    reached = {name.partition(".")[0] for name in loaded_at_start("fairseq_samu.cli.doctor", package_sources())}
    assert reached - sys.stdlib_module_names == {"fairseq_samu"}


@pytest.mark.parametrize("verb", ["main", "check", "prepare"])
def test_verbs_that_need_no_model_start_without_torch_and_host(verb):
    reached = loaded_at_start(f"fairseq_samu.cli.{verb}", package_sources())
    assert not {name.partition(".")[0] for name in reached} & {"torch", "fairseq", "transformers"}


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        ("ops/a.py", "import fairseq", "must not know the host"),
        ("ops/a.py", "def f():\n    from fairseq.data import Dictionary", "must not know the host"),
        ("ops/a.py", "import scipy.signal", "may import only numpy, torch"),
        ("ops/a.py", "from fairseq_samu.models import samu_xlsr", "`ops` must not import `models`"),
        ("ops/a.py", "from ..models import samu_xlsr", "`ops` must not import `models`"),
        ("ops/a.py", "from fairseq_samu import models", "`ops` must not import `models`"),
        ("data/manifest_scan.py", "import numpy", "may import only the standard library"),
        ("data/a.py", "import fairseq_samu.models.samu_xlsr", "`data` must not import `models`"),
        ("checkpoints/a.py", "from fairseq_samu.data import vocabulary", "`checkpoints` must not import `data`"),
        ("criterions/a.py", "from fairseq_samu.models import x", "`criterions` must not import `models`"),
        ("models/a.py", "from fairseq_samu.tasks import x", "`models` must not import `tasks`"),
        ("teachers/a.py", "from omegaconf import II", "must not know the host"),
        ("teachers/a.py", "import transformers", "inside the function"),
        ("teachers/a.py", "class A:\n    import transformers", "inside the function"),
        ("tasks/a.py", "import tests.e2e", "must not import `tests`"),
        ("data/a.py", "def f():\n    import torchaudio", "must not import `torchaudio`"),
        ("new_room/a.py", "", "has no rule"),
    ],
)
def test_a_planted_violation_is_found(path, text, fault):
    faults = list(check_layers(Source(f"fairseq_samu/{path}", text)))
    assert len(faults) == 1
    assert fault in faults[0]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("ops/a.py", "import math, torch\nfrom fairseq_samu.errors import ConfigError\nfrom . import masking"),
        ("data/a.py", "import fairseq"),
        ("teachers/a.py", "def f():\n    import transformers"),
        ("models/a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from fairseq_samu.tasks import x"),
    ],
)
def test_what_is_allowed_is_not_complained_of(path, text):
    assert list(check_layers(Source(f"fairseq_samu/{path}", text))) == []


def test_imports_at_start_are_followed_through_packages():
    sources = [
        Source("fairseq_samu/__init__.py", ""),
        Source("fairseq_samu/a/__init__.py", "from fairseq_samu.a.b import thing"),
        Source("fairseq_samu/a/b.py", "import torch\ndef f():\n    import scipy"),
        Source("fairseq_samu/c.py", "from fairseq_samu.a import other"),
    ]
    reached = loaded_at_start("fairseq_samu.c", sources)
    assert {"fairseq_samu.a", "fairseq_samu.a.b", "torch"} <= reached
    assert "scipy" not in reached
