"""Translations and transcripts of recordings, and translations of texts, by a trained model."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from fairseq_samu.checkpoints.adapter_files import read_adapters
from fairseq_samu.checkpoints.trained_translator import read_trained_translator
from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.inference.adapter_merging import insert_adapters
from fairseq_samu.inference.recordings import Batching, Recording, list_recordings
from fairseq_samu.inference.requested_texts import Languages, RequestReader, Requests
from fairseq_samu.inference.text_search import TextSearch
from fairseq_samu.inference.translated_segments import TranslatedSegment, join_texts
from fairseq_samu.inference.translator_building import TranslationModel, build_translator, build_vocabulary

logger = logging.getLogger(__name__)
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
        missing_adapter: for a model with named adapters, what a language without one gets: ``error``, ``base`` (none)
            or ``nearest`` (that of the closest language).
        decoder_transcribes: False where the decoder never learnt transcripts, which :meth:`transcribe` warns of.

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
        missing_adapter: str = "error",
        decoder_transcribes: bool = True,
    ) -> None:
        self.model = model.to(device).eval()
        self.vocabulary = vocabulary
        self.tasks = tuple(tasks)
        self.device = torch.device(device)
        self.batching = batching or Batching()
        self.max_tokens = max_tokens
        self.requests = RequestReader(model, vocabulary, missing_adapter)
        self._is_doubtful = model.decoder is not None and not decoder_transcribes

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: str | torch.device = "cpu",
        batch_seconds: float = 60.0,
        max_seconds: float = 20.0,
        root: str | Path | None = None,
        max_tokens: int = MAX_TOKENS,
        missing_adapter: str = "error",
        adapter_files: Sequence[str | Path] = (),
    ) -> "SpeechTranslator":
        """Load a training checkpoint.

        Args:
            path: the file; nothing else of the training machine is needed.
            device: where the model runs.
            batch_seconds: audio in one batch, with padding, in seconds.
            max_seconds: longest segment, in seconds.
            root: folder that relative paths of recordings start from.
            max_tokens: longest text of a segment.
            missing_adapter: see the class.
            adapter_files: of `fairseq-samu adapters export`: named adapters that are put into the model.

        Raises:
            CheckpointError: when it is missing, damaged, unsafe, or of another model, or an adapter is of another base.
            ConfigError: when the name of an adapter is taken.
        """
        loaded = read_trained_translator(path)
        if adapter_files:
            loaded = insert_adapters(loaded, read_adapters([Path(file) for file in adapter_files]), str(path))
        vocabulary = build_vocabulary(loaded.vocabulary)
        model = build_translator(loaded, vocabulary, where=str(path))
        tasks = str(loaded.config.get("task", {}).get("tasks", "st")).split(",")
        batching = Batching(batch_seconds, max_seconds, root)
        names, learnt = [task.strip() for task in tasks], loaded.decoder_transcribes
        return cls(model, vocabulary, names, device, batching, max_tokens, missing_adapter, learnt)

    @property
    def languages(self) -> list[str]:
        """Codes of the languages that texts can be asked for in; the model need not have learnt all of them."""
        return self.vocabulary.languages

    def translate(
        self,
        recordings: Sequence[Recording] | Recording,
        target_language: Languages = "en",
        beam: int = 5,
        source_language: Languages | None = None,
        adapter: Languages | None = None,
    ) -> list[str]:
        """Translate recordings.

        Args:
            recordings: paths, specs (``archive.zip:offset:length``, ``talk.wav:offset:length``), or (N,) float samples
                at 16 kHz in [-1, 1] as arrays or tensors; one alone is taken as a list of one.
            target_language: ISO or mBART-50 code of the texts, or one for each recording.
            beam: width of the search.
            source_language: code of what is spoken, or one for each recording: chooses among named adapters of the
                encoder, as ``target_language`` does of the decoder. Models without them need none.
            adapter: name of the adapter that is taken instead, such as a domain's, or one for each recording.

        Returns:
            One text a recording, in the order of ``recordings``; those of segments with a space between them.

        Raises:
            AudioError: naming the recording, when one cannot be read or holds no samples.
            ConfigError: a language has no tag or adapter, or the model was not trained to translate.
        """
        self._require("st", "translate")
        segments = self.translate_segments(recordings, target_language, beam, 1, source_language, adapter)
        return [join_texts(found) for found in segments]

    def transcribe(
        self,
        recordings: Sequence[Recording] | Recording,
        language: Languages,
        beam: int = 5,
        adapter: Languages | None = None,
        ctc_weight: float = 0.0,
    ) -> list[str]:
        """Write down what recordings say, in the language they say it in, by the decoder.

        Where that never learnt transcripts (``consistency_multitask`` with ``--asr-ce-weight 0``, its default), one
        warning tells so; use :meth:`transcribe_by_ctc` then.

        Args:
            recordings: see :meth:`translate`.
            language: ISO or mBART-50 code of what is spoken, or one for each recording.
            beam: width of the search.
            adapter: see :meth:`translate`.
            ctc_weight: of the head for CTC beside the decoder, from 0 to 1; as ``--ctc-decoding-weight``.

        Returns:
            As :meth:`translate`.

        Raises:
            AudioError: see :meth:`translate`.
            ConfigError: a language has no tag or adapter, the model was not trained to transcribe, or the weight is no
                share or needs what the model lacks.
        """
        self._require("asr", "transcribe")
        if ctc_weight != 0 and not (0 < ctc_weight <= 1 and self.model.has_ctc and self.model.decoder is not None):
            rule, mend = "from 0 to 1, and 0 for a model without both a decoder and a head for CTC", "Leave it out."
            raise ConfigError(explain("", "ctc_weight", rule, ctc_weight, mend))
        if self._is_doubtful and ctc_weight < 1:
            logger.warning("the decoder of this model was trained without transcripts: use transcribe_by_ctc")
            self._is_doubtful = False
        listed = list_recordings(recordings)
        requests = self.requests.read(len(listed), language, language, adapter)
        segments = self._search(beam, ctc_weight).write_segments(listed, requests, self.batching)
        return [join_texts(found) for found in segments]

    def transcribe_by_ctc(
        self,
        recordings: Sequence[Recording] | Recording,
        language: Languages | None = None,
        adapter: Languages | None = None,
    ) -> list[str]:
        """Write down what recordings say by the head for CTC alone: its most probable path, without the decoder.

        Args:
            recordings: see :meth:`translate`.
            language: code of what is spoken, which only a model with named adapters needs.
            adapter: see :meth:`translate`.

        Returns:
            As :meth:`translate`.

        Raises:
            AudioError: see :meth:`translate`.
            ConfigError: the model has no head for CTC, was not trained to transcribe, or has no adapter of a language.
        """
        self._require("asr", "transcribe")
        if not self.model.has_ctc:
            mend = "Use transcribe, or a checkpoint with a head for CTC."
            raise ConfigError(explain("", "model", "one with a head for CTC", "one without", mend))
        listed = list_recordings(recordings)
        requests = Requests([self.vocabulary.bos] * len(listed), self.requests.spoken(len(listed), language, adapter))
        search = TextSearch.by_ctc(self.model, self.vocabulary, self.device)
        segments = search.write_segments(listed, requests, self.batching)
        return [join_texts(found) for found in segments]

    def translate_texts(
        self,
        texts: Sequence[str] | str,
        target_language: Languages = "en",
        beam: int = 5,
        adapter: Languages | None = None,
    ) -> list[str]:
        """Translate texts.

        Args:
            texts: plain text; one alone is taken as a list of one.
            target_language: see :meth:`translate`.
            beam: width of the search.
            adapter: see :meth:`translate`.

        Returns:
            One text for each.

        Raises:
            ConfigError: a text is empty, a language has no tag or adapter, or the model was not trained to translate
                texts.
        """
        self._require("mt", "translate texts")
        listed = [texts] if isinstance(texts, str) else list(texts)
        requests = self.requests.read(len(listed), target_language, adapter=adapter, with_speech=False)
        return self._search(beam).write_texts(listed, requests)

    def translate_segments(
        self,
        recordings: Sequence[Recording] | Recording,
        target_language: Languages = "en",
        beam: int = 5,
        nbest: int = 1,
        source_language: Languages | None = None,
        adapter: Languages | None = None,
    ) -> list[list[TranslatedSegment]]:
        """Write the texts of every segment of recordings.

        Args:
            recordings: see :meth:`translate`.
            target_language: see :meth:`translate`.
            beam: width of the search.
            nbest: texts of each segment, at most ``beam``; a model for CTC alone has one.
            source_language: see :meth:`translate`.
            adapter: see :meth:`translate`.

        Returns:
            For each recording its segments in order; a recording of at most ``max_seconds`` is one segment.

        Raises:
            AudioError: see :meth:`translate`.
            ConfigError: a language has no tag or adapter, or the numbers do not fit.
        """
        listed = list_recordings(recordings)
        requests = self.requests.read(len(listed), target_language, source_language, adapter)
        if not 1 <= nbest <= beam:
            rule = "from 1 to beam"
            raise ConfigError(explain("", "nbest", rule, f"{nbest} with a beam of {beam}", "Widen the beam."))
        return self._search(beam).write_segments(listed, requests, self.batching, nbest)

    def _search(self, beam: int, ctc_weight: float = 0.0) -> TextSearch:
        return TextSearch.by_decoder(self.model, self.vocabulary, self.device, beam, self.max_tokens, ctc_weight)

    def _require(self, task: str, verb: str) -> None:
        if task not in self.tasks:
            rule, mend = f"trained with `{task}` in --tasks to {verb}", "Use a checkpoint of such a training."
            raise ConfigError(explain("", "model", rule, ",".join(self.tasks), mend))
