"""A SentencePiece model so small that a test can train it."""

from pathlib import Path
from typing import Any

import sentencepiece

TEXTS = [
    "The big fish swims under the wreck.",
    "La grande sirena nuota sotto il relitto, dove dormono i pesci.",
    "Velká ryba plave pod vrakem a malá se dívá.",
    "De grote vis zwemt onder het wrak door.",
    "Der große Fisch schwimmt unter dem Wrack hindurch.",
    "Большая рыба плывёт под обломками корабля.",
    "大きな魚が難破船の下を泳ぐ。",
    "Why do you think that this is a submarine? I am not so sure.",
    "Tohle je ponorka? Tím si nejsem jistý.",
]


def train_model(folder: Path, **options: Any) -> Path:
    """Train a SentencePiece model of 120 pieces on the texts above; further options are SentencePiece's."""
    path = folder / f"{options.get('model_type', 'unigram')}{len(options)}"
    settings = {"vocab_size": 120, "model_type": "unigram", "character_coverage": 1.0, **options}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS * 3), model_prefix=str(path), minloglevel=2, num_threads=1, **settings
    )
    return path.with_suffix(".model")
