"""Options of the adapters in encoder and decoder: sizes, places, names, and which of them are tuned.

A model mixes :class:`AdapterOptions` into its config, adds :func:`find_adapter_faults` to its own faults, calls
:func:`add_adapters` for the layers of each part, and narrows what is tuned by :func:`tuned_adapter_groups`.

Names of parameters: ``...attention_adapter.down.weight`` without adapter names, and with them
``...attention_adapter.be.down.weight``. A row's adapter is the place of its name in :func:`list_adapters`.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from torch import nn

from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.modules.adapter import Adapter
from fairseq_samu.modules.named_adapters import NamedAdapters

PLACES = {"two": ("attention_adapter", "ffn_adapter"), "one": ("layer_adapter",)}
"""Places inside of a layer by placement."""
ADAPTER_MARK = "_adapter."  # of the names of adapters inside of encoder and decoder
GROUP_OF_PART = {"encoder": "encoder_adapters", "decoder": "decoder_adapters"}
ADAPTER_GROUPS = tuple(GROUP_OF_PART.values())
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass
class AdapterOptions(FairseqDataclass):
    """Options of the adapters inside a model."""

    adapter_dim: int = field(
        default=0, metadata={"help": "inner size of the encoder's adapters (0 = none; the paper: a fourth, 256)"}
    )
    decoder_adapter_dim: int = field(default=0, metadata={"help": "inner size of the decoder's adapters (0 = none)"})
    adapter_placement: ChoiceEnum([*PLACES]) = field(  # type: ignore[valid-type]
        default="two",
        metadata={
            "help": "adapters of a layer: two, behind attention and feed-forward network (arXiv:2306.00789), or one, "
            "behind the layer (arXiv:2410.13445)"
        },
    )
    adapter_names: str = field(
        default="",
        metadata={
            "help": "names of adapters, comma-separated, such as languages (be,ro,ca): each has its own of the size "
            "above, and a row goes through that of its language; empty for one that all rows go through"
        },
    )
    adapter_sizes: str = field(
        default="",
        metadata={
            "help": "inner sizes of named adapters that have others than those above, as JSON: "
            """'{"be": {"encoder": 64, "decoder": 0}}'; kept in checkpoints that adapters of files were put into"""
        },
    )
    tuned_adapters: str = field(
        default="",
        metadata={
            "help": "names of the adapters that are tuned, where tuned_groups has adapters; the others stay as they "
            "are (empty = all)"
        },
    )
    adapter_files: str = field(
        default="",
        metadata={
            "help": "files of `fairseq-samu adapters export`, comma-separated, whose named adapters are put into the "
            "model beside those of adapter_names; a checkpoint of the training then holds them"
        },
    )


def list_adapter_files(cfg: AdapterOptions) -> list[str]:
    """Paths of files that bring adapters with them."""
    return _split(cfg.adapter_files)


def list_adapters(cfg: AdapterOptions) -> list[str]:
    """Names of a model's adapters in the order of their numbers; empty where adapters have no names."""
    return _split(cfg.adapter_names)


def find_bottlenecks(cfg: AdapterOptions, part: str) -> dict[str, int]:
    """Inner sizes of named adapters.

    Args:
        cfg: options.
        part: "encoder" or "decoder".

    Returns:
        Size by name, 0 for a name without an adapter in this part.

    Raises:
        ConfigError: ``adapter_sizes`` is no table of sizes.
    """
    default = cfg.adapter_dim if part == "encoder" else cfg.decoder_adapter_dim
    sizes = _read_sizes(cfg.adapter_sizes)
    return {name: sizes.get(name, {}).get(part, default) for name in list_adapters(cfg)}


def _split(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _read_sizes(text: str) -> dict[str, dict[str, int]]:
    if not text:
        return {}
    try:
        sizes = json.loads(text)
    except ValueError:
        sizes = None
    if isinstance(sizes, dict) and all(isinstance(of, dict) and _are_sizes(of) for of in sizes.values()):
        return sizes
    mend = """Write for example '{"be": {"encoder": 64, "decoder": 0}}', in quotes for the shell."""
    rule = "JSON: for each name the sizes, 0 or more, of encoder, decoder or both"
    raise ConfigError(explain("", "adapter_sizes", rule, text, mend))


def _are_sizes(sizes: dict[str, object]) -> bool:
    if not sizes.keys() <= GROUP_OF_PART.keys():
        return False
    return all(isinstance(size, int) and not isinstance(size, bool) and size >= 0 for size in sizes.values())


def find_adapter_faults(cfg: AdapterOptions, model: str) -> list[str]:
    """Describe every option of the adapters that cannot work, for a model's ``validate``."""
    faults = []

    def check(name: str, holds: bool, rule: str) -> None:
        if not holds:
            option = f"--{name.replace('_', '-')}"
            faults.append(explain(model, name, rule, getattr(cfg, name), f"Set {option}."))

    names, tuned = list_adapters(cfg), _split(cfg.tuned_adapters)
    check("adapter_dim", cfg.adapter_dim >= 0, "0 or more")
    check("decoder_adapter_dim", cfg.decoder_adapter_dim >= 0, "0 or more")
    check("adapter_placement", cfg.adapter_placement in PLACES, " or ".join(PLACES))
    fits = all(map(NAME.fullmatch, names)) and len({*names}) == len(names)
    check("adapter_names", fits, "different names of letters, digits, `-` and `_`")
    taken = [name for name in names if hasattr(NamedAdapters(1, {}), name)]
    check("adapter_names", not taken, f"others than {', '.join(taken)}, which torch gives a meaning in every module")
    listed = ", ".join(names) or "none"
    check("tuned_adapters", {*tuned} <= {*names}, f"among the adapter names ({listed})")
    try:
        check("adapter_sizes", _read_sizes(cfg.adapter_sizes).keys() <= {*names}, f"of adapter names ({listed})")
        sizes = {name: max(find_bottlenecks(cfg, part)[name] for part in GROUP_OF_PART) for name in names}
        check("adapter_names", all(sizes.values()), "of adapters that have a size (--adapter-dim or another)")
    except ConfigError as error:
        faults.append(str(error))
    return faults


def name_also(cfg: AdapterOptions, sizes: Mapping[str, Mapping[str, int]], placement: str) -> dict[str, str]:
    """Give a model further named adapters, or other sizes to those that it has.

    Args:
        cfg: options.
        sizes: inner sizes by name and part; a part that is left out has no adapter of that name.
        placement: of these adapters.

    Returns:
        Values of the options that say so, from which ``adapter_files`` are gone.

    Raises:
        ConfigError: the model's own adapters are placed otherwise.
    """
    names = list_adapters(cfg)
    if names and sizes and placement != cfg.adapter_placement:
        mend = "Give adapters of the same placement, or set --adapter-placement."
        raise ConfigError(
            explain("", "adapter_placement", f"{cfg.adapter_placement}, as the model has it", placement, mend)
        )
    known = {**_read_sizes(cfg.adapter_sizes)}
    known.update({name: {part: of.get(part, 0) for part in GROUP_OF_PART} for name, of in sizes.items()})
    return {
        "adapter_names": ",".join([*names, *(name for name in sizes if name not in names)]),
        "adapter_sizes": json.dumps(known) if known else "",
        "adapter_placement": placement if sizes else str(cfg.adapter_placement),
        "adapter_files": "",
    }


def refuse_lost_parts(cfg: AdapterOptions, name: str, parts: Collection[str]) -> None:
    """Refuse an adapter that would take the place of one that has more parts.

    Args:
        cfg: options of the model.
        name: of the adapter.
        parts: encoder, decoder or both, what the new adapter has.

    Raises:
        ConfigError: the model's own adapter of this name has another part, which would be lost.
    """
    lost = [part for part in GROUP_OF_PART if part not in parts and find_bottlenecks(cfg, part).get(name)]
    if lost:
        mend = "Put the two together before, by `fairseq-samu adapters compose`, or give it another name."
        rule = f"one for the {' and the '.join(lost)} too, as the model's own"
        raise ConfigError(explain("", f"adapter {name}", rule, f"one for the {' and the '.join(parts)}", mend))


def add_adapters(cfg: AdapterOptions, part: str, layers: Iterable[nn.Module], dim: int) -> None:
    """Put new adapters, which change nothing yet, into the places of layers.

    Args:
        cfg: options.
        part: "encoder" or "decoder".
        layers: with places for adapters.
        dim: features D of a position.
    """
    bottlenecks = find_bottlenecks(cfg, part)
    size = cfg.adapter_dim if part == "encoder" else cfg.decoder_adapter_dim
    if not any(bottlenecks.values()) if bottlenecks else not size:
        return
    for layer in layers:
        for place in PLACES[str(cfg.adapter_placement)]:
            setattr(layer, place, NamedAdapters(dim, bottlenecks) if bottlenecks else Adapter(dim, size))


def name_adapter(parameter: str) -> str:
    """Find the name of the adapter that a parameter belongs to.

    Args:
        parameter: such as ``encoder.layers.0.attention_adapter.be.down.weight``.

    Returns:
        Such as ``be``; empty for an adapter without a name.
    """
    return parameter.partition(ADAPTER_MARK)[2].rpartition(".")[0].rpartition(".")[0]


def group_adapter(part: str, parameter: str) -> str:
    """Name the group of an adapter's parameter: ``encoder_adapters``, or ``encoder_adapters.be`` of a named one."""
    name = name_adapter(parameter)
    return f"{GROUP_OF_PART[part]}.{name}" if name else GROUP_OF_PART[part]


def expand_groups(cfg: AdapterOptions, groups: Collection[str]) -> list[str]:
    """Put the groups of every adapter name in the place of those of all adapters."""
    names = list_adapters(cfg)
    return [
        one
        for group in groups
        for one in ([f"{group}.{name}" for name in names] if names and group in ADAPTER_GROUPS else [group])
    ]


def tuned_adapter_groups(cfg: AdapterOptions, tuned: Collection[str]) -> set[str]:
    """Narrow the groups that are tuned to the adapters that are.

    Args:
        cfg: options.
        tuned: names of groups, as ``tuned_groups`` has them.

    Returns:
        Names of groups as the model's ``parameter_groups`` has them.
    """
    kept = _split(cfg.tuned_adapters) or list_adapters(cfg)
    names = [name for name in list_adapters(cfg) if name not in kept]
    left_out = {f"{group}.{name}" for group in ADAPTER_GROUPS for name in names}
    return {*expand_groups(cfg, tuned)} - left_out
