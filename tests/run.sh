#!/usr/bin/env bash
# Run every check of the repository: layout of the code, types, tests. `tests/run.sh tests/unit -k manifest` hands its
# arguments to pytest. It makes its own virtual environment when none is active, and is safe to run twice.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source examples/environment.sh

samu_environment dev

processes=$(python -c 'import os; print(min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2))')
failed=()
# A misplaced space must not hide what the tests would say: everything runs, and what failed is named at the end.
check() { samu_run "${@:2}" || failed+=("$1"); }

check format ruff format --check --quiet .
check lint ruff check --quiet .
check types mypy
# A file's tests stay in one process, where they share what their fixtures trained.
check tests python -m pytest --numprocesses "$processes" --dist loadfile --durations 10 "$@"

[ ${#failed[@]} -eq 0 ] || samu_fail "Failed: ${failed[*]} (\`make lint\` repairs most of format and lint), after ${SECONDS} s"
samu_say "Everything passed, in ${SECONDS} s"
