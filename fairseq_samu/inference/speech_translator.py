"""Translations and transcripts of recordings, and translations of texts, by a trained model."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from fairseq.sequence_generator import SequenceGenerator

from fairseq_samu.checkpoints.trained_translator import read_trained_translator
from fairseq_samu.data.audio import SAMPLE_RATE
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.inference.recordings import (
    Batching,
    Piece,
    Recording,
    batch_recordings,
    list_recordings,
    pad_pieces,
)
from fairseq_samu.inference.texts import batch_texts
from fairseq_samu.inference.translated_segments import Hypothesis, TranslatedSegment, join_texts
from fairseq_samu.inference.translator_building import TranslationModel, build_translator, build_vocabulary
from fairseq_samu.models.beam_search_view import BeamSearchView
from fairseq_samu.models.ctc_search import GreedyCtcGenerator

MAX_TOKENS = 200  # of a text; the default of `fairseq-generate --max-len-b`


class SpeechTranslator:
    """A trained translation model of speech, of texts, or of both, for use.

    Recordings are batched by length; a recording's text does not depend on the others, nor on their order (beyond the
    rounding of float32). Recordings longer than ``max_seconds`` are cut at pauses first. The search is the one that
    ``fairseq-generate`` does, and writes the same texts.

    Args:
        model: with a decoder, or with a head for CTC alone.
        vocabulary: of the model.
        tasks: what the model was trained to do: ``st``, ``asr``, ``mt``.
        device: where the model runs.
        batching: how recordings are read, cut and batched.
        max_tokens: longest text of a segment.

    Example:
        >>> translator = SpeechTranslator.load("checkpoints/checkpoint_best.pt")  # doctest: +SKIP
        >>> translator.translate(["one.wav", "two.flac"], target_language="en")  # doctest: +SKIP
        ['Where is the key?', 'Behind the door.']
    """

    def __init__(
        self,
        model: TranslationModel,
        vocabulary: Vocabulary,
        tasks: Sequence[str] = ("st",),
        device: str | torch.device = "cpu",
        batching: Batching | None = None,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        self.model = model.to(device).eval()
        self.vocabulary = vocabulary
        self.tasks = tuple(tasks)
        self.device = torch.device(device)
        self.batching = batching or Batching()
        self.max_tokens = max_tokens

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: str | torch.device = "cpu",
        batch_seconds: float = 60.0,
        max_seconds: float = 20.0,
        root: str | Path | None = None,
        max_tokens: int = MAX_TOKENS,
    ) -> "SpeechTranslator":
        """Load a training checkpoint.

        Args:
            path: the file; nothing else of the training machine is needed.
            device: where the model runs.
            batch_seconds: audio in one batch, with padding, in seconds.
            max_seconds: longest segment, in seconds.
            root: folder that relative paths of recordings start from.
            max_tokens: longest text of a segment.

        Raises:
            CheckpointError: when it is missing, damaged, unsafe, or of another model.
        """
        loaded = read_trained_translator(path)
        vocabulary = build_vocabulary(loaded.vocabulary)
        model = build_translator(loaded, vocabulary, where=str(path))
        tasks = str(loaded.config.get("task", {}).get("tasks", "st")).split(",")
        batching = Batching(batch_seconds, max_seconds, root)
        return cls(model, vocabulary, [task.strip() for task in tasks], device, batching, max_tokens)

    @property
    def languages(self) -> list[str]:
        """Codes of the languages that texts can be asked for in; the model need not have learnt all of them."""
        return self.vocabulary.languages

    def translate(
        self, recordings: Sequence[Recording] | Recording, target_language: str | Sequence[str] = "en", beam: int = 5
    ) -> list[str]:
        """Translate recordings.

        Args:
            recordings: paths, specs (``archive.zip:offset:length``, ``talk.wav:offset:length``), or (N,) float samples
                at 16 kHz in [-1, 1] as arrays or tensors; one alone is taken as a list of one.
            target_language: ISO or mBART-50 code of the texts, or one for each recording.
            beam: width of the search.

        Returns:
            One text a recording, in the order of ``recordings``; those of segments with a space between them.

        Raises:
            AudioError: naming the recording, when one cannot be read or holds no samples.
            ConfigError: a language has no tag, or the model was not trained to translate.
        """
        self._require("st", "translate")
        return [join_texts(found) for found in self.translate_segments(recordings, target_language, beam)]

    def transcribe(
        self, recordings: Sequence[Recording] | Recording, language: str | Sequence[str], beam: int = 5
    ) -> list[str]:
        """Write down what recordings say, in the language they say it in.

        Args:
            recordings: see :meth:`translate`.
            language: ISO or mBART-50 code of what is spoken, or one for each recording.
            beam: width of the search.

        Returns:
            As :meth:`translate`.

        Raises:
            AudioError: see :meth:`translate`.
            ConfigError: a language has no tag, or the model was not trained to transcribe.
        """
        self._require("asr", "transcribe")
        return [join_texts(found) for found in self.translate_segments(recordings, language, beam)]

    def transcribe_by_ctc(self, recordings: Sequence[Recording] | Recording) -> list[str]:
        """Write down what recordings say by the head for CTC alone: its most probable path, without the decoder.

        Args:
            recordings: see :meth:`translate`.

        Returns:
            As :meth:`translate`.

        Raises:
            AudioError: see :meth:`translate`.
            ConfigError: the model has no head for CTC, or was not trained to transcribe.
        """
        self._require("asr", "transcribe")
        if not self.model.has_ctc:
            mend = "Use transcribe, or a checkpoint with a head for CTC."
            raise ConfigError(explain("", "model", "one with a head for CTC", "one without", mend))
        listed = list_recordings(recordings)
        segments = self._collect(listed, [self.vocabulary.bos] * len(listed), self._ctc(), nbest=1)
        return [join_texts(found) for found in segments]

    def translate_texts(
        self, texts: Sequence[str] | str, target_language: str | Sequence[str] = "en", beam: int = 5
    ) -> list[str]:
        """Translate texts.

        Args:
            texts: plain text; one alone is taken as a list of one.
            target_language: see :meth:`translate`.
            beam: width of the search.

        Returns:
            One text for each.

        Raises:
            ConfigError: a text is empty, a language has no tag, or the model was not trained to translate texts.
        """
        self._require("mt", "translate texts")
        listed = [texts] if isinstance(texts, str) else list(texts)
        tags = self._tags(target_language, len(listed))
        found = [""] * len(listed)
        generator, models = self._generator(beam)
        for rows, tokens in batch_texts(listed, self.vocabulary):
            prefix = torch.tensor([[tags[row]] for row in rows], device=self.device)
            tokens = tokens.to(self.device)
            # the host's generator counts its rows by `src_tokens`
            sample = {"net_input": {"source_tokens": tokens, "src_tokens": tokens}}
            for row, best in zip(rows, generator.generate(models, sample, prefix_tokens=prefix), strict=True):
                found[row] = self.vocabulary.decode(best[0]["tokens"])
        return found

    def translate_segments(
        self,
        recordings: Sequence[Recording] | Recording,
        target_language: str | Sequence[str] = "en",
        beam: int = 5,
        nbest: int = 1,
    ) -> list[list[TranslatedSegment]]:
        """Write the texts of every segment of recordings.

        Args:
            recordings: see :meth:`translate`.
            target_language: see :meth:`translate`.
            beam: width of the search.
            nbest: texts of each segment, at most ``beam``; a model for CTC alone has one.

        Returns:
            For each recording its segments in order; a recording of at most ``max_seconds`` is one segment.

        Raises:
            AudioError: see :meth:`translate`.
            ConfigError: a language has no tag, or the numbers do not fit.
        """
        listed = list_recordings(recordings)
        tags = self._tags(target_language, len(listed))
        if not 1 <= nbest <= beam:
            rule = "from 1 to beam"
            raise ConfigError(explain("", "nbest", rule, f"{nbest} with a beam of {beam}", "Widen the beam."))
        return self._collect(listed, tags, self._generator(beam), nbest)

    def _collect(
        self, recordings: list[Recording], tags: list[int], search: tuple[Any, list[Any]], nbest: int
    ) -> list[list[TranslatedSegment]]:
        """Texts of the segments of every recording, in order."""
        found: list[list[TranslatedSegment]] = [[] for _ in recordings]
        for piece, hypotheses in self._search(recordings, tags, search, nbest):
            start, end = piece.segment.start / SAMPLE_RATE, piece.segment.end / SAMPLE_RATE
            found[piece.recording].append(TranslatedSegment(start, end, hypotheses))
        return [sorted(segments, key=lambda segment: segment.start_seconds) for segments in found]

    def _search(
        self, recordings: list[Recording], tags: list[int], search: tuple[Any, list[Any]], nbest: int
    ) -> Iterator[tuple[Piece, list[Hypothesis]]]:
        """Yield every segment with its best texts, in no particular order."""
        generator, models = search
        for batch in batch_recordings(recordings, self.batching):
            source, padding_mask = pad_pieces(batch, self.device)
            prefix = torch.tensor([[tags[piece.recording]] for piece in batch], device=self.device)
            sample = {"net_input": {"source": source, "padding_mask": padding_mask}}
            for piece, best in zip(batch, generator.generate(models, sample, prefix_tokens=prefix), strict=True):
                yield piece, [self._hypothesis(one["tokens"], float(one["score"])) for one in best[:nbest]]

    def _generator(self, beam: int) -> tuple[Any, list[Any]]:
        """What finds texts, and the models it asks."""
        vocabulary = self.vocabulary
        if self.model.decoder is None:
            return self._ctc()
        views = [BeamSearchView(self.model)]
        return SequenceGenerator(views, vocabulary.dictionary, beam_size=beam, max_len_b=self.max_tokens), views

    def _ctc(self) -> tuple[Any, list[Any]]:
        """What reads the head for CTC, and its model."""
        vocabulary = self.vocabulary
        return GreedyCtcGenerator(vocabulary.bos, vocabulary.eos, vocabulary.tag_ids), [self.model]

    def _hypothesis(self, tokens: torch.Tensor, score: float) -> Hypothesis:
        return Hypothesis(self.vocabulary.decode(tokens), score)

    def _tags(self, languages: str | Sequence[str], count: int) -> list[int]:
        """Find the tag of every recording's text."""
        listed = [languages] * count if isinstance(languages, str) else list(languages)
        if len(listed) != count:
            mend = "Name one language, or one for each recording."
            raise ConfigError(explain("", "target_language", f"one, or {count} for {count}", len(listed), mend))
        return [self.vocabulary.tag(language) for language in listed]

    def _require(self, task: str, verb: str) -> None:
        if task not in self.tasks:
            rule, mend = f"trained with `{task}` in --tasks to {verb}", "Use a checkpoint of such a training."
            raise ConfigError(explain("", "model", rule, ",".join(self.tasks), mend))
