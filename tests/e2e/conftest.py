"""One small corpus for all runs of this folder."""

import pytest

from tests.e2e.training import Corpus, make_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """26 rows to train on (a batch of 4 leaves a remainder of 2) and 10 to validate."""
    return make_corpus(tmp_path_factory.mktemp("corpus"), {"train": 26, "valid": 10})
