"""A tagging head that was trained before, taken on for the labels of this run."""

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from fairseq_samu.checkpoints.key_report import load_strict
from fairseq_samu.checkpoints.safe_loading import read_torch_file
from fairseq_samu.data.concept_vocabulary import ConceptVocabulary
from fairseq_samu.errors import CheckpointError, explain
from fairseq_samu.models.samu_slu import SamuSluModel

logger = logging.getLogger(__name__)
PREFIXES = ("slu_head.", "layer_mixture.")
PER_LABEL = ("slu_head.output.weight", "slu_head.output.bias")


def load_concept_head(model: SamuSluModel, vocabulary: ConceptVocabulary, path: Path) -> None:
    """Copy the tagging head of a checkpoint; what it writes for a label goes with the label, whatever its number.

    Labels that the checkpoint lacks keep the random weights that they have.

    Args:
        model: of this run.
        vocabulary: of this run.
        path: checkpoint of samu_slu.

    Raises:
        CheckpointError: the file holds no tagging head, or one of another size.
    """
    if not path.is_file():
        raise CheckpointError(explain("", "slu_checkpoint", "a file", path, "Check the path."))
    checkpoint = read_torch_file(path)
    whole = checkpoint.get("model") if isinstance(checkpoint, Mapping) else None
    state = {name: tensor for name, tensor in (whole or {}).items() if name.startswith(PREFIXES)}
    labels = (checkpoint.get("task_state") or {}).get("vocabulary") if state else None
    if labels is None:
        rule, mend = "one of samu_slu", "Name a checkpoint of `fairseq-train --task dual_slu`."
        raise CheckpointError(explain(str(path), "slu_checkpoint", rule, "without a tagging head", mend))
    other = ConceptVocabulary()
    other.load_state_dict(labels)
    own = {name: tensor for name, tensor in model.state_dict().items() if name.startswith(PREFIXES)}
    for name in PER_LABEL:
        state[name] = _by_label(state[name], own[name], other, vocabulary)
    head = torch.nn.ModuleDict({part: module for part, module in model.named_children() if f"{part}." in PREFIXES})
    load_strict(head, state, where=str(path))
    new = [label for label in vocabulary.labels if label not in set(other.labels)]
    logger.info(f"tagging head from {path}: {len(vocabulary) - len(new)} labels known, new: {' '.join(new) or 'none'}")


def _by_label(theirs: Tensor, ours: Tensor, known: ConceptVocabulary, wanted: ConceptVocabulary) -> Tensor:
    """Sort rows of (V', ...) by the labels of (V, ...); rows of another size stay as they are, to be reported."""
    if theirs.shape[1:] != ours.shape[1:]:
        return theirs
    symbols = wanted.dictionary.symbols
    places = {symbol: number for number, symbol in enumerate(known.dictionary.symbols)}
    rows = ours.clone()
    for number, symbol in enumerate(symbols):
        if symbol in places:
            rows[number] = theirs[places[symbol]]
    return rows
