"""Words and concepts of recordings, by a trained model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch

from fairseq_samu.checkpoints.key_report import load_strict
from fairseq_samu.checkpoints.trained_system import LoadedSystem, read_system
from fairseq_samu.concepts import CLOSE, is_open, strip_tags
from fairseq_samu.data.audio import SAMPLE_RATE
from fairseq_samu.data.concept_spans import ConceptSpan, TaggedText, find_spans
from fairseq_samu.data.concept_vocabulary import ConceptVocabulary
from fairseq_samu.errors import CheckpointError, explain
from fairseq_samu.inference.recordings import (
    Batching,
    Piece,
    Recording,
    batch_recordings,
    list_recordings,
    pad_pieces,
)
from fairseq_samu.models.ctc_search import CtcSearch, make_generator
from fairseq_samu.models.samu_slu import SamuSluConfig, SamuSluModel
from fairseq_samu.models.speech_encoder_options import build_configured_encoder

ARCHITECTURE = "samu_slu"


@dataclass(frozen=True)
class TaggedUtterance(TaggedText):
    """What was said in a recording.

    Attributes:
        text: annotated, as ``je veux <nombre> deux > chambres``.
        concepts: in order, each with ``concept``, ``value``, and ``start`` and ``end`` in seconds of the recording.
    """

    @property
    def words(self) -> str:
        """The text without tags."""
        return strip_tags(self.text)


class ConceptTagger:
    """A trained model of spoken language understanding, for use.

    Recordings are batched by length; what is found in one does not depend on the others, nor on their order (beyond the
    rounding of float32). Recordings longer than ``max_seconds`` are cut at pauses first. The search is the one that
    ``fairseq-generate`` does, and writes the same texts.

    Args:
        model: with a tagging head.
        vocabulary: of its labels.
        search: how labels are searched for; by default CTC's best path.
        device: where the model runs.
        batching: how recordings are read, cut and batched.

    Raises:
        ConfigError: the search's language model cannot be used.

    Example:
        >>> tagger = ConceptTagger.load("checkpoints/checkpoint_best.pt")  # doctest: +SKIP
        >>> tagger.tag(["one.wav"])[0].concepts  # doctest: +SKIP
        [ConceptSpan(concept='nombre', value='deux', start=0.42, end=0.8)]
    """

    def __init__(
        self,
        model: SamuSluModel,
        vocabulary: ConceptVocabulary,
        search: CtcSearch | None = None,
        device: str | torch.device = "cpu",
        batching: Batching | None = None,
    ) -> None:
        self.model = model.to(device).eval()
        self.vocabulary = vocabulary
        self.generator = make_generator(vocabulary.dictionary.symbols, search or CtcSearch())
        self.device = torch.device(device)
        self.batching = batching or Batching()

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: str | torch.device = "cpu",
        batch_seconds: float = 60.0,
        max_seconds: float = 20.0,
        root: str | Path | None = None,
        search: CtcSearch | None = None,
    ) -> "ConceptTagger":
        """Load a training checkpoint.

        Args:
            path: the file; nothing else of the training machine is needed.
            device: where the model runs.
            batch_seconds: audio in one batch, with padding, in seconds.
            max_seconds: longest segment, in seconds.
            root: folder that relative paths of recordings start from.
            search: how labels are searched for, such as ``CtcSearch(beam=10, ngram_model="lm.arpa")``.

        Raises:
            CheckpointError: when it is missing, damaged, unsafe, of another model, or was not trained to tag.
            ConfigError: the search's language model cannot be used.
        """
        loaded = read_system(path, ARCHITECTURE)
        vocabulary = ConceptVocabulary()
        vocabulary.load_state_dict(loaded.vocabulary)
        model = build_tagger(loaded, where=str(path))
        return cls(model, vocabulary, search, device, Batching(batch_seconds, max_seconds, root))

    @property
    def concepts(self) -> list[str]:
        """Names of the concepts that the model can write."""
        return self.vocabulary.concepts

    def tag(self, recordings: Sequence[Recording] | Recording) -> list[TaggedUtterance]:
        """Find the words and concepts of recordings.

        Args:
            recordings: paths, specs (``archive.zip:offset:length``, ``talk.wav:offset:length``), or (N,) float samples
                at 16 kHz in [-1, 1] as arrays or tensors; one alone is taken as a list of one.

        Returns:
            One utterance a recording, in the order of ``recordings``; texts of segments with a space between them.

        Raises:
            AudioError: naming the recording, when one cannot be read or holds no samples.
        """
        listed = list_recordings(recordings)
        found: list[list[tuple[int, TaggedText]]] = [[] for _ in listed]
        for piece, tagged in self._search(listed):
            found[piece.recording].append((piece.segment.start, tagged))
        return [_join(sorted(segments, key=lambda segment: segment[0])) for segments in found]

    def _search(self, recordings: list[Recording]) -> Iterator[tuple[Piece, TaggedText]]:
        """Yield every segment with what was found in it, in no particular order."""
        step = self.model.encoder.samples_per_frame
        for batch in batch_recordings(recordings, self.batching):
            source, padding_mask = pad_pieces(batch, self.device)
            sample = {"net_input": {"source": source, "padding_mask": padding_mask}}
            for piece, best in zip(batch, self.generator.generate([self.model], sample), strict=True):
                yield piece, find_spans(best[0], self.vocabulary, step, len(piece.wave))


def build_tagger(loaded: LoadedSystem, where: str = "checkpoint") -> SamuSluModel:
    """Build a trained model with its weights.

    Args:
        loaded: config and weights.
        where: name of the file, for messages.

    Returns:
        The model in evaluation mode, in float32.

    Raises:
        CheckpointError: when its tagging head was not trained, or the weights do not fit the config.
        ConfigError: when the config is impossible.
    """
    settings = loaded.settings
    if settings.get("slu_weight") == 0:
        mend = "Give one that was trained with a --slu-weight above 0."
        raise CheckpointError(explain(where, "checkpoint", "of a model that learnt to tag", "without", mend))
    known = {item.name for item in fields(SamuSluConfig)}
    cfg = SamuSluConfig(**{name: value for name, value in settings.items() if name in known})
    model = SamuSluModel(cfg, build_configured_encoder(cfg))
    load_strict(model, loaded.state, where=where)
    return model.eval()


def _join(segments: list[tuple[int, TaggedText]]) -> TaggedUtterance:
    """Make one utterance of segments that begin at samples of a recording."""
    concepts: list[ConceptSpan] = []
    for first, tagged in segments:
        offset = first / SAMPLE_RATE
        for span in tagged.concepts:
            concepts.append(replace(span, start=round(span.start + offset, 3), end=round(span.end + offset, 3)))
    texts = [tagged.text for _, tagged in segments if tagged.text]
    # a concept ends with its segment: the words of the next one are not its own
    texts[:-1] = [f"{text} {CLOSE}" if is_open(text) else text for text in texts[:-1]]
    return TaggedUtterance(" ".join(texts), concepts)
