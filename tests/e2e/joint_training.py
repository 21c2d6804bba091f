"""Training of speech translation, recognition and text translation together, small and without anything drawn."""

import json
from pathlib import Path

from tests.e2e.training import ENCODER, ROOT
from tests.e2e.translation import TranslationCorpus, translation_command

TEXT = {"dim": 32, "ffn_dim": 64, "num_heads": 4, "num_layers": 2, "decoder_layers": 2, "max_positions": 128}

# Writes each batch that is trained on to FOLDER, as UPDATE-NUMBER.pt
SAVE_BATCHES = """
import pathlib, torch
from fairseq.tasks import FairseqTask
real_step = FairseqTask.train_step
def save_and_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False):
    folder = pathlib.Path("{folder}")
    if not ignore_grad:
        number = len(list(folder.glob(f"{{update_num + 1}}-*.pt")))
        torch.save(sample, folder / f"{{update_num + 1}}-{{number}}.pt")
    return real_step(self, sample, model, criterion, optimizer, update_num, ignore_grad)
FairseqTask.train_step = save_and_step
"""

# Writes a line to FILE for each row of speech that is read, with its task, and for each batch that is trained on
TELL_READING = """
from fairseq.tasks import FairseqTask
from fairseq_samu.data.speech_text_dataset import SpeechTextDataset
def tell(*words):
    with open("{file}", "a") as file:
        print(*words, file=file)
real_row = SpeechTextDataset.__getitem__
def tell_row(self, index):
    tell("read", self.targets.task)
    return real_row(self, index)
SpeechTextDataset.__getitem__ = tell_row
real_step = FairseqTask.train_step
def tell_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False):
    tell("train", update_num + 1, *sample["tasks"])
    return real_step(self, sample, model, criterion, optimizer, update_num, ignore_grad)
FairseqTask.train_step = tell_step
"""


def joint_command(corpus: TranslationCorpus, save_dir: Path, **changed: object) -> list[str]:
    """Arguments of fairseq-train after the program, as :func:`tests.e2e.training.train_command` takes them."""
    options: dict[str, object] = {
        "user_dir": ROOT / "fairseq_samu",
        "tasks": "st,asr,mt",
        "joint_tasks": True,
        "arch": "multitask_st",
        "encoder_path": None,
        "decoder_path": None,
        "adapter_dim": None,
        "encoder_config": json.dumps(ENCODER),
        "text_config": json.dumps(TEXT),
        "text_dropout": 0.0,
        "compressor_heads": 4,
        "compressor_ffn_dim": 64,
        "compressor_dropout": 0.0,
        "sentencepiece_model": corpus.decoder / "sentencepiece.bpe.model",
        "criterion": "consistency_multitask",
        "label_smoothing": 0.2,
        "alignment_weight": 0.0,
        "measure_interval": 1,
        "weight_interval": 3,
        "drop_below": 0.0,
        "disable_validation": True,
    }
    return translation_command(corpus, save_dir, **{**options, **changed})


def read_lines(path: Path) -> list[dict[str, object]]:
    """Lines of the log of measurements, without the time they took."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert all(float(line.pop("seconds")) >= 0 for line in lines)
    return lines
