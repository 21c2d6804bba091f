#!/usr/bin/env bash
# PortMEDIA at the paper's size (arXiv:2406.12141, Italian): dual against sequential. Not run by us.
#
#     PORTMEDIA=... ENCODER=... LABSE=... examples/samu_slu/paper/portmedia.sh [OUTPUT]
#
# PORTMEDIA holds PMLANG3IT of ELRA-S0371; what else is set in the environment stands in stages.sh.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../environment.sh"
output=${1:-$SAMU_ROOT/outputs/samu_slu_portmedia}
data=$output/portmedia
mix=it
source "$here/stages.sh"

done_before "$data/test.tsv" || samu_run fairseq-samu prepare portmedia \
    --source "${PORTMEDIA:-PM-Lang}" --output "$data"
label_and_embed
dual
sequential
measure dual
measure sequential
