"""Training and decoding of speech translation by the real command line, on rows of the embedded corpus."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from fairseq_samu.data.manifest import Row, read_manifest, write_manifest
from fairseq_samu.data.sentencepiece_training import SentencePieceOptions, train_sentencepiece
from fairseq_samu.data.vocabulary import Vocabulary
from tests.e2e.training import COLUMNS, ENCODER, PROMPTS, ROOT, environment, row_fields, train_command

LANGUAGES = ("en", "fr", "es")
DECODER = {"d_model": 32, "decoder_layers": 2, "decoder_ffn_dim": 64, "decoder_attention_heads": 4}
MAX_TOKENS = 60


@dataclass
class TranslationCorpus:
    """Manifests with translations, and the initial files of a tiny model.

    Attributes:
        folder: where train.tsv, valid.tsv, test.tsv lie.
        encoder: a wav2vec 2.0 directory of transformers.
        decoder: an mBART directory of transformers with its pieces.
    """

    folder: Path
    encoder: Path
    decoder: Path


def translations() -> dict[tuple[str, str], str]:
    """Text of the embedded corpus by what is said and language."""
    table = read_manifest(PROMPTS / "texts.tsv", required=("parallel_id", "lang", "text"))
    return {(row.parallel_id or "", row.extra["lang"]): row.extra["text"] for row in table}


def choose_rows(split: str, count: int) -> list[Row]:
    """Short rows of a split, from about a second up, whose text is known in all of :data:`LANGUAGES`."""
    manifest, texts = read_manifest(PROMPTS / f"{split}.tsv"), translations()
    lengths = np.asarray(manifest.n_frames)
    rows = (manifest[int(index)] for index in np.argsort(lengths, kind="stable") if lengths[index] >= 14000)
    fitting = (row for row in rows if all((row.parallel_id, language) in texts for language in LANGUAGES))
    return [row for row, _ in zip(fitting, range(count), strict=False)]


def write_translations(path: Path, pairs: list[tuple[Row, str]]) -> None:
    """Write a manifest of recordings, each with the language that it is to be translated into."""
    texts = translations()
    lines = [
        {**row_fields(row), "id": f"{row.id}-{to}", "tgt_lang": to, "tgt_text": texts[row.parallel_id or "", to]}
        for row, to in pairs
    ]
    write_manifest(path, lines, [*COLUMNS, "tgt_text", "tgt_lang"])


def make_translation_corpus(folder: Path, counts: dict[str, int]) -> TranslationCorpus:
    """Manifests whose rows are to be translated into three languages by turns, and a random tiny model's files."""
    for split, count in counts.items():
        pairs = [(row, LANGUAGES[place % 3]) for place, row in enumerate(choose_rows(split, count))]
        write_translations(folder / f"{split}.tsv", pairs)
    texts = sorted({text for (_, language), text in translations().items() if language in LANGUAGES})
    corpus = TranslationCorpus(folder, folder / "encoder", folder / "decoder")
    corpus.decoder.mkdir()
    pieces = corpus.decoder / "sentencepiece.bpe.model"
    pieces.write_bytes(train_sentencepiece(texts, SentencePieceOptions(size=200)))
    write_tiny_model(corpus, len(Vocabulary.from_sentencepiece(pieces)))
    return corpus


def write_tiny_model(corpus: TranslationCorpus, vocabulary_size: int) -> None:
    """Save random weights as transformers saves pre-trained ones."""
    from transformers import MBartConfig, MBartForConditionalGeneration, Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(0)
    speech = Wav2Vec2Config(
        hidden_size=ENCODER["dim"],
        intermediate_size=ENCODER["ffn_dim"],
        num_hidden_layers=ENCODER["num_layers"],
        num_attention_heads=ENCODER["num_heads"],
        conv_dim=[dim for dim, _, _ in ENCODER["conv_layers"]],
        num_conv_pos_embeddings=ENCODER["conv_pos"],
        num_conv_pos_embedding_groups=ENCODER["conv_pos_groups"],
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        conv_bias=True,
    )
    Wav2Vec2Model(speech).save_pretrained(corpus.encoder)
    sizes = {"vocab_size": vocabulary_size, "max_position_embeddings": 128, "scale_embedding": True, **DECODER}
    unused = {"encoder_layers": 1, "encoder_ffn_dim": 8, "encoder_attention_heads": 2}
    MBartForConditionalGeneration(MBartConfig(**sizes, **unused)).save_pretrained(corpus.decoder)


def translation_command(corpus: TranslationCorpus, save_dir: Path, **changed: object) -> list[str]:
    """Arguments of fairseq-train after the program, as :func:`tests.e2e.training.train_command` takes them."""
    options: dict[str, object] = {
        "task": "multitask_st",
        "arch": "samu_xlsr_mbart",
        "criterion": "ctc_ce",
        "teacher_table": None,
        "encoder_config": None,
        "encoder_path": corpus.encoder,
        "decoder_path": corpus.decoder,
        "adapter_dim": 8,
        "label_smoothing": 0.3,
    }
    return train_command(corpus, save_dir, **{**options, **changed})  # type: ignore[arg-type]


def generate(folder: Path, checkpoint: Path, subset: str = "test", expect: int = 0, **changed: object) -> str:
    """Run fairseq-generate in a process of its own, to an exit code, and return what it printed."""
    options: dict[str, object] = {
        "user_dir": ROOT / "fairseq_samu",
        "task": "multitask_st",
        "audio_root": PROMPTS,
        "path": checkpoint,
        "gen_subset": subset,
        "beam": 5,
        "max_len_b": MAX_TOKENS,
        "num_workers": 0,
        "cpu": True,
        **changed,
    }
    words = [str(folder)]
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    code = "import sys\nfrom fairseq_cli.generate import cli_main\nsys.exit(cli_main())"
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(
        command,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == expect, done.stdout[-4000:]
    return done.stdout


def move_to_another_machine(corpus: TranslationCorpus, checkpoint: Path, folder: Path) -> Path:
    """Take a checkpoint and the test manifest into a folder, and remove everything that training started from."""
    folder.mkdir()
    shutil.copy(corpus.folder / "test.tsv", folder / "test.tsv")
    shutil.move(checkpoint, folder / "model.pt")
    shutil.rmtree(corpus.encoder)
    shutil.rmtree(corpus.decoder)
    for split in ("train", "valid", "test"):
        (corpus.folder / f"{split}.tsv").unlink()
    return folder / "model.pt"
