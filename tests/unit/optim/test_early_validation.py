"""Schedulers hear of a validation before the host saves, and the host keeps its best score all the same."""

from types import SimpleNamespace

import pytest

pytest.importorskip("fairseq", reason="it is the host that saves")

from fairseq import checkpoint_utils

from fairseq_samu.optim.early_validation import make_host_tell_before_saving


@pytest.fixture
def told(monkeypatch, tmp_path):
    """A list of what a scheduler heard, and a function that saves as the host does."""
    # a fresh copy of the host's function, so that neither the patch nor its best score outlasts the test
    monkeypatch.setattr(checkpoint_utils, "save_checkpoint", checkpoint_utils.save_checkpoint)
    make_host_tell_before_saving()
    heard = []
    cfg = SimpleNamespace(save_dir=str(tmp_path), maximize_best_checkpoint_metric=False, no_save=True)

    def save(scheduler, val_loss, end):
        trainer = SimpleNamespace(data_parallel_rank=0, lr_scheduler=scheduler)
        checkpoint_utils.save_checkpoint(cfg, trainer, SimpleNamespace(end_of_epoch=lambda: end), val_loss)

    yield heard, save
    vars(checkpoint_utils.save_checkpoint).pop("best", None)


def test_the_end_of_an_epoch_is_told_and_nothing_else(told):
    heard, save = told
    scheduler = SimpleNamespace(expect=heard.append)
    save(scheduler, 3.0, end=True)
    save(scheduler, 2.0, end=False)
    save(scheduler, None, end=True)
    assert heard == [3.0, None, None]
    assert checkpoint_utils.save_checkpoint.best == 2.0


def test_schedulers_that_need_it_not_are_left_alone(told):
    _, save = told
    save(SimpleNamespace(), 1.0, end=True)
    assert checkpoint_utils.save_checkpoint.best == 1.0


def test_doing_it_twice_changes_nothing(told):
    once = checkpoint_utils.save_checkpoint
    make_host_tell_before_saving()
    assert checkpoint_utils.save_checkpoint is once
