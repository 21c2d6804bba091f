"""Options of the task, and the candidates of its validation."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("fairseq", reason="tasks stand on the host")

from fairseq_samu.errors import ConfigError
from fairseq_samu.tasks._retrieval_validation import CandidateTexts
from fairseq_samu.tasks._samu_distill_config import SamuDistillConfig, validate
from fairseq_samu.tasks._speech_data_config import parse_speed_factors


def test_all_bad_options_are_reported_at_once(tmp_path):
    cfg = SamuDistillConfig(
        data=str(tmp_path / "absent"),
        max_audio_seconds=0,
        sampling_alpha=2,
        noise_prob=3,
        gain_db=-1,
        speed_factors="x",
    )
    with pytest.raises(ConfigError) as caught:
        validate(cfg)
    for name in ("data", "max_audio_seconds", "sampling_alpha", "noise_prob", "gain_db", "speed_factors"):
        assert f"`{name}` must be" in str(caught.value)


def test_defaults_need_a_folder_only(tmp_path):
    validate(SamuDistillConfig(data=str(tmp_path)))


@pytest.mark.parametrize(("text", "factors"), [("1.0", (1.0,)), ("0.9,1.0,1.1", (0.9, 1.0, 1.1))])
def test_speed_factors(text, factors):
    assert parse_speed_factors(text) == factors


@pytest.mark.parametrize("text", ["", "fast", "0.9,", "0", "3"])
def test_impossible_speed_factors(text):
    with pytest.raises(ConfigError, match="speed_factors"):
        parse_speed_factors(text)


class FakeSet:
    """A validation set of five rows: French twice the same text, one more, and two English."""

    texts = ("oui", "oui", "non", "yes", "no")

    def __init__(self, language_ids):
        self.manifest = self.texts
        self.rows = np.arange(len(self.texts))
        self.language_ids = np.asarray(language_ids)
        self.teacher = SimpleNamespace(lookup=lambda texts: np.eye(8, dtype=np.float32)[[len(t) for t in texts]])

    def text_of(self, row):
        return self.texts[row]


def test_candidates_are_distinct_texts_of_the_rows_language():
    sample = CandidateTexts(FakeSet([0, 0, 0, 1, 1])).add_to({"id": torch.tensor([1, 4])})
    assert sample["candidates"].shape == (4, 8)
    assert sample["candidate_index"].tolist() == [0, 3]
    assert sample["candidate_allowed"].tolist() == [[True, True, False, False], [False, False, True, True]]


def test_without_languages_all_texts_compete():
    sample = CandidateTexts(FakeSet([])).add_to({"id": torch.tensor([0])})
    assert sample["candidate_allowed"].all()
