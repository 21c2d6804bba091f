"""Named adapters of files, put into the model of a run: on what it starts from, or on the checkpoint that decodes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import open_dict
from torch import Tensor

from fairseq_samu.checkpoints.adapter_files import ADAPTED, NamedAdapter, read_adapters, require_new_names
from fairseq_samu.checkpoints.adapter_loading import fill_adapters, load_adapters, refuse_nameless
from fairseq_samu.checkpoints.adapter_tensors import split_adapters
from fairseq_samu.checkpoints.safe_loading import read_torch_file
from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.models.adapter_options import (
    AdapterOptions,
    list_adapter_files,
    list_adapters,
    name_also,
    refuse_lost_parts,
)
from fairseq_samu.models.adapter_probe import probe_part

logger = logging.getLogger(__name__)
LAST = "checkpoint_last.pt"


@dataclass
class FileAdapters:
    """Adapters that the option ``adapter_files`` brings into a model.

    Attributes:
        adapters: by their files.
    """

    adapters: dict[str, NamedAdapter]

    @classmethod
    def read(cls, model_cfg: Any, from_checkpoint: bool = False) -> "FileAdapters":
        """Read the files, and write names and sizes of their adapters into the options of the model, in place.

        Args:
            model_cfg: options of the model, which is not built yet.
            from_checkpoint: the model's own adapters stand in a checkpoint, so that none of them is replaced.

        Raises:
            CheckpointError: with a line for each file that is at fault.
            ConfigError: two adapters have one name, one lacks a part of the model's own of its name, the placements
                differ, or the model is to have nameless ones too.
        """
        if not getattr(model_cfg, "adapter_files", None):
            return cls({})
        with open_dict(model_cfg):
            for known in fields(AdapterOptions):  # which the checkpoint of an earlier version may lack
                if getattr(model_cfg, known.name, None) is None:
                    setattr(model_cfg, known.name, known.default)
        if not from_checkpoint and not list_adapters(model_cfg):
            for option in ("adapter_dim", "decoder_adapter_dim"):
                if getattr(model_cfg, option) > 0:
                    mend = "Name the new adapters by --adapter-names, or leave it out: files know their sizes."
                    rule = "0 with adapter_files where adapters have no names"
                    raise ConfigError(explain("", option, rule, getattr(model_cfg, option), mend))
        files = list_adapter_files(model_cfg)
        adapters = read_adapters([Path(file) for file in files])
        require_new_names(adapters, list_adapters(model_cfg) if from_checkpoint else [])
        for adapter in adapters.values():
            refuse_lost_parts(model_cfg, adapter.name, adapter.parts)
            sizes = {part: own.bottleneck for part, own in adapter.parts.items()}
            changed = name_also(model_cfg, {adapter.name: sizes}, adapter.placement)
            with open_dict(model_cfg):
                for option, value in changed.items():
                    setattr(model_cfg, option, value)
        return cls(adapters)

    def load_into(self, model: Any, task_cfg: Any) -> None:
        """Put the adapters into a model that is to be trained.

        Where the run starts from a checkpoint, they are compared with that, and those that it holds are its own. From
        a checkpoint a model with further adapters may start, which begin anew.

        Args:
            model: with all other weights that are pre-trained.
            task_cfg: options of the task, which know what the host will load.

        Raises:
            CheckpointError: see ``load_adapters``; nothing is loaded then.
        """
        start = _read_start(task_cfg)
        if start is not None:
            refuse_nameless_beside(model, start)
            model.register_load_state_dict_pre_hook(_fill)
        held = {} if start is None else split_adapters(start)
        wanted = {file: adapter for file, adapter in self.adapters.items() if adapter.name not in held}
        load_adapters(model, wanted, partial(probe_part, model), start)
        for file in self.adapters.keys() - wanted.keys():
            logger.info(f"adapter {self.adapters[file].name}: that of the checkpoint, not of {file}")
        _tell(wanted)

    def load_when_read(self, model: Any) -> None:
        """Put the adapters into a model beside those of the checkpoint that the host is about to load."""
        if self.adapters:
            model.register_load_state_dict_pre_hook(self._load_on)

    def _load_on(self, model: Any, state: dict[str, Tensor], *rest: Any) -> None:
        refuse_nameless(state, "checkpoint")
        load_adapters(model, self.adapters, partial(probe_part, model), state)
        fill_adapters(model, state)
        _tell(self.adapters)


def refuse_nameless_beside(model: Any, state: Mapping[str, Tensor]) -> None:
    """Refuse to start a model with named adapters from a checkpoint whose adapter has no name.

    Raises:
        CheckpointError: it has none.
    """
    if model.adapter_names:
        refuse_nameless(state, "checkpoint that the training starts from")


def _fill(model: Any, state: dict[str, Tensor], *rest: Any) -> None:
    added = fill_adapters(model, state)
    if added:
        logger.info(f"the checkpoint lacks adapters of this model: {', '.join(added)}")


def _tell(adapters: Mapping[str, NamedAdapter]) -> None:
    for file, adapter in adapters.items():
        sizes = ", ".join(f"{part} {own.bottleneck}" for part, own in adapter.parts.items())
        logger.info(f"adapter {adapter.name} from {file}: {sizes}")
        if any(ADAPTED not in own.probe for own in adapter.parts.values()):
            logger.warning(f"adapter {adapter.name} from {file}: averaged or composed, its outputs are not checked")


def _read_start(cfg: Any) -> Mapping[str, Tensor] | None:
    """Weights of the checkpoint that the host will load at the start of a training; None where there is none."""
    restored = str(cfg.restore_file)
    path = Path(cfg.save_dir) / LAST if restored == LAST else Path(restored)
    if restored == LAST and not path.is_file():
        path = Path(cfg.finetune_from_model or "")
    if not path.is_file():
        return None  # none, or none there: the host says so
    checkpoint = read_torch_file(path, lazily=True)
    return checkpoint.get("model") if isinstance(checkpoint, Mapping) else None
