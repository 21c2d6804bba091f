"""A search for texts, run over batches of recordings or source texts."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from fairseq.sequence_generator import SequenceGenerator

from fairseq_samu.data.audio import SAMPLE_RATE
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.inference.recordings import Batching, Piece, Recording, batch_recordings, pad_pieces
from fairseq_samu.inference.requested_texts import Requests
from fairseq_samu.inference.texts import batch_texts
from fairseq_samu.inference.translated_segments import Hypothesis, TranslatedSegment
from fairseq_samu.inference.translator_building import TranslationModel
from fairseq_samu.models.beam_search_view import BeamSearchView
from fairseq_samu.models.ctc_search import GreedyCtcGenerator
from fairseq_samu.models.joint_search_view import JointSearchView


class TextSearch:
    """Finds texts by what ``fairseq-generate`` searches with.

    Args:
        generator: the host's, or one with its interface.
        models: that it asks.
        vocabulary: of the texts.
        device: where the models run.
    """

    def __init__(
        self, generator: Any, models: Sequence[Any], vocabulary: Vocabulary, device: str | torch.device
    ) -> None:
        self.generator = generator
        self.models = list(models)
        self.vocabulary = vocabulary
        self.device = torch.device(device)

    @classmethod
    def by_decoder(
        cls,
        model: TranslationModel,
        vocabulary: Vocabulary,
        device: str | torch.device,
        beam: int = 5,
        max_tokens: int = 200,
        ctc_weight: float = 0.0,
    ) -> "TextSearch":
        """Beam search by a model's decoder, with its head for CTC where that has a weight; CTC's best path without."""
        if model.decoder is None:
            return cls.by_ctc(model, vocabulary, device)
        views = [BeamSearchView(model)]
        if ctc_weight > 0:
            views = [JointSearchView(model, ctc_weight, vocabulary.bos, vocabulary.eos)]
        generator = SequenceGenerator(views, vocabulary.dictionary, beam_size=beam, max_len_b=max_tokens)
        return cls(generator, views, vocabulary, device)

    @classmethod
    def by_ctc(cls, model: TranslationModel, vocabulary: Vocabulary, device: str | torch.device) -> "TextSearch":
        """CTC's best path."""
        generator = GreedyCtcGenerator(vocabulary.bos, vocabulary.eos, vocabulary.tag_ids)
        return cls(generator, [model], vocabulary, device)

    def write_segments(
        self, recordings: Sequence[Recording], requests: Requests, batching: Batching, nbest: int = 1
    ) -> list[list[TranslatedSegment]]:
        """Find the texts of the segments of recordings.

        Args:
            recordings: paths, specs of parts, or samples.
            requests: what is asked for each recording.
            batching: how they are read, cut and batched.
            nbest: most texts of a segment.

        Returns:
            For each recording its segments in order.

        Raises:
            AudioError: naming the recording, when one cannot be read or holds no samples.
        """
        found: list[list[TranslatedSegment]] = [[] for _ in recordings]
        for batch in batch_recordings(recordings, batching):
            for piece, hypotheses in self._search(batch, requests, nbest):
                start, end = piece.segment.start / SAMPLE_RATE, piece.segment.end / SAMPLE_RATE
                found[piece.recording].append(TranslatedSegment(start, end, hypotheses))
        return [sorted(segments, key=lambda segment: segment.start_seconds) for segments in found]

    def _search(self, batch: list[Piece], requests: Requests, nbest: int) -> Iterator[tuple[Piece, list[Hypothesis]]]:
        """Yield the segments of a batch with their best texts."""
        source, padding_mask = pad_pieces(batch, self.device)
        inputs = {"source": source, "padding_mask": padding_mask}
        for piece, best in zip(batch, self._run(inputs, [piece.recording for piece in batch], requests), strict=True):
            texts = (self.vocabulary.decode(one["tokens"]) for one in best[:nbest])
            yield piece, [Hypothesis(text, float(one["score"])) for text, one in zip(texts, best, strict=False)]

    def write_texts(self, texts: Sequence[str], requests: Requests) -> list[str]:
        """Find the translations of texts.

        Args:
            texts: plain text.
            requests: what is asked for each of them.

        Returns:
            One text for each.

        Raises:
            ConfigError: naming every text that is empty.
        """
        found = [""] * len(texts)
        for rows, tokens in batch_texts(texts, self.vocabulary):
            tokens = tokens.to(self.device)
            # the host's generator counts its rows by `src_tokens`
            for row, best in zip(
                rows, self._run({"source_tokens": tokens, "src_tokens": tokens}, rows, requests), strict=True
            ):
                found[row] = self.vocabulary.decode(best[0]["tokens"])
        return found

    def _run(self, inputs: dict[str, Any], places: Sequence[int], requests: Requests) -> list[list[dict[str, Any]]]:
        """Hypotheses of each row of a batch, best first; ``places`` are those of its rows in the requests."""
        sample = {"net_input": {**inputs, **requests.adapters_of(places, self.device)}}
        prefix = requests.prefix(places, self.device)
        hypotheses: list[list[dict[str, Any]]] = self.generator.generate(self.models, sample, prefix_tokens=prefix)
        return hypotheses
