"""A tagging head goes on with other labels: what it writes for a label goes with the label."""

import json
import logging

import pytest
import torch

pytest.importorskip("fairseq", reason="the model stands on the host")

from fairseq_samu.data.concept_vocabulary import ConceptVocabulary
from fairseq_samu.errors import CheckpointError
from fairseq_samu.models.samu_slu import SamuSluConfig, SamuSluModel
from fairseq_samu.tasks._concept_head_loading import load_concept_head
from tests.unit.models.conftest import TINY

FIRST = ConceptVocabulary.from_texts(["<room> abc > <date> b >"])
SECOND = ConceptVocabulary.from_texts(["<date> bé > <price> cz >"])


def build(vocabulary, seed, **options):
    torch.manual_seed(seed)
    sizes = {"lstm_dim": 6, "num_lstm_layers": 2, "slu_hidden_dim": 8, "embedding_dim": 5, "seed": 1, **options}
    cfg = SamuSluConfig(encoder_config=json.dumps(TINY["xlsr"]), num_labels=len(vocabulary), **sizes)
    model = SamuSluModel.build_model(cfg)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    return model


def save(path, model, vocabulary):
    torch.save({"model": model.state_dict(), "task_state": {"vocabulary": vocabulary.state_dict()}}, path)
    return path


@pytest.mark.parametrize("features", ["last", "weighted"])
def test_rows_of_labels_are_carried_over_by_name(tmp_path, caplog, features):
    old, new = build(FIRST, 1, slu_features=features), build(SECOND, 2, slu_features=features)
    before = {name: tensor.clone() for name, tensor in new.state_dict().items()}
    with caplog.at_level(logging.INFO, "fairseq_samu"):
        load_concept_head(new, SECOND, save(tmp_path / "old.pt", old, FIRST))
    after, theirs = new.state_dict(), old.state_dict()
    symbols = [*SECOND.dictionary.symbols]
    assert len(symbols) == len(SECOND) and symbols[:4] == ["<s>", "<pad>", "</s>", "<unk>"]
    for part in ("weight", "bias"):
        name = f"slu_head.output.{part}"
        for number, symbol in enumerate(symbols):
            known = symbol in FIRST.dictionary.indices
            expected = theirs[name][FIRST.dictionary.indices[symbol]] if known else before[name][number]
            assert torch.equal(after[name][number], expected), (name, symbol)
    fresh = [symbol for symbol in symbols if symbol not in FIRST.dictionary.indices]
    assert sorted(fresh) == sorted(["<price>", "z", "é"])
    assert f"{len(SECOND) - 3} labels known, new: {' '.join(fresh)}" in caplog.text
    for name in after:
        if name.startswith(("slu_head.lstm", "slu_head.hidden", "layer_mixture")):
            assert torch.equal(after[name], theirs[name]), name
        elif not name.startswith("slu_head"):
            assert torch.equal(after[name], before[name]), f"{name} is none of the tagging head's"


def test_the_same_labels_are_the_same_head(tmp_path, caplog):
    old, new = build(FIRST, 1), build(FIRST, 2)
    with caplog.at_level(logging.INFO, "fairseq_samu"):
        load_concept_head(new, FIRST, save(tmp_path / "old.pt", old, FIRST))
    frames, mask = torch.randn(1, 6, 32), torch.zeros(1, 6, dtype=torch.bool)
    assert torch.equal(new.slu_head(frames, mask), old.slu_head(frames, mask))
    assert "new: none" in caplog.text


def test_a_head_of_another_size_is_refused(tmp_path):
    path = save(tmp_path / "old.pt", build(FIRST, 1, num_lstm_layers=1), FIRST)
    with pytest.raises(CheckpointError, match=r"slu_head\.lstm\.weight_ih_l1"):
        load_concept_head(build(SECOND, 2), SECOND, path)
    path = save(tmp_path / "old.pt", build(FIRST, 1, slu_hidden_dim=4), FIRST)
    with pytest.raises(CheckpointError, match=r"slu_head\.output\.weight"):
        load_concept_head(build(SECOND, 2), SECOND, path)
    path = save(tmp_path / "old.pt", build(FIRST, 1), FIRST)
    with pytest.raises(CheckpointError, match="layer_mixture"):
        load_concept_head(build(SECOND, 2, slu_features="weighted"), SECOND, path)


@pytest.mark.parametrize(
    "content",
    [{"model": {"encoder.weight": torch.zeros(2)}, "task_state": {}}, {"model": None}, [1, 2], {"weights": {}}],
    ids=["another model", "no model", "a list", "other keys"],
)
def test_files_without_a_tagging_head_are_named(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=r"other\.pt: `slu_checkpoint` must be one of samu_slu"):
        load_concept_head(build(FIRST, 1), FIRST, tmp_path / "other.pt")


def test_what_is_no_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="`slu_checkpoint` must be a file"):
        load_concept_head(build(FIRST, 1), FIRST, tmp_path / "absent.pt")
    (tmp_path / "text.pt").write_text("no checkpoint", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"text\.pt"):
        load_concept_head(build(FIRST, 1), FIRST, tmp_path / "text.pt")
