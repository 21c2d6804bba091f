"""Signatures: what a score depends on, in the manner of sacreBLEU, so that two figures can be compared or not."""

import importlib.metadata
from collections.abc import Mapping

from fairseq_samu import __version__


def sign(**settings: str) -> str:
    """Sign a score that is computed here, such as ``mode:full|units:concepts|samu:0.1.0``.

    Args:
        settings: what the score depends on.
    """
    return "|".join(f"{key}:{value}" for key, value in {**settings, "samu": __version__}.items())


def sign_library(library: str, **settings: str) -> str:
    """Sign a score of a library, such as ``nrefs:1|tok:13a|nltk:3.10.4``.

    Args:
        library: name of the installed distribution.
        settings: what else the score depends on.
    """
    parts = [f"{key}:{value}" for key, value in settings.items()]
    return "|".join([*parts, f"{library}:{importlib.metadata.version(library)}"])


def join_signatures(by_pair: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """One signature a metric; where pairs differ, each one stands behind the names of its pairs.

    Args:
        by_pair: pair -> metric -> signature; the same metrics for every pair.
    """
    joined: dict[str, str] = {}
    for metric in next(iter(by_pair.values()), {}):
        names: dict[str, list[str]] = {}
        for pair, signatures in by_pair.items():
            names.setdefault(signatures[metric], []).append(pair)
        parts = [text if len(names) == 1 else f"{','.join(pairs)}={text}" for text, pairs in names.items()]
        joined[metric] = "; ".join(parts)
    return joined
