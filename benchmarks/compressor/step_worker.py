"""A model with several compressors in one process, trained step by step with one of them at a time."""

import json
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.compressor.sizes import BLANK
from benchmarks.compressor.step_sizes import STEPS, StepSizes
from benchmarks.compressor.work import draw_labels
from benchmarks.measuring.encoders import draw_weight
from benchmarks.measuring.process import RemoteWorker
from benchmarks.measuring.worker import MeasuringWorker
from benchmarks.translation.work import SAMPLE_RATE, make_batch
from fairseq_samu.criterions.consistency_multitask import ConsistencyMultitaskConfig, ConsistencyMultitaskCriterion
from fairseq_samu.models.compressor_options import build_compressor
from fairseq_samu.models.multitask_st import MultitaskStConfig, MultitaskStModel
from fairseq_samu.models.speech_encoders import build_speech_encoder
from fairseq_samu.modules.fast_linear import use_fast_products
from fairseq_samu.ops.segmentation import find_segments

PAD, SPECIALS = 1, 5
ARMS = {
    "off": ("off", "none"),
    "shrink": ("avg", "none"),
    "segment": ("first", "segment"),
    "global": ("first", "global"),
}
PIECES_PER_SECOND = 4.0  # of the transcript


class PartTimer:
    """Times a compressor inside a step, and hands it the logits of a trained head in place of the random one's.

    Forward runs from the call to its return. Backward runs from the moment at which the gradient of the output is
    there to that at which the gradient of the input is: torch goes back in the reverse order of the calls, and nothing
    else was called in between.

    Attributes:
        seconds: of the last step, forward and backward.

    Args:
        clock: what tells the seconds.
        logits: (B, T, V), whose largest are the labels.
    """

    def __init__(self, clock: Callable[[], float], logits: Tensor) -> None:
        self.clock = clock
        self.logits = logits
        self.seconds = 0.0
        self._begun = 0.0

    def watch(self, compressor: nn.Module) -> None:
        """Time every call of a compressor from now on."""
        compressor.register_forward_pre_hook(self._before)
        compressor.register_forward_hook(self._after)

    def _before(self, module: nn.Module, inputs: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        frames, logits, padding_mask = inputs
        if logits.shape != self.logits.shape:
            raise ValueError(f"the encoder gives {tuple(logits.shape)} logits, not {tuple(self.logits.shape)}")
        own = frames.view_as(frames)
        if own.requires_grad:
            own.register_hook(self._stop)
        self._start()
        return own, self.logits, padding_mask

    def _after(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self._stop()
        if output.frames.requires_grad:
            output.frames.register_hook(self._start)

    def _start(self, gradient: Tensor | None = None) -> None:
        self._begun = self.clock()

    def _stop(self, gradient: Tensor | None = None) -> None:
        self.seconds += self.clock() - self._begun


class StepWorker(MeasuringWorker):
    """Trains one model on one batch, at a rate of 0, so that every step does the same.

    Args:
        size: name of the sizes.
        clock: see :class:`benchmarks.measuring.worker.MeasuringWorker`.
    """

    def __init__(self, size: str, clock: str = "wall") -> None:
        super().__init__(clock)
        torch.manual_seed(1)
        self.sizes = STEPS[size]
        config = model_config(self.sizes)
        self.model = MultitaskStModel(config, build_speech_encoder(self.sizes.encoder), self.sizes.vocabulary, PAD)
        draw_encoder(self.model.encoder)
        self.sample = make_sample(self.model, self.sizes)
        self.timer = PartTimer(self.clock, make_logits(self.sample, self.sizes.vocabulary))
        self.compressors: dict[str, Any] = {}
        for name, (kind, lookback) in ARMS.items():
            chosen = replace(config, compressor=kind, compressor_lookback=lookback)
            self.compressors[name] = compressor = build_compressor(chosen, self.sizes.text["dim"])
            if compressor is not None:
                use_fast_products(compressor)
                self.timer.watch(compressor)
        parts = [self.model, *(part for part in self.compressors.values() if part is not None)]
        self.model.compressor = None
        tuned = [weight for part in parts for weight in part.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.Adam(tuned, lr=0.0, betas=(0.9, 0.98), fused=True)
        self.criterion = build_criterion()

    def choose(self, arm: str) -> None:
        """Train with this compressor from now on."""
        self.model.compressor = self.compressors[arm]

    def train(self) -> dict[str, float]:
        """Train once: forward, loss, backward, optimizer.

        Returns:
            Seconds taken and those of the compressor, seconds of audio, loss of a token.
        """
        torch.manual_seed(1)  # of dropout
        self.model.train()
        self.timer.seconds = 0.0
        begun = self.clock()
        self.optimizer.zero_grad()
        loss, tokens, _ = self.criterion(self.model, self.sample)
        loss.backward()
        self.optimizer.step()
        value = loss.item() / tokens
        taken = self.clock() - begun
        return {"seconds": taken, "compressor": self.timer.seconds, "audio": self.sample["seconds"], "loss": value}

    def ratio(self) -> float:
        """Frames a segment."""
        frames = torch.tensor(self.sample["frames"])
        outside = torch.arange(int(frames.max())) >= frames[:, None]
        segments = find_segments(self.timer.logits.argmax(dim=-1), outside, BLANK)
        return float(frames.sum() / segments.counts.sum())

    def count_parameters(self) -> dict[str, int]:
        """Count the parameters of the model without a compressor, and those of the one in use."""
        compressor = self.model.compressor
        inside = sum(weight.numel() for weight in compressor.parameters()) if compressor is not None else 0
        return {"all": sum(weight.numel() for weight in self.model.parameters()) - inside, "compressor": inside}


def model_config(sizes: StepSizes) -> MultitaskStConfig:
    """Options of the model, without a compressor."""
    return MultitaskStConfig(
        encoder_config=json.dumps(sizes.encoder),
        text_config=json.dumps(sizes.text),
        num_tuned_layers=sizes.tuned_layers,
        compressor="off",
        compressor_heads=sizes.text["num_heads"],
        compressor_ffn_dim=sizes.text["ffn_dim"],
    )


@torch.no_grad()
def draw_encoder(encoder: nn.Module) -> None:
    """Draw the acoustic encoder's weights so that its frames differ."""
    generator = torch.Generator().manual_seed(1)
    for name, weight in encoder.named_parameters():
        weight.copy_(draw_weight(name, weight.shape, generator, encoder.num_layers))


def build_criterion() -> ConsistencyMultitaskCriterion:
    """The criterion with the paper's weights for ST alone; nothing is measured for the log."""
    cfg = ConsistencyMultitaskConfig(
        label_smoothing=0.2, weight_mode="fixed", measure_interval=0, consistency_log="none", save_dir=""
    )
    cfg.joint_tasks = True  # batches have transcripts
    dictionary = SimpleNamespace(pad=lambda: PAD, bos=lambda: BLANK, eos=lambda: 2)
    task: Any = SimpleNamespace(target_dictionary=dictionary, task_names=["st"])
    return ConsistencyMultitaskCriterion(cfg, task)


def make_sample(model: MultitaskStModel, sizes: StepSizes) -> dict[str, Any]:
    """A batch of speech with its translation and its transcript, as the task's data set collates it."""
    low, high = sizes.seconds
    shares = torch.linspace(0.0, 1.0, sizes.utterances).tolist()
    batch = make_batch([int(SAMPLE_RATE * (low + share * (high - low))) for share in shares], sizes.vocabulary, seed=1)
    lengths = (batch.lengths / SAMPLE_RATE * PIECES_PER_SECOND).long()
    drawn = torch.randint(SPECIALS, sizes.vocabulary, (len(lengths), int(lengths.max())))
    transcript = drawn.masked_fill(torch.arange(drawn.size(1)) >= lengths[:, None], PAD)
    source, mask = {"source": batch.wave}, batch.padding_mask
    if sizes.tuned_layers >= 0:
        model.eval()
        with torch.no_grad():
            features, mask = model.encoder.run_to_stage(batch.wave, mask, model.feature_stage)
        source = {"features": features}
    return {
        "task": "st",
        "net_input": {**source, "padding_mask": mask, "prev_output_tokens": batch.prev_output_tokens},
        "target": batch.target,
        "transcript": transcript,
        "transcript_lengths": lengths,
        "ntokens": int(batch.target.ne(PAD).sum()),
        "nsentences": len(lengths),
        "grid": 0,
        "num_skipped": 0,
        "seconds": batch.seconds,
        "frames": model.encoder.count_frames(batch.lengths).tolist(),
    }


def make_logits(sample: dict[str, Any], vocabulary: int) -> Tensor:
    """Logits (B, T, V) of a head that says labels as a trained one does."""
    labels = draw_labels(sample["frames"], vocabulary, torch.Generator().manual_seed(1))
    return torch.zeros(*labels.shape, vocabulary).scatter_(2, labels[:, :, None], 1.0)


def build(size: str, clock: str) -> StepWorker:
    """Make the worker of a size; called in its process."""
    return StepWorker(size, clock)


def start(size: str, clock: str, threads: int) -> RemoteWorker:
    """Start the process of a size."""
    settings = {"size": size, "clock": clock}
    return RemoteWorker(size, "benchmarks.compressor.step_worker:build", settings, threads)
