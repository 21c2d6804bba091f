"""Commands that the repository tells its readers to type, and the parsers that must understand them.

Two sources: recipes (`examples/*/*.sh`, which under SAMU_DRY_RUN=1 print the commands that they would run, one a line
after "+ ", see examples/environment.sh) and code blocks of the documentation (```bash, ```sh, ```console). In a block a
line may go on after a backslash; lines that are output or hold "..." are not parsed.
"""

import argparse
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.contract.source_tree import PACKAGE, ROOT, tracked_files

DRY_RUN_SECONDS = 60
SHELL_BLOCK = re.compile(r"^```(bash|sh|shell|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ASSIGNMENT = re.compile(r"^\w+=")


def recipe_scripts() -> list[str]:
    """Scripts of recipes. What they source has no `#!` line; environment.sh is no recipe, it lies beside them."""
    scripts = [name for name in tracked_files() if re.fullmatch(r"examples/(?:[^/]+/)+[^/]+\.sh", name)]
    return [name for name in scripts if (ROOT / name).read_text("utf-8").startswith("#!")]


def documents() -> list[str]:
    """Documentation that may hold commands."""
    return [name for name in tracked_files() if name.endswith(".md") and not name.startswith("CHANGELOG")]


def dry_run(script: str | Path, *arguments: str) -> list[list[str]]:
    """Have a recipe print its commands.

    Args:
        script: path below the repository's root, or an absolute one.
        arguments: of the script.

    Returns:
        The commands, split into words.

    Raises:
        subprocess.CalledProcessError: the script fails even when it runs nothing.
    """
    environment = {**os.environ, "SAMU_DRY_RUN": "1"}
    done = subprocess.run(
        ["bash", str(ROOT / script), *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=DRY_RUN_SECONDS,
    )
    return [shlex.split(line[2:]) for line in done.stdout.splitlines() if line.startswith("+ ")]


def documented_commands(text: str) -> list[list[str]]:
    """Find the commands in the shell blocks of a Markdown text.

    Args:
        text: Markdown.

    Returns:
        The commands, split into words, without variables set in front of them.
    """
    found = []
    for language, block in SHELL_BLOCK.findall(text):
        lines = block.replace("\\\n", " ").splitlines()
        if language == "console":
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        for line in lines:
            for command in re.split(r" && | \| ", line):
                words = shlex.split(command, comments=True)
                while words and ASSIGNMENT.match(words[0]):
                    words.pop(0)
                if words:
                    found.append(words)
    return found


def one_of_each(commands: list[list[str]]) -> list[list[str]]:
    """Leave out commands that a parser cannot tell from an earlier one: the same options, kinds of values and choices.

    A study repeats its commands for every seed and arm, and the host's parser takes a while.
    """
    kinds: dict[tuple[str, ...], list[str]] = {}
    for words in commands:
        kinds.setdefault(tuple(re.sub(r"\d+", "0", "/" if "/" in word else word) for word in words), words)
    return list(kinds.values())


def check_command(words: list[str]) -> str:
    """Let the program that a command names parse its arguments.

    Args:
        words: the command; only programs of the host and of this repository are judged.

    Returns:
        What is wrong, empty where nothing is.
    """
    program, *arguments = words
    if "..." in arguments or "…" in arguments:
        return ""
    if program.startswith("./") or program.startswith(("examples/", "tests/")):
        runnable = os.access(ROOT / program, os.X_OK)
        return "" if runnable else f"{program} is no script of the repository that can be run"
    if program == "bash" and arguments and arguments[0].endswith(".sh"):
        return check_command(arguments)
    if program == "make":
        return _check_make(arguments)
    if program == "pip" and "install" in arguments:
        return _check_extras(" ".join(arguments))
    check = PARSERS.get(program)
    return _complaint_of(check, arguments) if check else ""


def _complaint_of(check, arguments: list[str]) -> str:
    try:
        check(arguments)
    except SystemExit as leaving:
        # argparse has said on standard error what it does not understand
        return "" if not leaving.code else f"does not parse (exit {leaving.code}): {shlex.join(arguments)}"
    except Exception as error:
        return f"does not parse ({type(error).__name__}: {error}): {shlex.join(arguments)}"
    return ""


def _check_make(arguments: list[str]) -> str:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    unknown = [target for target in arguments if target not in targets]
    return f"the Makefile has no target {', '.join(unknown)}" if unknown else ""


def _check_extras(line: str) -> str:
    named = {
        extra.strip() for extras in re.findall(r"(?:\.|fairseq-samu)\[([^\]]+)\]", line) for extra in extras.split(",")
    }
    known = re.findall(r'^        "(\w+)": ', (ROOT / "setup.py").read_text("utf-8"), re.MULTILINE)
    unknown = sorted(named - set(known))
    return f"setup.py has no extra {', '.join(unknown)}" if unknown else ""


def _parse_ours(arguments: list[str]) -> None:
    from fairseq_samu.cli.main import available_verbs, parse_verb

    if arguments and not arguments[0].startswith("-"):
        if arguments[0] not in available_verbs():
            raise ValueError(f"there is no verb {arguments[0]}")
        parse_verb(arguments[0], arguments[1:])


def _parse_training(arguments: list[str]) -> None:
    from fairseq import options
    from fairseq.dataclass.utils import convert_namespace_to_omegaconf

    parsed = _parse_by_host(options.get_training_parser, arguments)
    convert_namespace_to_omegaconf(parsed)


def _parse_generation(arguments: list[str]) -> None:
    from fairseq import options

    _parse_by_host(options.get_generation_parser, arguments)


def _parse_by_host(get_parser, arguments: list[str]) -> argparse.Namespace:
    import fairseq_samu

    fairseq_samu.register()
    from fairseq import options

    arguments = list(_without_user_dir(arguments))
    parser = get_parser()
    # The host accepts any abbreviation, and so a misspelt option that happens to begin another one.
    parser.allow_abbrev = False
    return options.parse_args_and_arch(parser, input_args=arguments)


def _without_user_dir(arguments: list[str]) -> Iterator[str]:
    # The package is registered already; a module of the recipe's own is registered here.
    from fairseq.utils import import_user_module

    words = iter(arguments)
    for word in words:
        if word != "--user-dir":
            yield word
        elif Path(folder := next(words)).name != PACKAGE:
            import_user_module(argparse.Namespace(user_dir=folder))


def _parse_hydra(arguments: list[str]) -> None:
    import fairseq
    from fairseq.dataclass.initialize import add_defaults, hydra_init
    from hydra import compose, initialize_config_dir

    import fairseq_samu

    fairseq_samu.register()
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--config-dir", type=Path, default=Path(str(fairseq.__file__)).parent / "config")
    parser.add_argument("--config-name", default="config")
    parser.add_argument("overrides", nargs="*")
    parsed = parser.parse_args(arguments)
    hydra_init(parsed.config_name)
    with initialize_config_dir(str((ROOT / parsed.config_dir).resolve()), version_base="1.1"):
        add_defaults(compose(parsed.config_name, parsed.overrides))


PARSERS = {
    "fairseq-samu": _parse_ours,
    "fairseq-train": _parse_training,
    "fairseq-generate": _parse_generation,
    "fairseq-hydra-train": _parse_hydra,
}
