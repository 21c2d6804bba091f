"""One update and what follows it, in this process, by the host's own parser, tasks and trainer."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from fairseq import metrics, options, tasks, utils
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.trainer import Trainer
from omegaconf import open_dict
from torch import Tensor, nn

import fairseq_samu

MAX_TOKENS = 12


@dataclass
class Trained:
    """A model after its first update.

    Attributes:
        cfg: options of the run.
        task: its task.
        model: in evaluation mode and double precision, where a padded batch can be told from single rows.
        before: its parameters before the update, by name.
        log: what the update logged.
    """

    cfg: Any
    task: Any
    model: nn.Module
    before: dict[str, Tensor]
    log: dict[str, Any]

    def moved(self) -> set[str]:
        """Names of the parameters that the update changed."""
        return {name for name, p in self.model.named_parameters() if not torch.equal(p.float(), self.before[name])}

    def batches(self, split: str, rows: list[int]) -> Iterator[dict[str, Any]]:
        """Batches of a split that is decoded, in double precision: all rows together, then each of them alone."""
        self.task.load_dataset(split, task_cfg=self.cfg.task)
        dataset = self.task.dataset(split)
        for chosen in (rows, *([row] for row in rows)):
            sample = dataset.collater([dataset[row] for row in chosen])
            inputs = {name: x.double() if x.is_floating_point() else x for name, x in sample["net_input"].items()}
            yield {**sample, "net_input": inputs}

    def decode(self, sample: dict[str, Any]) -> list[dict[str, Tensor]]:
        """Best hypothesis of each row of a batch, as fairseq-generate finds it."""
        with open_dict(self.cfg):
            self.cfg.generation.beam, self.cfg.generation.max_len_b = 3, MAX_TOKENS
        generator = self.task.build_generator([self.model], self.cfg.generation)
        return [found[0] for found in self.task.inference_step(generator, [self.model], sample)]


def train_one_update(command: list[str]) -> Trained:
    """Build a run as fairseq-train does, and train on its first batch.

    Args:
        command: arguments of fairseq-train after the program.
    """
    fairseq_samu.register()
    parsed = options.parse_args_and_arch(options.get_training_parser(), input_args=command)
    cfg = convert_namespace_to_omegaconf(parsed)
    metrics.reset()
    utils.set_torch_seed(cfg.common.seed)
    task = tasks.setup_task(cfg.task)
    model = task.build_model(cfg.model)
    trainer = Trainer(cfg, task, model, task.build_criterion(cfg.criterion))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    batches = trainer.get_train_iterator(epoch=1).next_epoch_itr(shuffle=False)
    trainer.begin_epoch(1)
    with metrics.aggregate("one update") as aggregated:
        trainer.train_step([next(batches)])
    return Trained(cfg, task, model.eval().double(), before, dict(aggregated.get_smoothed_values()))
