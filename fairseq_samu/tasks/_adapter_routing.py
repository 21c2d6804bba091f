"""Named adapters for the rows of a data set: found, counted where there are none, and left to learn."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.data.adapter_routes import AdapterRoutes, RowNames
from fairseq_samu.data.row_dataset import RowDataset
from fairseq_samu.data.row_selection import leave_out
from fairseq_samu.data.stacked_datasets import StackedDatasets
from fairseq_samu.data.text_pairs import TextPairDataset
from fairseq_samu.errors import ManifestError, explain
from fairseq_samu.models.adapter_inputs import PART_OF_INPUT, find_adapter_inputs
from fairseq_samu.models.adapter_options import GROUP_OF_PART

logger = logging.getLogger(__name__)
SOURCE, TARGET = PART_OF_INPUT
Asked = list[tuple[RowDataset, dict[str, RowNames]]]


def route_dataset(dataset: Any, model: Any, policy: str) -> None:
    """Let a data set hand out the named adapters of every row; nothing is done for a model without names.

    A row asks for what its column ``adapter`` says, or else for its language: that of its speech in the encoder, that
    of its target in the decoder. Where nothing but adapters is tuned, training leaves rows out that go through none of
    these: there is nothing that they could teach.

    Args:
        dataset: of one task or of several.
        model: that reads the rows.
        policy: what a language without adapter gets, see :class:`AdapterRoutes`.

    Raises:
        ManifestError: rows have no adapter and the policy is ``error``, or none trains what is to be tuned.
    """
    inputs = find_adapter_inputs(model)
    if not inputs:
        return
    routes = AdapterRoutes(model.adapter_names, policy)
    asked = [(part, _read_names(part, inputs)) for part in _find_parts(dataset)]
    _require_adapters(routes, asked)
    reached: dict[str, set[int]] = {key: set() for key in inputs}
    for part, names in asked:
        numbers = {key: own.route(routes) for key, own in names.items()}
        part.use_adapters(**{key.removesuffix("s"): own for key, own in numbers.items()})
        for key, own in numbers.items():
            reached[key] |= {*np.unique(own[part.rows]).tolist()}
    if dataset.options.training:
        _require_reached(routes, inputs, reached, dataset.name)
        if not _is_tuned_elsewhere(model):
            for part, _ in asked:
                _leave_out_idle(part, inputs, routes)


def _find_parts(dataset: Any) -> Iterator[RowDataset]:
    """The data sets of manifests that a data set is made of."""
    if isinstance(dataset, StackedDatasets):
        for part in dataset.parts:
            yield from _find_parts(part)
    else:
        yield dataset


def _read_names(part: RowDataset, inputs: Mapping[str, object]) -> dict[str, RowNames]:
    """What the rows ask for, by input of the model."""
    texts: Any = part.targets
    manifest, rows = part.manifest, part.rows.tolist()

    def spoken(index: int) -> str:
        return manifest.src_lang(index) or (texts.language_of(index) if texts.task == "asr" else "")

    read = (
        {TARGET: texts.language_of}
        if isinstance(part, TextPairDataset)
        else {SOURCE: spoken, TARGET: texts.language_of}
    )
    return {key: RowNames.read(manifest, rows, language_of) for key, language_of in read.items() if key in inputs}


def _require_adapters(routes: AdapterRoutes, asked: Asked) -> None:
    """Refuse all rows without adapter at once; a row counts once, however many tasks and parts of the model ask."""
    if routes.policy != "error":
        return
    without: dict[str, dict[str, NDArray[np.int64]]] = {}
    for part, names in asked:
        for own in names.values():
            for place, name in enumerate(own.names):
                if routes.find(name) is None:
                    rows = without.setdefault(name, {})
                    before = rows.get(part.manifest.path, np.array([], dtype=np.int64))
                    rows[part.manifest.path] = np.union1d(before, np.flatnonzero(own.ids == place))
    if without:
        counts = {name: sum(map(len, rows.values())) for name, rows in sorted(without.items())}
        where = ", ".join(sorted({path for rows in without.values() for path in rows}))
        raise ManifestError(routes.explain_missing(counts, where))


def _require_reached(
    routes: AdapterRoutes, inputs: Mapping[str, list[int]], reached: Mapping[str, set[int]], where: str
) -> None:
    """Refuse training where no row goes through an adapter that is tuned; warn of single ones."""
    idle = {
        key: [routes.names[number] for number in tuned if number not in reached[key]] for key, tuned in inputs.items()
    }
    tuned = sorted({routes.names[number] for numbers in inputs.values() for number in numbers})
    if tuned and all(len(idle[key]) == len(numbers) for key, numbers in inputs.items()):
        mend = "Add such rows, or tune other adapters with --tuned-adapters or other parts with --tuned-groups."
        rule = f"there for one of the adapters that are tuned, {', '.join(tuned)}, at least"
        found = sorted({routes.names[number] for numbers in reached.values() for number in numbers if number >= 0})
        raise ManifestError(explain(where, "rows", rule, f"of {', '.join(found) or 'no adapter'} alone", mend))
    for key, names in idle.items():
        if names:
            logger.warning(
                f"{where}: no row goes through the {PART_OF_INPUT[key]}'s adapters {', '.join(names)}, which are tuned"
            )


def _is_tuned_elsewhere(model: Any) -> bool:
    """Whether anything but named adapters is tuned."""
    starts = tuple(f"{group}." for group in GROUP_OF_PART.values())
    others = (own for group, own in model.parameter_groups().items() if not group.startswith(starts))
    return any(parameter.requires_grad for own in others for parameter in own)


def _leave_out_idle(part: RowDataset, inputs: Mapping[str, list[int]], routes: AdapterRoutes) -> None:
    """Leave rows out of training that go through no adapter that is tuned.

    Raises:
        ManifestError: none is left.
    """
    teaches = np.zeros(len(part.manifest), dtype=np.bool_)
    for key, tuned in inputs.items():
        numbers = part.adapters.get(key.removesuffix("s"))
        if numbers is not None:
            teaches |= np.isin(numbers, tuned)
    names = sorted({routes.names[number] for tuned in inputs.values() for number in tuned})
    reason = f"going through none of the adapters that are tuned ({', '.join(names)}) where nothing else is"
    kept = leave_out(part.manifest, part.rows, ~teaches[part.rows], reason)
    if not len(kept):
        mend = "Leave the manifest (or its task) out, or tune more with --tuned-adapters or --tuned-groups."
        rule = f"one at least that goes through a tuned adapter ({', '.join(names)})"
        raise ManifestError(explain(str(part.manifest.path), "rows", rule, "none", mend))
    part.rows = kept
