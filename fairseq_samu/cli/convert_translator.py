"""`fairseq-samu convert` for checkpoints of translation, which have an encoder, a decoder and parts between."""

import sys
from pathlib import Path
from typing import Any

from fairseq_samu.errors import CheckpointError, explain

BETWEEN = ("projection", "compressor", "local_to_global", "text_encoder", "length_adapter", "bridge", "ctc_head")


def describe_translator(loaded: Any, where: str) -> dict[str, Any]:
    """Describe a translation model.

    Args:
        loaded: a ``LoadedTranslator``.
        where: name of its file, for messages.

    Returns:
        Plain JSON: ``kind``, ``parameters`` by group with their ``total``, ``tuned_parameters`` likewise,
        ``fingerprint`` of all weights, ``vocabulary`` with size, languages and fingerprint, and the model's ``config``.

    Raises:
        CheckpointError: when its weights do not fit its config.
    """
    from fairseq_samu.checkpoints import fingerprint

    model, vocabulary = _build(loaded, where)
    groups = model.parameter_groups()
    parameters = {name: sum(p.numel() for p in group) for name, group in groups.items()}
    tuned = {name: sum(p.numel() for p in group if p.requires_grad) for name, group in groups.items()}
    tuned = {name: count for name, count in tuned.items() if count}
    return {
        "kind": loaded.source,
        "parameters": {**parameters, "total": sum(parameters.values())},
        "tuned_parameters": {**tuned, "total": sum(tuned.values())},
        "fingerprint": fingerprint(loaded.state),
        "vocabulary": {
            "size": len(vocabulary),
            "languages": vocabulary.languages,
            "fingerprint": vocabulary.fingerprint,
        },
        "config": loaded.settings,
    }


def export_translator(loaded: Any, where: str, directory: Path, part: str | None) -> None:
    """Write encoder and decoder of a speech translation model as Hugging Face directories.

    Args:
        loaded: a ``LoadedTranslator``.
        where: name of its file, for messages.
        directory: what is made.
        part: ``encoder`` or ``decoder`` to make ``directory`` of one alone; None for both, in ``directory/encoder`` and
            ``directory/decoder``.

    Raises:
        CheckpointError: when there is no such part, a part has adapters, or the directory cannot be written.
    """
    from fairseq_samu.checkpoints.new_directory import new_directory

    model, vocabulary = _build(loaded, where)
    if part != "decoder":
        _require_plain_encoder(model, where)
    if part != "encoder":
        _require_plain_decoder(model, where)
    if part == "encoder":
        _export_encoder(model, directory)
    elif part == "decoder":
        _export_decoder(model, vocabulary, directory)
    else:
        with new_directory(directory) as made:
            _export_encoder(model, made / "encoder")
            _export_decoder(model, vocabulary, made / "decoder")
    left_out = [group for group in BETWEEN if group in model.parameter_groups()]
    if left_out:
        print(f"left out, because no class of transformers has them: {', '.join(left_out)}", file=sys.stderr)


def _build(loaded: Any, where: str) -> tuple[Any, Any]:
    from fairseq_samu.inference.translator_building import build_translator, build_vocabulary

    vocabulary = build_vocabulary(loaded.vocabulary)
    return build_translator(loaded, vocabulary, where), vocabulary


def _require_plain_encoder(model: Any, where: str) -> None:
    if model.encoder is None:
        mend = "Give --part decoder."
        raise CheckpointError(explain(where, "model", "one with a speech encoder", "one of text alone", mend))
    _require_no_adapters(model, where, "encoder", "decoder")


def _require_plain_decoder(model: Any, where: str) -> None:
    if model.decoder is None:
        mend = "Give --part encoder."
        raise CheckpointError(explain(where, "model", "one with a decoder", "one for CTC alone", mend))
    _require_no_adapters(model, where, "decoder", "encoder")


def _require_no_adapters(model: Any, where: str, part: str, other: str) -> None:
    if any(group.startswith(f"{part}_adapters") for group in model.parameter_groups()):
        rule = f"without adapters, which transformers' {part}s cannot have"
        mend = f"Write the {other} alone with --part {other}; `fairseq-samu adapters` keeps adapters apart."
        raise CheckpointError(explain(where, part, rule, "one with adapters", mend))


def _export_encoder(model: Any, directory: Path) -> None:
    from fairseq_samu.checkpoints.huggingface_export import export_huggingface

    export_huggingface(directory, model.encoder.config(), model.encoder.state_dict())


def _export_decoder(model: Any, vocabulary: Any, directory: Path) -> None:
    from fairseq_samu.checkpoints.decoder_export import export_decoder

    decoder = model.decoder
    export_decoder(
        directory, decoder.config.to_dict(), decoder.state_dict(), vocabulary.tokens, vocabulary.sentencepiece
    )
