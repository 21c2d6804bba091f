"""What the package registers with the host, its options, and the rules that they keep."""

import ast
import dataclasses
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.contract.source_tree import PACKAGE, Source

SUFFIX = {"task": "Task", "model": "Model", "criterion": "Criterion", "optimizer": "", "lr_scheduler": ""}
# A variable or attribute of such a name holds options, so that `cfg.x` reads the option x.
HOLDS_OPTIONS = re.compile(r"(cfg|config|options|args)$")


@dataclass(frozen=True)
class Registered:
    """One name that the package registers with the host, and the dataclass of its options."""

    kind: str
    name: str
    cls: type
    options: type | None


def find_registered() -> list[Registered]:
    """List what the package registers, after having it registered."""
    import fairseq.models
    import fairseq.registry
    import fairseq.tasks

    import fairseq_samu

    fairseq_samu.register()
    tables = [
        ("task", fairseq.tasks.TASK_REGISTRY, fairseq.tasks.TASK_DATACLASS_REGISTRY),
        ("model", fairseq.models.MODEL_REGISTRY, fairseq.models.MODEL_DATACLASS_REGISTRY),
    ]
    for kind in ("criterion", "optimizer", "lr_scheduler"):
        table = fairseq.registry.REGISTRIES[kind]
        tables.append((kind, table["registry"], table["dataclass_registry"]))
    return [
        Registered(kind, name, cls, options.get(name))
        for kind, classes, options in tables
        for name, cls in classes.items()
        if cls.__module__.startswith(f"{PACKAGE}.")
    ]


def check_names(registered: Registered) -> Iterator[str]:
    """A registered name is its file's name, its class's stem and its config's stem."""
    where, stem = f"{registered.kind} `{registered.name}`", _camel(registered.name)
    if registered.cls.__module__.rpartition(".")[2] != registered.name:
        yield f"{where} must stand in {registered.name}.py, not in {registered.cls.__module__}"
    if registered.cls.__name__ != stem + SUFFIX[registered.kind]:
        yield f"{where} must be the class {stem}{SUFFIX[registered.kind]}, not {registered.cls.__name__}"
    if registered.options is None:
        yield f"{where} has no dataclass of options"
    elif registered.options.__name__ != f"{stem}Config":
        yield f"{where} must have its options in {stem}Config, not {registered.options.__name__}"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def own_fields(options: type) -> list[Any]:
    """Fields of a dataclass that the package declares, without those that the host's base classes bring."""
    inherited: set[str] = set()
    for base in options.__mro__:
        if not base.__module__.startswith(PACKAGE) and dataclasses.is_dataclass(base):
            inherited |= {field.name for field in dataclasses.fields(base)}
    return [field for field in dataclasses.fields(options) if field.name not in inherited]


def is_shared(field: Any) -> bool:
    """Tell whether a field takes its value from another one of the configuration (`II("common.seed")`)."""
    return isinstance(field.default, str) and field.default.startswith("${")


def check_fields(where: str, options: type) -> Iterator[str]:
    """An option is described, and False by default where it is a bool: the host turns True into a negated flag."""
    for field in own_fields(options):
        if is_shared(field):
            continue
        if not (field.metadata or {}).get("help"):
            yield f"{where}: the option `{field.name}` has no help"
        if field.type is bool and field.default is not False:
            yield f"{where}: the option `{field.name}` is a bool and must be False by default"


def check_collisions(everything: Iterable[Registered], host_options: set[str]) -> Iterator[str]:
    """The host's options are flat: two that declare the same name merge silently, unless one refers to the other.

    Tasks are alternatives to each other, and so are models; a task's options stand beside a model's.
    """
    declared: dict[str, Registered] = {}
    for one in everything:
        for field in own_fields(one.options) if one.options else ():
            if is_shared(field):
                continue
            other = declared.setdefault(field.name, one)
            if other.kind != one.kind:
                yield f"`{field.name}` is an option of {other.kind} {other.name} and of {one.kind} {one.name}"
            if field.name in host_options:
                yield f"`{field.name}` of {one.kind} {one.name} is an option of the host's"


def host_options() -> set[str]:
    """Names of the options that the host has in every training."""
    from fairseq.dataclass.configs import FairseqConfig

    groups = [field.default for field in dataclasses.fields(FairseqConfig)]
    return {field.name for group in groups if dataclasses.is_dataclass(group) for field in dataclasses.fields(group)}


def find_reads(sources: Iterable[Source]) -> set[str]:
    """Names of options that some code acts on; looking at one only to validate it is no use of it."""
    reads: set[str] = set()
    for source in sources:
        for node in _outside_validation(source.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and _holds_options(node.value):
                reads.add(node.attr)
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr" and _holds_options(node.args[0]):
                reads |= {node.args[1].value} if isinstance(node.args[1], ast.Constant) else set()
    return reads


def _outside_validation(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.FunctionDef) and node.name.startswith(("validate", "check"))):
            yield node
            yield from _outside_validation(node)


def _holds_options(node: ast.expr) -> bool:
    return bool(HOLDS_OPTIONS.search(ast.unparse(node)))


def check_annotations(source: Source) -> Iterator[str]:
    """The host reads the annotations of its dataclasses by a parser that knows neither strings nor `X | None`."""
    configs = [
        node
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and any("FairseqDataclass" in ast.unparse(base) for base in node.bases)
    ]
    if configs and any(imported.module == "__future__.annotations" for imported in source.imports()):
        yield f"{source.path}: `from __future__ import annotations` breaks the host's dataclasses"
    for config in configs:
        for field in config.body:
            if isinstance(field, ast.AnnAssign) and isinstance(field.annotation, ast.BinOp):
                yield f"{source.at(field)}: write Optional[X]; the host does not understand `X | None`"
