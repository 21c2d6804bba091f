"""What is asked for each recording or text: the language to write, and the named adapters to go through."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from fairseq_samu.data.adapter_routes import AdapterRoutes
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.models.adapter_inputs import PART_OF_INPUT, find_adapter_inputs

Languages = str | Sequence[str]
SOURCE, TARGET = PART_OF_INPUT


@dataclass(frozen=True)
class Requests:
    """What is asked for each of several recordings or texts.

    Attributes:
        tags: language tag that its text begins with.
        adapters: number of the adapter that it goes through, -1 for none, by input of the model; empty for a model
            without named adapters.
    """

    tags: list[int]
    adapters: dict[str, list[int]] = field(default_factory=dict)

    def prefix(self, places: Sequence[int], device: torch.device) -> Tensor:
        """First tokens (B, 1) int64 of the texts of some of them."""
        return torch.tensor([[self.tags[place]] for place in places], device=device)

    def adapters_of(self, places: Sequence[int], device: torch.device) -> dict[str, Tensor]:
        """Inputs of the model, (B,) int64 each, that choose the adapters of some of them."""
        return {
            name: torch.tensor([numbers[place] for place in places], device=device)
            for name, numbers in self.adapters.items()
        }


class RequestReader:
    """Reads languages and names of adapters, as a user gives them, for one model.

    Args:
        model: with or without named adapters.
        vocabulary: of the model.
        missing_adapter: what a language without adapter gets: ``error``, ``base`` or ``nearest``, see
            :class:`~fairseq_samu.data.adapter_routes.AdapterRoutes`.

    Raises:
        ConfigError: ``missing_adapter`` is none of these.
    """

    def __init__(self, model: Any, vocabulary: Vocabulary, missing_adapter: str = "error") -> None:
        self.vocabulary = vocabulary
        self.routes = AdapterRoutes(model.adapter_names, missing_adapter)
        self.inputs = list(find_adapter_inputs(model))

    def read(
        self,
        count: int,
        target_language: Languages,
        source_language: Languages | None = None,
        adapter: Languages | None = None,
        with_speech: bool = True,
    ) -> Requests:
        """Read what is asked for ``count`` recordings or texts.

        Args:
            count: of recordings or texts.
            target_language: one for all, or one for each; chooses tags, and adapters of the decoder.
            source_language: likewise of what is spoken; chooses adapters of the encoder.
            adapter: names of adapters that are taken instead of those of languages, one for all or one for each.
            with_speech: False where texts are read, which pass no adapters of the encoder.

        Raises:
            ConfigError: a language has no tag, there is none of what is spoken or no adapter of it, or the numbers do
                not fit.
        """
        written = spread("target_language", target_language, count)
        tags = [self.vocabulary.tag(language) for language in written]
        adapters = self.spoken(count, source_language, adapter) if with_speech else {}
        if TARGET in self.inputs:
            adapters[TARGET] = self._numbers(written if adapter is None else spread("adapter", adapter, count))
        return Requests(tags, adapters)

    def spoken(
        self, count: int, source_language: Languages | None, adapter: Languages | None = None
    ) -> dict[str, list[int]]:
        """Adapters of the encoder for ``count`` recordings, by input of the model; see :meth:`read`."""
        if SOURCE not in self.inputs:
            return {}
        asked = ("adapter", adapter) if adapter is not None else ("source_language", source_language)
        if asked[1] is None and count:
            rule = f"given to a model with adapters by language ({', '.join(self.routes.names)})"
            mend = "Say what is spoken, or name adapters with `adapter`."
            raise ConfigError(explain("", "source_language", rule, "left out", mend))
        return {SOURCE: self._numbers(spread(asked[0], "" if asked[1] is None else asked[1], count))}

    def _numbers(self, names: list[str]) -> list[int]:
        """Numbers of the adapters that serve languages or domains; a fault names all that have none."""
        missing = {name: 0 for name in names if self.routes.find(name) is None}
        if missing and self.routes.policy == "error":
            raise ConfigError(self.routes.explain_missing(missing))
        return [self.routes.number_of(name) for name in names]


def spread(name: str, values: Languages, count: int) -> list[str]:
    """Take one value for ``count`` recordings or texts, or one for each.

    Raises:
        ConfigError: there are more, or fewer.
    """
    listed = [values] * count if isinstance(values, str) else list(values)
    if len(listed) != count:
        mend = "Name one, or one for each recording or text."
        raise ConfigError(explain("", name, f"one, or {count} for {count}", len(listed), mend))
    return listed
