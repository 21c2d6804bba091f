# The commands of a developer by name; each makes or reuses the virtual environment .venv.

SHELL := bash
IN_ENVIRONMENT := set -euo pipefail; source examples/environment.sh; samu_environment dev;

.PHONY: venv test lint type quickstart clean

venv:  ## make the virtual environment and install the package with the tested pins
	@$(IN_ENVIRONMENT) samu_say "Activate it by: source .venv/bin/activate"

test:  ## run everything that must pass: linter, types, tests
	@tests/run.sh

lint:  ## repair what the linter can repair, and name the rest
	@$(IN_ENVIRONMENT) ruff format . && ruff check --fix .

type:  ## check the types
	@$(IN_ENVIRONMENT) mypy

quickstart:  ## train and look at the result, from nothing
	@examples/quickstart/run.sh

clean:  ## remove what can be made again, the virtual environment included
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
