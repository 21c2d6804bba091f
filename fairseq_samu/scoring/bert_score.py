"""BERTScore by a model of the user's: the published library is not kept for current releases of transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from fairseq_samu.errors import ConfigError, explain

BATCH = 32


class BertScorer:
    """BERTScore (arXiv:1904.09675, equations of section 3): F1 of greedily matched contextual embeddings.

    Without weights by rarity and without rescaling by a baseline. As in the published library, a word may be matched
    with a special token, but special tokens themselves do not count.

    Args:
        folder: a model of transformers with its tokeniser; nothing is downloaded.
        layer: hidden layer whose states are compared; the last one when None.

    Raises:
        ConfigError: the folder holds no model, or the layer does not exist.
    """

    def __init__(self, folder: Path, layer: Optional[int] = None) -> None:
        from transformers import AutoModel, AutoTokenizer

        try:
            self._tokeniser = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
            self._model: Any = AutoModel.from_pretrained(str(folder), local_files_only=True).eval()
        except (OSError, ValueError) as error:
            mend = "Give the directory of a saved model and tokeniser, such as roberta-large's."
            raise ConfigError(
                explain("bertscore", "--bertscore-model", "a model of transformers", folder, mend)
            ) from error
        count = int(self._model.config.num_hidden_layers)
        self.layer = count if layer is None else layer
        if not 0 <= self.layer <= count:
            raise ConfigError(explain("bertscore", "--bertscore-layer", f"from 0 to {count}", layer, "Choose another."))
        self.name = folder.resolve().name

    def score(self, hypotheses: Sequence[str], references: Sequence[str]) -> float:
        """Mean F1 over sentences, from -1 to 1; a sentence without words scores 0."""
        values = []
        pairs = zip(self._embed(hypotheses), self._embed(references), strict=True)
        for (text, is_word), (reference, is_reference_word) in pairs:
            if not is_word.any() or not is_reference_word.any():
                values.append(0.0)
                continue
            cosines = text @ reference.T
            precision = float(cosines[is_word].amax(1).mean())
            recall = float(cosines[:, is_reference_word].amax(0).mean())
            values.append(2 * precision * recall / (precision + recall) if precision + recall else 0.0)
        return sum(values) / len(values)

    def _embed(self, texts: Sequence[str]) -> list[tuple[Any, Any]]:
        """Unit embeddings (U, D) of every text's tokens, and which of them are words, (U,) bool."""
        import torch

        found: list[tuple[Any, Any]] = []
        limit = min(
            self._tokeniser.model_max_length, int(getattr(self._model.config, "max_position_embeddings", 512)) - 2
        )
        for start in range(0, len(texts), BATCH):
            batch = self._tokeniser(
                list(texts[start : start + BATCH]),
                padding=True,
                truncation=True,
                max_length=limit,
                return_tensors="pt",
                return_special_tokens_mask=True,
            )
            special = batch.pop("special_tokens_mask").bool()
            with torch.no_grad():
                states = self._model(**batch, output_hidden_states=True).hidden_states[self.layer]
            units = torch.nn.functional.normalize(states, dim=-1)
            kept = batch["attention_mask"].bool()
            found += [(unit[keep], ~extra[keep]) for unit, keep, extra in zip(units, kept, special, strict=True)]
        return found
