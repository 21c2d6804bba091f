#!/usr/bin/env bash
# Europarl-ST at the paper's size (arXiv:2306.00789, figure 5): trained on the 32 directions out of French, German,
# Spanish and Italian, tested on all 72. Not run by us.
#
#     EUROPARL_ST=... ENCODER=... MBART=... examples/samu_xlsr_mbart/paper/europarl_st.sh [OUTPUT]
#
# EUROPARL_ST is the unpacked folder v1.1; ENCODER as in covost2_multilingual.sh; MBART is
# mbart-large-50-many-to-many-mmt. ffmpeg decodes the speeches.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../environment.sh"
output=${1:-$SAMU_ROOT/outputs/samu_xlsr_mbart_europarl_st}
data=$output/europarl_st
decoder=${MBART:-mbart-large-50-many-to-many-mmt}
source "$here/stages.sh"

samu_run fairseq-samu prepare europarl-st --source "${EUROPARL_ST:-v1.1}" --output "$data" --train-languages fr,de,es,it
train
generate
score --groups "seen=fr,de,es,it;unseen=en,pl,pt,ro,nl"
