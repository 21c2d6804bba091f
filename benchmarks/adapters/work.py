"""What the systems work on: recordings of the embedded corpus and tokens of what is said in them."""

import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.adapters.sizes import EOS, PAD, SPECIALS, TAG, Sizes

SAMPLE_RATE = 16000
SAMPLES_A_FRAME = 320
CHARACTERS_A_TOKEN = 4
CORPUS = Path(__file__).resolve().parents[2] / "manifests/prompts"
FILE = "batch.safetensors"


@dataclass(frozen=True)
class Batch:
    """Recordings and their texts.

    Attributes:
        wave: (B, N) float32 at 16 kHz in [-1, 1], zero at padding; N is a whole number of frames.
        lengths: (B,) int64 samples.
        target: (B, U) int64, ``[tag] pieces </s>`` and padding.
    """

    wave: Tensor
    lengths: Tensor
    target: Tensor

    @property
    def seconds(self) -> float:
        """Audio without padding."""
        return self.lengths.sum().item() / SAMPLE_RATE

    @property
    def padding_mask(self) -> Tensor:
        """(B, N) bool, True = padding."""
        return torch.arange(self.wave.size(1)) >= self.lengths[:, None]

    @property
    def prev_output_tokens(self) -> Tensor:
        """(B, U) int64, ``</s> [tag] pieces``."""
        shifted = torch.cat([torch.full_like(self.target[:, :1], EOS), self.target[:, :-1]], dim=1)
        return shifted.masked_fill(self.target.eq(PAD), PAD)

    def save(self, folder: Path) -> None:
        """Write the batch for systems of other environments, which cannot read the corpus."""
        save_file(asdict(self), folder / FILE)


def load_batch(folder: Path) -> Batch:
    """Read what :meth:`Batch.save` wrote."""
    return Batch(**load_file(folder / FILE))


def read_batch(sizes: Sizes) -> Batch:
    """Read recordings of the embedded corpus whose lengths lie between the bounds, as evenly as there are.

    The tokens of a text are ids that stand for every four characters of it; what they mean does not matter here.
    """
    from fairseq_samu.data.audio import read_audio
    from fairseq_samu.data.manifest import read_manifest

    shortest, longest = (seconds * SAMPLE_RATE for seconds in sizes.seconds)
    rows = [row for row in read_manifest(CORPUS / "train.tsv") if shortest <= row.n_frames <= longest]
    rows.sort(key=lambda row: row.n_frames)
    places = torch.linspace(0, len(rows) - 1, sizes.utterances).round().long().tolist()
    chosen = [rows[place] for place in places]
    waves = [torch.from_numpy(read_audio(row.audio, CORPUS)) for row in chosen]
    texts = [_tokens(row.src_text or "", sizes.vocabulary) for row in chosen]
    samples = -(-max(map(len, waves)) // SAMPLES_A_FRAME) * SAMPLES_A_FRAME
    wave = torch.zeros(len(waves), samples)
    target = torch.full((len(texts), max(map(len, texts))), PAD)
    for row, (recording, tokens) in enumerate(zip(waves, texts, strict=True)):
        wave[row, : len(recording)] = recording
        target[row, : len(tokens)] = torch.tensor(tokens)
    return Batch(wave, torch.tensor([len(recording) for recording in waves]), target)


def _tokens(text: str, vocabulary: int) -> list[int]:
    parts = [text[start : start + CHARACTERS_A_TOKEN] for start in range(0, len(text), CHARACTERS_A_TOKEN)]
    return [TAG, *(SPECIALS + zlib.crc32(part.encode()) % (vocabulary - SPECIALS) for part in parts), EOS]
