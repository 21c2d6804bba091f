#!/usr/bin/env bash
# The paper's findings in miniature (arXiv:2410.13445): recognition of Catalan, Romanian and Belarusian picture descriptions
# by a model that has heard none of them, with few parameters tuned.
#
#     examples/low_resource_asr/small/run.sh [OUTPUT]
#
# Every stage is left out where its result exists; settings are described in stages.sh, arms in arms.sh. The last stage
# prints the tables of RESULTS.md.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/stages.sh"
for part in pretraining arms measure; do
    samu_run bash "$recipe/$part.sh" "$output"
done
samu_run python "$recipe/study_tables.py" --output "$output"
