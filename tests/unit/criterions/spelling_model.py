"""A model for tests whose outputs are written down, and batches for it."""

from types import SimpleNamespace

import torch
from torch import Tensor, nn

from fairseq_samu.criterions.consistency_multitask import ConsistencyMultitaskConfig, ConsistencyMultitaskCriterion

BLANK, PAD, END, TAG = 0, 1, 2, 3
SIZE = 8  # of the vocabulary; pieces are 4 to 7
NAMES = ("ntokens", "nsentences", "grid", "num_skipped")


class SpellingModel(nn.Module):
    """Its acoustic encoder, textual encoder and decoder are one vector each, added to what goes through.

    Speech is given as frames (B, T, V), whose values are the logits of CTC; text as tokens, whose embeddings are
    unit vectors (V,). ``calls`` lists what ran.
    """

    def __init__(self, acoustic: float = 0.0, textual: float = 0.0, decoder: float = 0.0) -> None:
        super().__init__()
        ramp = torch.arange(SIZE, dtype=torch.float32) / SIZE
        self.acoustic = nn.Parameter(acoustic * ramp)
        self.textual = nn.Parameter(textual * ramp)
        self.decoder = nn.Parameter(decoder * ramp)
        self.output = nn.Parameter(torch.eye(SIZE), requires_grad=False)
        self.calls: list[str] = []
        self.aligned: list[list[list[int]]] = []

    def forward(
        self,
        source: Tensor | None = None,
        padding_mask: Tensor | None = None,
        source_tokens: Tensor | None = None,
        prev_output_tokens: Tensor | None = None,
    ) -> SimpleNamespace:
        decodes = "" if prev_output_tokens is None else " and decode"
        if source_tokens is not None:
            self.calls.append("text" + decodes)
            output = self.encode(self.output[source_tokens], source_tokens == PAD)
        else:
            assert source is not None
            assert padding_mask is not None
            self.calls.append("speech" + decodes)
            frames = source + self.acoustic
            output = self.encode(frames, padding_mask)
            output.ctc_logits, output.padding_mask = frames, padding_mask
        if prev_output_tokens is not None:
            valid = (~output.state_mask)[:, :, None]
            mean = (output.states * valid).sum(dim=1) / valid.sum(dim=1)
            output.hidden = self.output[prev_output_tokens] + self.decoder + mean[:, None]
        return output

    def encode(self, compressed: Tensor, mask: Tensor) -> SimpleNamespace:
        states = compressed + self.textual
        parts = {"compressed": compressed, "states": states, "state_mask": mask, "output_weight": self.output}
        return SimpleNamespace(**parts, hidden=None, ctc_logits=None, padding_mask=None)

    def encode_text(self, tokens: Tensor) -> SimpleNamespace:
        self.aligned.append(tokens.tolist())
        return self.encode(self.output[tokens], tokens == PAD)

    def probed_parameters(self) -> dict[str, list[tuple[int, nn.Parameter]]]:
        named = {"acoustic_encoder": self.acoustic, "textual_encoder": self.textual, "decoder": self.decoder}
        return {name: [(0, parameter)] for name, parameter in named.items()}


def pad(rows: list[list[int]], value: int = PAD) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [value] * (longest - len(row)) for row in rows])


def speech(task: str, heard: list[Tensor], written: list[list[int]], said: list[list[int]] | None) -> dict:
    """A batch of frames (T, V) a row, target pieces and pieces of what is said."""
    lengths = [len(row) for row in heard]
    source = torch.zeros(len(heard), max(lengths), SIZE)
    for row, frames in enumerate(heard):
        source[row, : len(frames)] = frames
    mask = torch.arange(max(lengths)) >= torch.tensor(lengths)[:, None]
    return texts(task, {"source": source, "padding_mask": mask}, written, said)


def text(source: list[list[int]], written: list[list[int]]) -> dict:
    return texts("mt", {"source_tokens": pad(source)}, written, None)


def texts(task: str, net_input: dict, written: list[list[int]], said: list[list[int]] | None) -> dict:
    target = pad([[TAG, *row, END] for row in written])
    previous = pad([[END, TAG, *row] for row in written])
    batch = dict.fromkeys(NAMES, len(written)) | {"task": task, "target": target}
    batch |= {"net_input": net_input | {"prev_output_tokens": previous}}
    if said is not None:
        batch |= {"transcript": pad(said), "transcript_lengths": torch.tensor([len(row) for row in said])}
    return batch


def joint(**tasks: dict) -> dict:
    main = next(iter(tasks.values()))
    return {"tasks": tasks, **{name: main[name] for name in (*NAMES, "net_input")}}


def silence(num_frames: int) -> Tensor:
    """Frames in which every label is as likely as any other."""
    return torch.zeros(num_frames, SIZE)


def spelt(pieces: list[int], certainty: float = 3.0) -> Tensor:
    """A frame for each piece, which is likely in it."""
    frames = silence(len(pieces))
    frames[torch.arange(len(pieces)), torch.tensor(pieces)] = certainty
    return frames


def make_criterion(
    tasks: str = "st,asr,mt", shared_asr: bool = False, joint_tasks: bool = True, log: str = "", **options: object
):
    cfg = ConsistencyMultitaskConfig(**{"measure_interval": 0, "alignment_temperature": 1.0, **options})
    cfg.shared_asr, cfg.joint_tasks = shared_asr, joint_tasks
    cfg.distributed_rank, cfg.save_dir, cfg.consistency_log = 0 if log else 1, "", log
    dictionary = SimpleNamespace(pad=lambda: PAD, bos=lambda: BLANK)
    task = SimpleNamespace(task_names=tasks.split(","), target_dictionary=dictionary)
    criterion = ConsistencyMultitaskCriterion(cfg, task)
    criterion.begin_update(1)
    return criterion
