"""Tokens of a checkpoint and of a run: taken in, compared, and refused where they number other tokens."""

from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("fairseq", reason="the dictionary is the host's")

from fairseq_samu.data.concept_vocabulary import ConceptVocabulary
from fairseq_samu.errors import CheckpointError
from fairseq_samu.tasks._checkpoint_vocabulary import (
    load_one_vocabulary,
    read_vocabulary_state,
    require_vocabulary_of_checkpoint,
)

OURS = ConceptVocabulary.from_texts(["<n> ab >"])
OTHERS = ConceptVocabulary.from_texts(["<m> ab >"])


def save(path, vocabulary=None):
    state = {"task_state": {"vocabulary": vocabulary.state_dict()}} if vocabulary else {"task_state": {}}
    torch.save({"model": {"weight": torch.zeros(3)}, **state}, path)


def options(folder, **changed):
    return SimpleNamespace(**{"save_dir": folder, "restore_file": "last.pt", "finetune_from_model": None, **changed})


def test_an_empty_vocabulary_is_filled_in_place():
    vocabulary = ConceptVocabulary()
    dictionary = vocabulary.dictionary
    load_one_vocabulary(vocabulary, OURS.state_dict(), "dual_slu")
    assert vocabulary.labels == OURS.labels and vocabulary.dictionary is dictionary
    load_one_vocabulary(vocabulary, OURS.state_dict(), "dual_slu")


def test_models_that_decode_together_have_one_vocabulary():
    vocabulary = ConceptVocabulary.from_texts(["<n> ab >"])
    with pytest.raises(CheckpointError, match="the same in all checkpoints of --path"):
        load_one_vocabulary(vocabulary, OTHERS.state_dict(), "dual_slu")


def test_a_checkpoint_without_one_is_of_another_task():
    with pytest.raises(CheckpointError, match="fairseq-train --task dual_slu"):
        load_one_vocabulary(ConceptVocabulary(), None, "dual_slu")


@pytest.mark.parametrize("place", ["restore_file", "finetune_from_model"])
def test_a_run_goes_on_with_the_same_labels_alone(tmp_path, place):
    cfg = options(tmp_path, **{place: "last.pt" if place == "restore_file" else str(tmp_path / "other.pt")})
    path = tmp_path / ("last.pt" if place == "restore_file" else "other.pt")
    require_vocabulary_of_checkpoint(cfg, OURS, "Mend.")  # nothing there
    save(path, OURS)
    require_vocabulary_of_checkpoint(cfg, OURS, "Mend.")
    save(path, OTHERS)
    with pytest.raises(CheckpointError) as caught:
        require_vocabulary_of_checkpoint(cfg, OURS, "Give the right labels.")
    assert str(path) in str(caught.value) and "Give the right labels." in str(caught.value)
    assert f"one of {len(OTHERS)} tokens" in str(caught.value)


def test_files_without_a_vocabulary_are_left_to_the_host(tmp_path):
    save(tmp_path / "plain.pt")
    (tmp_path / "text.pt").write_text("no checkpoint", encoding="utf-8")
    torch.save([1], tmp_path / "list.pt")
    for name in ("plain.pt", "text.pt", "list.pt", "absent.pt"):
        assert read_vocabulary_state(tmp_path / name) is None
        require_vocabulary_of_checkpoint(options(tmp_path, restore_file=name), OURS, "Mend.")
    save(tmp_path / "ours.pt", OURS)
    assert set(read_vocabulary_state(tmp_path / "ours.pt")) == {"labels"}
