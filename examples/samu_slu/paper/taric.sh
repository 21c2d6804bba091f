#!/usr/bin/env bash
# TARIC-SLU at the paper's size (arXiv:2406.12141, Tunisian): dual against sequential. Not run by us.
#
#     TARIC=... ENCODER=... LABSE=... examples/samu_slu/paper/taric.sh [OUTPUT]
#
# TARIC holds the tables and recordings of the corpus; what else is set in the environment stands in stages.sh.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../environment.sh"
output=${1:-$SAMU_ROOT/outputs/samu_slu_taric}
data=$output/taric
mix=aeb
source "$here/stages.sh"

done_before "$data/test.tsv" || samu_run fairseq-samu prepare taric-slu \
    --source "${TARIC:-TARIC-SLU}" --output "$data" --language "$mix"
label_and_embed
dual
sequential
measure dual
measure sequential
