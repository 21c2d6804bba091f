# shellcheck shell=bash
# What the recipes of this folder share; each sets $output, $data, $concepts and $mix before it sources it.
#
# From the paper (arXiv:2406.12141): XLS-R 300M, LaBSE of the transcript without tags, a Bi-LSTM of 3 x 1024 a
# direction, 2048 -> 1024 -> labels, CTC beside the distance to LaBSE with a weight lambda between 1 and 20. The paper
# does not say which lambda it took, nor optimizer, batch and epochs: those are SpeechBrain's (recipes/MEDIA/SLU/CTC,
# train_hf_wav2vec_relax.yaml, by the same authors): Adadelta 1.0 (rho .95) for the head and Adam 1e-4 for the encoder,
# NewBob x0.8 and x0.9 at improvements below .25 %, 4 utterances an update, 100 epochs.
#
#     LAMBDA     weight of tagging: 5
#     ENCODER    checkpoint of examples/samu_xlsr/paper; xlsr2_300m.pt for an encoder without its semantics
#     LABSE      a local sentence-transformers directory
encoder=${ENCODER:-$SAMU_ROOT/outputs/samu_xlsr_paper/model/checkpoint_best.pt}
labse=${LABSE:-LaBSE}
weight=${LAMBDA:-5}
best=model/checkpoint_best.pt
samu_environment quickstart

done_before() { [ -e "$1" ] && [ -z "${SAMU_DRY_RUN:-}" ]; }

# label_and_embed : the labels of the training texts, and the teacher's embeddings of all transcripts
label_and_embed() {
    samu_run fairseq-samu prepare concept-labels --manifest "$data/train.tsv" --output "$data/labels.txt"
    samu_run fairseq-samu embed "$data/train.tsv" "$data/valid.tsv" "$data/test.tsv" \
        --teacher "sentence-transformers:$labse" --device cuda --dtype float16 --output "$output/teacher"
}

# understand NAME ENCODER GROUPS OPTION... : one training, its checkpoints in $output/NAME/model. Of the learning rates
# and optimizers below those of GROUPS hold, which are the ones that the training tunes.
understand() {
    local name=$1 from=$2 groups=$3
    shift 3
    ! done_before "$output/$name/finished" || return 0
    local scales=encoder=0.0001 kinds=encoder=adam factors=encoder=0.9
    case $groups in *sentence*) scales+=,head=0.0001 kinds+=,head=adam factors+=,head=0.9 ;; esac
    case $groups in *tags*) scales+=,slu_head=1 kinds+=,slu_head=adadelta factors+=,slu_head=0.8 ;; esac
    samu_run fairseq-train "$data" --user-dir "$SAMU_ROOT/fairseq_samu" --task dual_slu --languages "$mix" \
        --teacher-table "$output/teacher" --sampling-alpha "${ALPHA:-0.05}" \
        --arch samu_slu --encoder-path "$from" --embedding-dim 768 --lstm-dim 1024 --num-lstm-layers 3 \
        --slu-hidden-dim 1024 --checkpoint-activations --criterion dual_slu \
        --optimizer grouped --lr 1.0 --lr-scales "$scales" --group-optimizers "$kinds" --adadelta-rho 0.95 \
        --adadelta-eps 1e-8 --clip-norm 5 --lr-scheduler newbob --newbob-threshold 0.0025 \
        --newbob-group-factors "$factors" --batch-size 4 --max-epoch 100 --fp16 --fp16-no-flatten-grads \
        --num-workers 4 --keep-last-epochs 1 --save-dir "$output/$name/model" "$@"
    samu_run touch "$output/$name/finished"
}

# dual : one training with both losses
dual() {
    understand dual "$encoder" sentence,tags --slu-weight "$weight" "$@"
}

# sequential : the encoder specialises on the corpus' transcripts; then CTC alone
sequential() {
    understand specialised "$encoder" sentence --slu-weight 0 "$@"
    understand sequential "$output/specialised/$best" tags --semantic-weight 0 "$@"
}

# measure NAME [LANGUAGE] : tags of the test set and their scores in $output/NAME/test-LANGUAGE
measure() {
    local language=${2:-$mix}
    local folder=$output/$1/test-${language//,/_}
    ! done_before "$folder/scores.json" || return 0
    samu_run fairseq-generate "$data" --user-dir "$SAMU_ROOT/fairseq_samu" --task dual_slu --languages "$language" \
        --path "$output/$1/$best" --gen-subset test --beam 1 --batch-size 16 --fp16 --num-workers 4 \
        --spans-output "$output/$1/spans-${language//,/_}.jsonl" --results-path "$folder"
    samu_run fairseq-samu score slu --generate "$folder/generate-test.txt" --name "$1" \
        --alignments "$folder/alignments.txt" --json "$folder/scores.json"
}
