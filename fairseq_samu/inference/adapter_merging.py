"""Named adapters of a trained translation model: taken out, and put into another one that began alike."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from fairseq_samu.checkpoints.adapter_files import NamedAdapter, require_new_names
from fairseq_samu.checkpoints.adapter_loading import load_adapters, refuse_nameless, take_adapter
from fairseq_samu.checkpoints.adapter_tensors import NAMELESS, adapter_of, split_adapters
from fairseq_samu.checkpoints.trained_translator import LoadedTranslator
from fairseq_samu.data.language_codes import canonical_language
from fairseq_samu.errors import CheckpointError, explain
from fairseq_samu.inference.translator_building import (
    TranslationModel,
    build_translator,
    build_vocabulary,
    model_options,
)
from fairseq_samu.models.adapter_options import ADAPTER_GROUPS, list_adapters, name_also, refuse_lost_parts
from fairseq_samu.models.adapter_probe import probe_part


def export_adapters(
    loaded: LoadedTranslator, names: list[str], language: str = "", where: str = "checkpoint"
) -> list[NamedAdapter]:
    """Take adapters out of a model.

    Args:
        loaded: the model.
        names: of the adapters; all where empty. A model's one adapter without a name is given the one name.
        language: that they serve; without it the name, where this is the code of a language.
        where: name of the file, for messages.

    Raises:
        CheckpointError: the model has none of a name, or several where one is to be named.
    """
    found = split_adapters(loaded.state)
    if set(found) == {NAMELESS}:
        if len(names) != 1:
            mend = "Name it: --names be."
            raise CheckpointError(explain(where, "names", "one, as the model's adapter has none", len(names), mend))
        called = {NAMELESS: names[0]}
    else:
        called = {name: name for name in names or found}
    if missing := [name for name in called if name not in found]:
        listed = ", ".join(found) or "none"
        mend = "Name adapters of the model."
        raise CheckpointError(explain(where, "names", f"of its adapters ({listed})", ", ".join(missing), mend))
    model = build_translator(loaded, build_vocabulary(loaded.vocabulary), where)
    together = tuple(group for group in find_tuned_groups(model) if not group.startswith(ADAPTER_GROUPS))
    probe = partial(probe_part, model)
    return [
        take_adapter(loaded.state, own, probe, name, language or canonical_language(name) or "", together)
        for own, name in called.items()
    ]


def find_tuned_groups(model: TranslationModel) -> list[str]:
    """Names of the groups of which anything is tuned."""
    groups = model.parameter_groups().items()
    return [name for name, own in groups if any(parameter.requires_grad for parameter in own)]


def insert_adapters(
    loaded: LoadedTranslator, adapters: Mapping[str, NamedAdapter], where: str = "checkpoint", replaced: bool = False
) -> LoadedTranslator:
    """Put adapters into a model.

    Args:
        loaded: the model, with named adapters or with none.
        adapters: by their files.
        where: name of the model's file, for messages.
        replaced: adapters may take the place of the model's own of the same name.

    Returns:
        The model with them; the given one stays as it was.

    Raises:
        CheckpointError: with a line for each file whose adapter does not belong to this model.
        ConfigError: a name is taken, a part of the model's own adapter would be lost, or the placements differ.
    """
    refuse_nameless(loaded.state, where)
    cfg = model_options(loaded)
    require_new_names(adapters, [] if replaced else list_adapters(cfg))
    for adapter in adapters.values():
        refuse_lost_parts(cfg, adapter.name, adapter.parts)
        sizes = {part: own.bottleneck for part, own in adapter.parts.items()}
        for option, value in name_also(cfg, {adapter.name: sizes}, adapter.placement).items():
            setattr(cfg, option, value)
    options = ("adapter_names", "adapter_sizes", "adapter_placement", "adapter_files")
    config = {**loaded.config, "model": {**loaded.settings, **{name: getattr(cfg, name) for name in options}}}
    added = {adapter.name for adapter in adapters.values()}
    kept = {name: t for name, t in loaded.state.items() if adapter_of(name) not in added}
    model = build_translator(
        replace(loaded, config=config, state=kept),
        build_vocabulary(loaded.vocabulary),
        where,
        optional=lambda name: adapter_of(name) in added,
    )
    load_adapters(model, adapters, partial(probe_part, model))
    state = {name: kept.get(name, tensor) for name, tensor in model.state_dict().items()}
    return replace(loaded, config=config, state=state)
