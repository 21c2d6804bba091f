"""The one dataset: rows of a manifest, read into the one definition of a batch."""

import logging
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.data.audio import read_audio
from fairseq_samu.data.audio_source import identify_audio
from fairseq_samu.data.augmentation import perturb_speed
from fairseq_samu.data.collate import Item, Target
from fairseq_samu.data.dataset_options import DatasetOptions, hash_to_integers
from fairseq_samu.data.feature_cache import FeatureCache, audio_key
from fairseq_samu.data.manifest import Manifest
from fairseq_samu.data.row_dataset import RowDataset, Texts
from fairseq_samu.data.targets import SourceTexts
from fairseq_samu.errors import AudioError, ManifestError, explain

logger = logging.getLogger(__name__)

SPEED_STREAM, AUGMENT_STREAM = 12, 13


class TextTable(Protocol):
    """What the dataset asks of a table of sentence embeddings."""

    def lookup(self, texts: list[str]) -> NDArray[np.float32]:
        """Embeddings (B, E) of texts."""
        ...


class SpeechTextDataset(RowDataset):
    """Rows of a manifest with audio, teacher embedding, target text and language.

    Indices are rows of the manifest. What is drawn depends on seed, epoch and row alone, never on the order of
    reading, the number of data workers or an interruption.

    Args:
        manifest: rows.
        options: how they are read.
        teacher: table of embeddings for ``options.text_column``, or None.
        targets: what a model learns to write, or None.
        transcripts: what is said, handed out beside the targets, or None.
    """

    def __init__(
        self,
        manifest: Manifest,
        options: DatasetOptions,
        teacher: TextTable | None = None,
        targets: Texts | None = None,
        transcripts: SourceTexts | None = None,
    ) -> None:
        self.teacher = teacher
        self.transcripts = transcripts
        self.cache: FeatureCache | None = None
        self.lengths = np.asarray(manifest.n_frames, dtype=np.int64)
        super().__init__(manifest, options, targets)

    # ---- what the host asks -------------------------------------------------------------------------------------

    def num_tokens_vec(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Samples of rows as they will be read in this epoch, (R,) int64."""
        return np.ceil(self.lengths[indices] / self.speeds(indices)).astype(np.int64)

    def __getitem__(self, index: int) -> Item | None:
        row = self.manifest[int(index)]
        speed = float(self.speeds(np.asarray([index]))[0])
        teacher = None
        if self.teacher is not None:
            teacher = self.teacher.lookup([self.text_of(int(index))])[0]
        language = int(self.language_ids[index]) if len(self.language_ids) else None
        target = self._target_of(int(index))
        adapters = self.adapters_of(int(index))
        if self.cache is not None:
            key = self.key_of(int(index), speed)
            if key is None:
                return None
            features = self.cache.get(key)
            samples = int(self.num_tokens(int(index)))
            return Item(int(index), samples, None, features, teacher, language, target, **adapters)
        try:
            wave = self.read_wave(int(index), speed)
        except AudioError as error:
            if not self.options.skip_bad_audio:
                raise
            logger.warning(f"skipped row {row.id}: {error}")
            return None
        source = wave.astype(np.float64) if self.options.double_waves else wave
        return Item(int(index), len(wave), source, None, teacher, language, target, **adapters)

    def _target_of(self, index: int) -> Target | None:
        texts = self.targets
        if texts is None:
            return None
        transcript = self.transcripts.pieces(index) if self.transcripts is not None else None
        return Target(texts.task, texts.tag(index), texts.pad, texts.tokens(index), transcript)

    # ---- reading ------------------------------------------------------------------------------------------------

    def text_of(self, index: int) -> str:
        """Text of a row that the teacher embeds.

        Raises:
            ManifestError: the column is absent.
        """
        text = getattr(self.manifest[index], self.options.text_column)
        if text is None:
            mend = "Name another column with --teacher-text-column."
            where = str(self.manifest.path)
            raise ManifestError(explain(where, self.options.text_column, "a column", "absent", mend))
        return str(text)

    def speeds(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """Speed factor of rows in this epoch, (R,) float64; 1 outside of training."""
        factors = np.asarray(self.options.speed_factors, dtype=np.float64)
        if not self.options.training or len(factors) == 1:
            return np.full(len(indices), factors[0] if self.options.training else 1.0)
        drawn = hash_to_integers(indices, (self.options.seed, SPEED_STREAM, self.epoch))
        return factors[drawn % np.uint64(len(factors))]

    def read_wave(self, index: int, speed: float) -> NDArray[np.float32]:
        """Read a row's audio at a speed, with the augmentation of this epoch.

        Raises:
            AudioError: it cannot be read.
        """
        wave = read_audio(self.manifest[index].audio, self.options.audio_root, self.manifest.where(index))
        if speed != 1.0:
            wave = perturb_speed(wave, speed)
        if self.options.training and self.options.augment is not None:
            rng = np.random.default_rng([self.options.seed, AUGMENT_STREAM, self.epoch, index])
            wave = self.options.augment(wave, rng)
        return wave

    def read_identity(self, index: int) -> bytes:
        """Read what tells a row's recording from all others.

        Raises:
            AudioError: it is not there.
        """
        return identify_audio(self.manifest[index].audio, self.options.audio_root, self.manifest.where(index))

    # ---- cached features ----------------------------------------------------------------------------------------

    def key_of(self, index: int, speed: float) -> str | None:
        """Key of a row in the feature cache, or None where its audio was found unusable and is skipped."""
        base = self._keys[index]
        return None if base is None else (base if speed == 1.0 else f"{base}@{speed:g}")

    def use_cache(
        self,
        cache: FeatureCache,
        encode: Callable[[list[NDArray[np.float32]]], list[NDArray[np.floating[Any]]]],
        batch_samples: int,
    ) -> float:
        """Hand out cached frames from now on, encoding first what the cache lacks.

        Args:
            cache: of the encoder that ``encode`` runs.
            encode: waves (N,) to frames (T, D).
            batch_samples: most samples encoded at once.

        Returns:
            Seconds that the encoding took.
        """
        self._keys: list[str | None] = [None] * len(self.manifest)
        speeds = tuple(self.options.speed_factors) if self.options.training else (1.0,)
        wanted, places = [], []
        for index in self.rows.tolist():
            identity = self._read_or_skip(index, self.read_identity)
            if identity is None:
                continue
            self._keys[index] = audio_key(identity, 1.0)
            for speed in speeds:
                wanted.append((audio_key(identity, speed), int(self.lengths[index] / speed)))
                places.append((index, speed))

        def read(position: int) -> NDArray[np.float32] | None:
            index, speed = places[position]
            return self._read_or_skip(index, lambda i: self.read_wave(i, speed))

        seconds = cache.build(wanted, read, encode, batch_samples)
        for position, (key, _) in enumerate(wanted):
            if key not in cache:
                self._keys[places[position][0]] = None
        self.cache = cache
        return seconds

    def _read_or_skip(self, index: int, read: Callable[[int], Any]) -> Any:
        try:
            return read(index)
        except AudioError as error:
            if not self.options.skip_bad_audio:
                raise
            logger.warning(f"skipped row {self.manifest[index].id}: {error}")
            return None
