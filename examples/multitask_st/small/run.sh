#!/usr/bin/env bash
# The paper's claims in miniature (arXiv:2311.03810): speech translation from Czech and Dutch game dialogue into English,
# French, Italian, Spanish and German, with and without each part of the method.
#
#     examples/multitask_st/small/run.sh [OUTPUT]
#
# Every stage is left out where its result exists; settings are described in stages.sh, arms in arms.sh. The last stage
# prints the tables of RESULTS.md and draws its plots.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/stages.sh"
samu_run bash "$recipe/pretraining.sh" "$output"
samu_run bash "$recipe/arms.sh" "$output"
samu_run bash "$recipe/measure.sh" "$output"
samu_run python "$recipe/study_tables.py" --output "$output" --manifest "$data/test.tsv"
