"""Semantic speech encoders, trained once and reused: a plugin of fairseq.

``fairseq-train --user-dir fairseq_samu`` imports this package, which registers its tasks, models,
criterions, optimizers and schedulers.
From Python, ``SpeechEmbedder``, ``SpeechTranslator`` and ``ConceptTagger`` load what was trained.
"""

import sys
from typing import Any

__version__ = "0.1.0"
__all__ = ["ConceptTagger", "SpeechEmbedder", "SpeechTranslator", "__version__", "register"]


def register() -> None:
    """Register all that fairseq is to know by name; does nothing the second time."""
    from fairseq_samu import criterions, models, optim, tasks  # noqa: F401


def __getattr__(name: str) -> Any:
    # torch and fairseq take seconds to import, so a program that only reads manifests does not
    if name == "ConceptTagger":
        from fairseq_samu.inference.concept_tagger import ConceptTagger

        return ConceptTagger
    if name == "SpeechEmbedder":
        from fairseq_samu.inference.speech_embedder import SpeechEmbedder

        return SpeechEmbedder
    if name == "SpeechTranslator":
        from fairseq_samu.inference.speech_translator import SpeechTranslator

        return SpeechTranslator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if "fairseq" in sys.modules:
    register()
