#!/usr/bin/env bash
# Run every check of the repository: layout of the code, types, tests. `tests/run.sh tests/unit -k manifest` hands its
# arguments to pytest. It makes its own virtual environment when none is active, and is safe to run twice.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source examples/environment.sh

samu_environment dev

processes=$(python -c 'import os; print(min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2))')

samu_run ruff format --check --quiet .
samu_run ruff check --quiet .
samu_run mypy
# A file's tests stay in one process, where they share what their fixtures trained.
samu_run python -m pytest --numprocesses "$processes" --dist loadfile --durations 10 "$@"
samu_say "Everything passed, in ${SECONDS} s"
