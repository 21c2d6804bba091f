"""A teacher from a local directory in the layout of sentence-transformers, such as LaBSE; run through transformers."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fairseq_samu.errors import TeacherError, explain
from fairseq_samu.teachers.fingerprints import hash_facts, hash_file, package_version
from fairseq_samu.teachers.sentence_heads import Normalise, Pooling, build_dense, read_record

logger = logging.getLogger(__name__)

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
HASHED_SUFFIXES = (".json", ".txt", ".model", ".safetensors", ".bin")
BARE_MODULES = [{"type": "Transformer", "path": ""}]
MEND = (
    "Give a directory that holds modules.json, config.json, the tokenizer and model.safetensors or pytorch_model.bin."
)


class SentenceTransformersDirectory:
    """A transformer, pooling, and what modules.json puts behind them (dense layers, normalisation).

    A directory without modules.json is a bare transformer and gets mean pooling, as sentence-transformers itself does.
    Weights are read without running code of theirs, computation is in float32.

    Args:
        directory: where modules.json lies.
        device: torch device to run on.

    Raises:
        TeacherError: transformers is not installed, or the directory is damaged or of a kind that is not known here.
    """

    def __init__(self, directory: Path, device: str = "cpu"):
        self._device = _check_device(device)
        self._place = str(directory)
        if not directory.is_dir():
            raise TeacherError(explain("", "teacher's directory", "a directory", directory, MEND))
        modules = _read_modules(directory)
        first = directory / modules[0]["path"]
        self._tokenizer, transformer = _load_transformer(first)
        self._transformer = transformer.eval().requires_grad_(False).to(self._device)
        self._max_tokens = _max_tokens(first, self._tokenizer, transformer.config)
        self._lower_case = bool(_read_optional(first / "sentence_bert_config.json").get("do_lower_case", False))
        self._prompt = _default_prompt(directory)
        heads = [_build_head(directory, module) for module in modules[1:]] or [Pooling({"pooling_mode": "mean"})]
        self._pooling, self._heads = self._arrange(heads)
        self._truncated = 0
        self.dim = self._count_dimensions(int(transformer.config.hidden_size))
        files = _hash_files([directory, *(directory / module["path"] for module in modules)], directory)
        self.versions = {"transformers": package_version("transformers"), "torch": str(torch.__version__)}
        self.versions |= {f"sha256 of {name}": value for name, value in files.items() if Path(name).name in WEIGHTS}
        self.fingerprint = "st-" + hash_facts(files)[:16]

    def encode(self, texts: list[str]) -> np.ndarray:
        """Embed sentences.

        Args:
            texts: B sentences; beyond the model's greatest number of tokens they are cut, and the log says so.

        Returns:
            (B, D) float32.
        """
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        prepared = [self._prompt + (text.lower() if self._lower_case else text) for text in texts]
        tokens = self._tokenizer(
            prepared, padding=True, truncation=True, max_length=self._max_tokens, return_tensors="pt"
        ).to(self._device)
        self._note_truncation(tokens["attention_mask"])
        with torch.inference_mode():
            frames = self._transformer(**tokens).last_hidden_state.float()
            vectors = self._heads(self._pooling(frames, tokens["attention_mask"].bool()))
        return vectors.cpu().numpy()

    def _arrange(self, heads: list[nn.Module]) -> tuple[Pooling, nn.Sequential]:
        if not isinstance(heads[0], Pooling) or any(isinstance(head, Pooling) for head in heads[1:]):
            kinds = ", ".join(type(head).__name__ for head in heads)
            rule = "one pooling, then dense layers and normalisation"
            raise TeacherError(explain(f"{self._place}/modules.json", "modules", rule, kinds, MEND))
        return heads[0], nn.Sequential(*heads[1:]).eval().requires_grad_(False).to(self._device)

    def _count_dimensions(self, hidden: int) -> int:
        with torch.inference_mode():
            frames = torch.zeros(1, 1, hidden, device=self._device)
            try:
                return int(self._heads(self._pooling(frames, frames[..., 0] == 0)).shape[1])
            except RuntimeError as error:
                rule = f"fit for {hidden} dimensions of the transformer"
                raise TeacherError(explain(self._place, "heads", rule, error, MEND)) from error

    def _note_truncation(self, mask: torch.Tensor) -> None:
        full = int((mask.sum(1) >= self._max_tokens).sum())
        if full and not self._truncated:
            logger.warning("texts of %d tokens or more are cut there by the teacher", self._max_tokens)
        self._truncated += full


def _read_modules(directory: Path) -> list[dict[str, str]]:
    path = directory / "modules.json"
    if not path.exists():
        return BARE_MODULES
    modules = read_record(path)
    try:
        read = [{"type": str(entry["type"]).rpartition(".")[2], "path": str(entry["path"])} for entry in modules]
    except (TypeError, KeyError) as error:
        raise TeacherError(explain(str(path), "modules.json", "a list of types and paths", error, MEND)) from error
    if not read or read[0]["type"] != "Transformer":
        value = read[0]["type"] if read else "an empty list"
        raise TeacherError(explain(str(path), "first module", "a Transformer", value, MEND))
    return read


def _build_head(directory: Path, module: dict[str, str]) -> nn.Module:
    folder = directory / module["path"]
    if module["type"] == "Pooling":
        return Pooling(read_record(folder / "config.json"), str(folder / "config.json"))
    if module["type"] == "Dense":
        return build_dense(folder)
    if module["type"] == "Normalize":
        return Normalise()
    rule = "Transformer, Pooling, Dense or Normalize"
    raise TeacherError(explain(f"{directory}/modules.json", "module", rule, module["type"], "Choose another teacher."))


def _load_transformer(folder: Path) -> tuple[Any, Any]:
    """Tokenizer and model, with every weight that the frames depend on taken from the file."""
    try:
        from transformers import AutoModel, AutoTokenizer
    except ImportError as error:
        mend = "Install it: `pip install transformers`."
        raise TeacherError(explain("", "transformers", "installed", f"missing ({error})", mend)) from error
    weights = next((name for name in WEIGHTS if (folder / name).exists()), None)
    if weights is None:
        raise TeacherError(explain(str(folder), "weights", " or ".join(WEIGHTS), "neither", MEND))
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **options)
        model, report = AutoModel.from_pretrained(
            str(folder),
            use_safetensors=weights.endswith(".safetensors"),
            weights_only=True,
            dtype=torch.float32,
            output_loading_info=True,
            **options,
        )
    except Exception as error:  # the library raises whatever its parts raise, also its own classes
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TeacherError(explain(str(folder), "transformer", "readable by transformers", reason, MEND)) from error
    # Missing weights would be drawn at random; BERT's own pooler is not used.
    missing = sorted(name for name in report["missing_keys"] if not name.startswith("pooler."))
    if missing or report.get("mismatched_keys"):
        value = f"without {', '.join(missing[:5])}" if missing else f"of other shapes: {report['mismatched_keys']}"
        raise TeacherError(explain(f"{folder}/{weights}", "weights", "complete", value, MEND))
    return tokenizer, model


def _max_tokens(folder: Path, tokenizer: Any, config: Any) -> int:
    written = _read_optional(folder / "sentence_bert_config.json").get("max_seq_length")
    limits = [written, getattr(tokenizer, "model_max_length", None), getattr(config, "max_position_embeddings", None)]
    return min(int(limit) for limit in limits if limit)


def _default_prompt(directory: Path) -> str:
    """The prefix that the directory puts before every text, if it names one."""
    record = _read_optional(directory / "config_sentence_transformers.json")
    name = record.get("default_prompt_name")
    return str((record.get("prompts") or {}).get(name, "")) if name else ""


def _read_optional(path: Path) -> dict[str, Any]:
    record = read_record(path) if path.exists() else {}
    return record if isinstance(record, dict) else {}


def _check_device(device: str) -> torch.device:
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise TeacherError(
            explain("", "device", "one that torch can use", f"{device} ({reason})", "Use cpu.")
        ) from error
    return torch.device(device)


def _hash_files(folders: list[Path], root: Path) -> dict[str, str]:
    """Hash what decides the embeddings: records, tokenizer and weights, but no other formats of the same weights."""
    chosen: dict[str, Path] = {}
    for folder in dict.fromkeys(folders):
        # A layer without weights, such as Normalize, often comes without its folder.
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            superseded = path.name == WEIGHTS[1] and (folder / WEIGHTS[0]).exists()
            if path.is_file() and path.suffix in HASHED_SUFFIXES and not superseded:
                chosen[path.relative_to(root).as_posix()] = path
    return {name: hash_file(path) for name, path in sorted(chosen.items())}
