"""Programs of recipes, imported from their folder as they import each other."""

import importlib

import pytest

from tests.contract.source_tree import ROOT

SMALL = ROOT / "examples/samu_xlsr_mbart/small"


@pytest.fixture
def recipe(monkeypatch):
    """Imports a program of the small translation recipe by its name."""
    monkeypatch.syspath_prepend(str(SMALL))
    return importlib.import_module
