#!/usr/bin/env bash
# CoVoST 2, zero-shot, at the paper's size (arXiv:2306.00789, figure 4): trained on French, German, Spanish and Catalan,
# tested on all 21 languages. Not run by us.
#
#     COVOST2=... ENCODER=... MBART=... examples/samu_xlsr_mbart/paper/covost2_zero_shot.sh [OUTPUT]
#
# COVOST2, ENCODER and MBART are those of covost2_multilingual.sh.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../environment.sh"
output=${1:-$SAMU_ROOT/outputs/samu_xlsr_mbart_covost2_zero_shot}
data=$output/covost2
decoder=${MBART:-mbart-large-50-many-to-one-mmt}
pairs=fr_en,de_en,es_en,ca_en,it_en,ru_en,zh-CN_en,pt_en,fa_en
pairs+=,nl_en,tr_en,et_en,mn_en,ar_en,sv-SE_en,lv_en,sl_en,ta_en,ja_en,id_en,cy_en
source "$here/stages.sh"

samu_run fairseq-samu prepare covost2 --source "${COVOST2:-cv-corpus-4-2019-12-10}" --output "$data" --pairs "$pairs" \
    --train-languages fr,de,es,ca
train
generate
score
