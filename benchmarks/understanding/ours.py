"""The measured system: samu_slu, its criterion dual_slu, the optimizer grouped, and its generators of labels."""

import json
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmarks.measuring.our_products import use_products_of_the_peer
from benchmarks.understanding.sizes import BEAM, BLANK, EMBEDDING, EOS, PAD, Sizes
from benchmarks.understanding.system import System
from benchmarks.understanding.work import Batch
from fairseq_samu.criterions.dual_slu import DualSluConfig, DualSluCriterion
from fairseq_samu.data.collate import pad
from fairseq_samu.data.feature_cache import FeatureCache
from fairseq_samu.models.ctc_search import BeamCtcGenerator, CtcGenerator, GreedyCtcGenerator
from fairseq_samu.models.samu_slu import SamuSluConfig, SamuSluModel
from fairseq_samu.models.speech_encoders import build_speech_encoder
from fairseq_samu.ops.ctc_prefix_beam_search import BeamOptions
from fairseq_samu.optim.grouped_steps import GroupedSteps


class OurSystem(System):
    """samu_slu.

    Args:
        sizes: of the model.
        folder: the common weights.
        freeze: keep the whole encoder frozen; otherwise the convolutions alone.
        semantic_weight: of the distillation beside the tagging; 0 for the peer's loss.
        cached: read frames from the package's feature cache, which the frozen encoder filled before.
        labels_per_frame: labels of a frame that beam search tries; 0 for all.
        fast_products: linear layers compute by oneDNN where that is the faster library, as the model is built; False:
            by torch's own choice, as the peer's do.
    """

    def __init__(
        self,
        sizes: Sizes,
        folder: Path,
        freeze: bool = False,
        semantic_weight: float = 0.0,
        cached: bool = False,
        labels_per_frame: int = 0,
        fast_products: bool = False,
    ) -> None:
        cfg = SamuSluConfig(
            encoder_config=json.dumps(sizes.encoder),
            embedding_dim=EMBEDDING,
            lstm_dim=sizes.lstm_dim,
            num_lstm_layers=sizes.num_lstm_layers,
            slu_hidden_dim=sizes.lstm_dim,
            num_labels=sizes.labels,
            num_tuned_layers=0 if freeze else -1,
            slu_weight=1.0,
            semantic_weight=semantic_weight,
        )
        self.model = SamuSluModel(cfg, build_speech_encoder(sizes.encoder))
        self.model.load_state_dict(load_file(folder / "state.safetensors"))
        if not fast_products:
            use_products_of_the_peer(self.model)
        for name, parameter in self.model.encoder.named_parameters():
            parameter.requires_grad = not freeze and self.model.encoder.group_of(name) != "feature_extractor"
        self.optimizer = GroupedSteps(_groups(self.model))
        task: Any = SimpleNamespace(target_dictionary=SimpleNamespace(pad=lambda: PAD))
        self.criterion = DualSluCriterion(DualSluConfig(semantic_weight=semantic_weight, slu_weight=1.0), task)
        options = BeamOptions(BEAM, labels_per_frame, forbidden=(PAD, EOS))
        self.best_path: CtcGenerator = GreedyCtcGenerator(BLANK, EOS)
        self.beam_search: CtcGenerator = BeamCtcGenerator(BLANK, EOS, options)
        self.cache: FeatureCache | None = None
        self.cached = cached

    def train(self) -> None:
        """Switch to training."""
        self.model.train()

    def loss(self, batch: Batch) -> Tensor:
        """Loss of the criterion dual_slu, divided by the rows as the trainer divides it."""
        sample = {
            "net_input": self._inputs(batch),
            "target": batch.labels,
            "target_lengths": batch.label_lengths + 1,
            "teacher": batch.teacher,
            "ntokens": 0,
            "nsentences": len(batch.lengths),
            "grid": 0,
            "num_skipped": 0,
        }
        if self.criterion.semantic_weight == 0:
            del sample["teacher"]
        loss, rows, _ = self.criterion(self.model, sample)
        return loss / rows

    @torch.no_grad()
    def log_probs(self, batch: Batch) -> Tensor:
        """Log-probabilities of the labels."""
        logits = self.model(batch.wave, batch.padding_mask).ctc_logits
        assert logits is not None
        return torch.log_softmax(logits, dim=-1)

    def greedy(self, batch: Batch) -> list[list[int]]:
        """Best path by the package's generator."""
        net_input = {"source": batch.wave, "padding_mask": batch.padding_mask}
        return _labels(self.best_path.generate([self.model], {"net_input": net_input}))

    def search(self, batch: Batch, log_probs: Tensor) -> list[list[int]]:
        """Prefix beam search by the package's generator, times of the labels included."""
        frames = self.model.encoder.count_frames(batch.lengths)
        return _labels(self.beam_search.search(log_probs, torch.arange(log_probs.size(1)) >= frames[:, None]))

    def tagging_parameters(self) -> list[nn.Parameter]:
        """Parameters of encoder and tagging head."""
        return [*self.model.encoder.parameters(), *self.model.slu_head.parameters()]

    def prepare(self, batch: Batch) -> None:
        """Fill the cache, as training does once for a data set."""
        if not self.cached:
            return
        encoder = self.model.encoder.eval()
        # lives as long as the process
        self._folder = tempfile.TemporaryDirectory()
        self.cache = FeatureCache(self._folder.name, "benchmark", encoder.dim)
        waves = [wave[:length].numpy() for wave, length in zip(batch.wave, batch.lengths.tolist(), strict=True)]

        def encode(chosen: list[np.ndarray]) -> list[np.ndarray]:
            with torch.no_grad():
                frames, mask = encoder.run_to_stage(*pad(chosen), encoder.whole_stage)
            return [row[: int(count)].numpy() for row, count in zip(frames, (~mask).sum(dim=1), strict=True)]

        wanted = [(str(row), len(wave)) for row, wave in enumerate(waves)]
        self.cache.build(wanted, lambda row: waves[row], encode, batch.wave.numel())

    def _inputs(self, batch: Batch) -> dict[str, Tensor]:
        if self.cache is None:
            return {"source": batch.wave, "padding_mask": batch.padding_mask}
        features, padding_mask = pad([self.cache.get(str(row)) for row in range(len(batch.lengths))])
        return {"features": features, "padding_mask": padding_mask}


def _groups(model: SamuSluModel) -> list[dict[str, Any]]:
    """The recipe's optimizers, as `--group-optimizers encoder=adam,head=adam,slu_head=adadelta` makes them."""
    kinds = {"adam": (model.encoder, model.head), "adadelta": (model.slu_head,)}
    extras = {"adam": {"betas": (0.9, 0.999), "eps": 1e-8}, "adadelta": {"rho": 0.95, "eps": 1e-8}}
    groups = []
    for kind, parts in kinds.items():
        tuned = [parameter for part in parts for parameter in part.parameters() if parameter.requires_grad]
        if tuned:
            made = {
                "params": tuned,
                "group_name": kind,
                "kind": kind,
                "base_lr": 0.0,
                "lr_scale": 1.0,
                "weight_decay": 0.0,
            }
            groups.append({**made, **extras[kind]})
    return groups


def _labels(found: list[list[dict[str, Tensor]]]) -> list[list[int]]:
    return [row[0]["tokens"][:-1].tolist() for row in found]
