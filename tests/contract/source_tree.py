"""The repository as the contract tests read it: files, syntax trees, imports. Nothing of the package is imported."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "fairseq_samu"


@dataclass(frozen=True)
class Import:
    """One imported module: `from a import b` counts as `a.b`, of which `a` may be the module."""

    module: str
    line: int
    at_start: bool  # executed when the importing file is, not inside a function

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]


@dataclass(frozen=True)
class Source:
    """A Python file, given its path in the repository, so that a test can plant one that is not on disk."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return _parse(self.text)

    @property
    def module(self) -> str:
        parts = Path(self.path).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def room(self) -> str:
        """Folder of the package that the file lies in; the file's own stem where it lies in none."""
        parts = Path(self.path).parts
        return parts[1] if len(parts) > 2 else Path(self.path).stem

    def imports(self) -> list[Import]:
        return list(_imports(self.tree, self))

    def mentioned_modules(self) -> set[str]:
        """Modules that the file imports, or names in a string as tables of modules do."""
        imported = {name for one in self.imports() for name in (one.module, one.module.rpartition(".")[0])}
        constants = (node.value for node in ast.walk(self.tree) if isinstance(node, ast.Constant))
        return imported | {value for value in constants if isinstance(value, str) and value.startswith(f"{PACKAGE}.")}

    def at(self, node: ast.AST) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)}"


@cache
def _parse(text: str) -> ast.Module:
    return ast.parse(text)


def _imports(tree: ast.AST, source: Source, at_start: bool = True) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, at_start) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _resolve(node, source)
            yield from (Import(f"{base}.{alias.name}", node.lineno, at_start) for alias in node.names)
        elif not _is_for_types_only(node):
            inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(node, source, at_start and not inside)


def _resolve(node: ast.ImportFrom, source: Source) -> str:
    if node.level == 0:
        return node.module or ""
    package = Path(source.path).parent.parts
    above = package[: len(package) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])])


def _is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def read_source(path: str) -> Source:
    return Source(path, (ROOT / path).read_text("utf-8"))


@cache
def tracked_files() -> tuple[str, ...]:
    """Paths of what belongs to the repository; of all files where git is absent."""
    listing = ["git", "ls-files", "-z"]
    try:
        done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
        names = set(done.stdout.split("\0")) - {""}
    except (OSError, subprocess.CalledProcessError):
        names = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if ".venv" not in path.parts}
    return tuple(sorted(name for name in names if (ROOT / name).is_file()))


def python_sources(folder: str = "") -> list[Source]:
    """Python files of the repository below one of its folders, those not yet committed included."""
    folders = [ROOT / folder] if folder else [ROOT / name for name in (PACKAGE, "tests", "examples", "benchmarks")]
    paths = sorted(path for place in folders for path in place.rglob("*.py"))
    return [read_source(path.relative_to(ROOT).as_posix()) for path in paths]


def package_sources() -> list[Source]:
    return python_sources(PACKAGE)


def text_files() -> Iterator[tuple[str, str]]:
    """Path and text of every file that is text."""
    for name in tracked_files():
        contents = (ROOT / name).read_bytes()
        if b"\0" not in contents[:8192]:
            yield name, contents.decode("utf-8", errors="replace")
