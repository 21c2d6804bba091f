"""What a measurement was made on, without names of hosts or paths."""

import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("fairseq-samu", "torch", "ve-fairseq", "fairseq-fixed", "transformers", "numpy")
CPU_INFO = Path("/proc/cpuinfo")


def describe_machine(threads: int) -> dict[str, Any]:
    """CPU, cores, memory, versions, date, and how busy the machine was before."""
    import torch

    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": threads,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
        "versions": find_versions(PACKAGES),
        "date": datetime.now(UTC).date().isoformat(),
        "load_before": os.getloadavg()[0],
    }


def find_versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of those of the packages that are in this environment."""
    return {name: found for name in packages if (found := _version(name))}


def _cpu_model() -> str:
    if not CPU_INFO.exists():
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in CPU_INFO.read_text().splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
