"""The distillation loss against literal values."""

from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("fairseq", reason="criterions stand on the host")

from fairseq_samu.criterions.cosine_kd import CosineKdConfig, CosineKdCriterion, validate
from fairseq_samu.errors import ConfigError


def make_sample(embedding, teacher):
    rows = len(teacher)
    return {
        "id": torch.arange(rows),
        "nsentences": rows,
        "ntokens": 10 * rows,
        "grid": 12 * rows,
        "num_skipped": 0,
        "net_input": {"embedding": embedding},
        "teacher": teacher,
    }


def run(embedding, teacher, reduce=True, extra=None, **options):
    criterion = CosineKdCriterion(CosineKdConfig(**options), task=None)
    sample = make_sample(torch.tensor(embedding), torch.tensor(teacher)) | (extra or {})
    return criterion(lambda embedding: SimpleNamespace(embedding=embedding), sample, reduce=reduce)


@pytest.mark.parametrize(
    ("embedding", "expected"), [([2.0, 0.0], 0.0), ([0.0, 3.0], 20.0), ([-1.0, 0.0], 40.0), ([1.0, 1.0], 5.857864)]
)
def test_zero_when_equal_beta_when_orthogonal_twice_beta_when_opposite(embedding, expected):
    loss, rows, log = run([embedding], [[5.0, 0.0]])
    assert loss.item() == pytest.approx(expected, abs=1e-5)
    assert rows == 1
    assert log["cosine"].item() == pytest.approx(1 - expected / 20, abs=1e-6)


def test_scale_of_either_side_does_not_matter():
    first = run([[0.3, 0.1]], [[0.2, 0.5]])[0]
    second = run([[30.0, 10.0]], [[0.002, 0.005]])[0]
    assert first.item() == pytest.approx(second.item(), rel=1e-5)


def test_rows_are_summed_so_that_the_trainer_takes_their_mean():
    loss, rows, log = run([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]], kd_scale=2.0)
    assert (loss.item(), rows) == (pytest.approx(2.0), 2)
    assert (log["ntokens"], log["grid"], log["num_skipped"]) == (20, 24, 0)
    each = run([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]], reduce=False, kd_scale=2.0)[0]
    assert each.tolist() == pytest.approx([0.0, 2.0])


def test_half_precision_is_widened():
    criterion = CosineKdCriterion(CosineKdConfig(), task=None)
    sample = make_sample(torch.full((1, 1024), 60.0).half(), torch.full((1, 1024), 60.0).half())
    loss, _, _ = criterion(lambda embedding: SimpleNamespace(embedding=embedding), sample)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(0.0, abs=1e-4)


def test_weight_zero_removes_the_contrastive_term_exactly():
    pair = ([[1.0, 0.2], [0.1, 1.0]], [[1.0, 0.0], [0.5, 1.0]])
    plain = run(*pair)[0]
    assert torch.equal(plain, run(*pair, contrastive_weight=0.0, contrastive_temperature=0.5)[0])
    assert run(*pair, contrastive_weight=1.0)[0] > plain


def test_recall_is_counted_over_the_given_candidates():
    extra = {
        "candidates": torch.eye(2),
        "candidate_index": torch.tensor([0, 0]),
        "candidate_allowed": torch.ones(2, 2, dtype=torch.bool),
    }
    _, _, log = run([[1.0, 0.1], [0.1, 1.0]], [[1.0, 0.0], [1.0, 0.0]], extra=extra)
    assert log["hits"].item() == 1


def test_the_sample_is_not_changed():
    sample = make_sample(torch.ones(1, 2), torch.ones(1, 2))
    keys = set(sample)
    CosineKdCriterion(CosineKdConfig(), None)(lambda embedding: SimpleNamespace(embedding=embedding), sample)
    assert set(sample) == keys


def test_all_bad_options_are_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        validate(CosineKdConfig(kd_scale=0.0, contrastive_weight=-1.0, contrastive_temperature=float("nan")))
    assert str(caught.value).count("must be") == 3
