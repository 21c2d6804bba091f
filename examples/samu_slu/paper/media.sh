#!/usr/bin/env bash
# MEDIA at the paper's size (arXiv:2406.12141, French): dual against sequential. Not run by us.
#
#     MEDIA=... ENCODER=... LABSE=... examples/samu_slu/paper/media.sh [OUTPUT]
#
# MEDIA holds the folders of ELRA-S0272 and ELRA-E0024; what else is set in the environment stands in stages.sh.
# CONCEPTS=relax takes the names without specifiers.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../environment.sh"
output=${1:-$SAMU_ROOT/outputs/samu_slu_media}
data=$output/media
mix=fr
source "$here/stages.sh"

done_before "$data/test.tsv" || samu_run fairseq-samu prepare media --source "${MEDIA:-MEDIA}" --output "$data" \
    --concepts "${CONCEPTS:-full}"
label_and_embed
dual
sequential
measure dual
measure sequential
