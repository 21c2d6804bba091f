"""Rules of form that no linter has: sizes, constructs that never appear, docstrings that tell the truth."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.contract.source_tree import Source

FILE_LINES = 300
TASK_LINES = 200
FUNCTION_LINES = 40
BANNED_STEMS = {"utils", "util", "helpers", "misc", "common"}
MUTABLE_CALLS = {"list", "dict", "set", "bytearray", "defaultdict", "OrderedDict", "Counter", "deque"}
FREE_UNPICKLING = {"pickle.load", "pickle.loads", "joblib.load", "dill.load", "dill.loads", "pickle.Unpickler"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def check_file_size(source: Source) -> Iterator[str]:
    """A file stays under 300 lines, a task under 200."""
    limit = TASK_LINES if source.room == "tasks" else FILE_LINES
    length = len(source.text.splitlines())
    if length > limit:
        yield f"{source.path}: {length} lines, {limit} at most; split it by concept"


def check_function_sizes(source: Source) -> Iterator[str]:
    """A function stays under 40 lines, its docstring and signature not counted: they are meant to be generous."""
    for node in ast.walk(source.tree):
        if isinstance(node, Function):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            length = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            if length >= FUNCTION_LINES:
                yield f"{source.at(node)}: `{node.name}` has {length} lines of code, {FUNCTION_LINES - 1} at most"


def check_constructs(source: Source) -> Iterator[str]:
    """Nothing is evaluated, star-imported, read from sys.argv or unpickled freely; no class shares mutable state."""
    if Path(source.path).stem in BANNED_STEMS:
        yield f"{source.path}: a file is named after its concept"
    for node in ast.walk(source.tree):
        fault = _fault_of(node)
        if fault:
            yield f"{source.at(node)}: {fault}"
        if isinstance(node, ast.ClassDef):
            yield from _shared_state(node, source)


def _fault_of(node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        return _fault_of_call(node)
    if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
        return "star import"
    if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.argv":
        return "reads sys.argv; take arguments as a parameter"
    if isinstance(node, ast.ExceptHandler) and node.type is None:
        return "a bare `except:` also catches the interruption by the user"
    if isinstance(node, ast.Global):
        return "global state"
    return ""


def _fault_of_call(node: ast.Call) -> str:
    name = ast.unparse(node.func)
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    if name in {"eval", "exec", "__import__"}:
        return f"calls {name}"
    if name == "torch.load" and given.get("weights_only") != "True":
        return "torch.load without weights_only=True runs code of the file"
    if name in FREE_UNPICKLING or given.get("allow_pickle") == "True":
        return f"{name} unpickles freely, which runs code of the file"
    return ""


def _shared_state(node: ast.ClassDef, source: Source) -> Iterator[str]:
    for statement in node.body:
        value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
        if value is not None and _is_mutable(value):
            yield f"{source.at(statement)}: a mutable class attribute is shared by all instances of {node.name}"


def _is_mutable(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return ast.unparse(value.func).rpartition(".")[2] in MUTABLE_CALLS
    return isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)


def check_docstrings(source: Source) -> Iterator[str]:
    """Everything public is described in one line at least, and `Args:` names the parameters that there are."""
    if not ast.get_docstring(source.tree):
        yield f"{source.path}: the file has no docstring"
    for node in _public(source.tree):
        text = ast.get_docstring(node)
        if not text:
            if not _overrides(node):
                yield f"{source.at(node)}: `{node.name}` is public and has no docstring"
        elif not text.splitlines()[0].endswith((".", "?", ":", "!")):
            yield f"{source.at(node)}: the first line about `{node.name}` must be a sentence"
        elif isinstance(node, Function):
            yield from _check_args(node, text, source)


def _public(tree: ast.Module | ast.ClassDef) -> Iterator[Function | ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)


def _overrides(node: Function | ast.ClassDef) -> bool:
    return any(
        ast.unparse(decorator).endswith(("override", "overload", ".setter")) for decorator in node.decorator_list
    )


def _check_args(node: Function, text: str, source: Source) -> Iterator[str]:
    section = re.search(r"^Args:\n(.*?)(?:^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    if not section:
        return
    entries = re.findall(r"^ {4}(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: \([^)]*\))?:", section[1], re.MULTILINE)
    described = {name.strip(" *") for entry in entries for name in entry.split(",")}
    arguments = node.args
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    real = {argument.arg for argument in listed if argument is not None} - {"self", "cls"}
    for name in sorted(described - real):
        yield f"{source.at(node)}: `Args` of `{node.name}` describes `{name}`, which is no parameter"
    for name in sorted(real - described):
        yield f"{source.at(node)}: `Args` of `{node.name}` leaves out `{name}`"
