# shellcheck shell=bash
# The stages of mustc.sh, which sets $output, $data and $target before it sources this.
#
# From the released settings of arXiv:2311.03810: 512 dimensions, feed-forward 2048, 8 heads, 6 + 6 layers, HuBERT base, 10k
# unigrams, dropout .1, label smoothing .2, Adam (.9, .98), 3e-4, inverse square root after 5000 updates from 1e-7,
# clipping at 10, 30k updates of 8 x 15000 tokens x 3; for 3000 updates the acoustic encoder rests, nothing is compressed and
# ST's cross-entropy is left out; weights of tasks change every 5000 updates; the last 5 checkpoints averaged, beam 8, length
# penalty 1.2. A token of speech is taken for 10 ms, the frame of the host's speech-to-text data: 15000 are
# 2,400,000 samples. Ours: the settings of the MT training, which neither paper nor code says.
#
#     HUBERT       hubert_base_ls960.pt
#     WMT          folder with TARGET's parallel text, train.en and train.TARGET, for MT; left out where not set
#     LIBRISPEECH  folder of LibriSpeech, for ASR; left out where not set
encoder=${HUBERT:-hubert_base_ls960.pt}
sizes='{"dim": 512, "ffn_dim": 2048, "num_heads": 8, "num_layers": 6, "decoder_layers": 6}'
gpus=${GPUS:-8}
samu_environment quickstart

done_before() { [ -e "$1" ] && [ -z "${SAMU_DRY_RUN:-}" ]; }

# prepare : manifests of the corpora, and 10k pieces of the texts that are translated
prepare() {
    local further=()
    done_before "$data/train.tsv" ||
        samu_run fairseq-samu prepare mustc --source "${MUSTC:-MUSTC}" --target "$target" --output "$data"
    if [ -n "${LIBRISPEECH:-}" ] && ! done_before "$data/librispeech/train.tsv"; then
        samu_run fairseq-samu prepare librispeech --source "$LIBRISPEECH" --lower-case \
            --output "$data/librispeech"
    fi
    if [ -n "${WMT:-}" ]; then
        local held=$data/valid.tsv,$data/test.tsv
        [ ! -e "$data/test_he.tsv" ] || held+=,$data/test_he.tsv
        done_before "$data/wmt/train.tsv" ||
            samu_run fairseq-samu prepare text-pairs --source "$WMT" --source-file train.en --target-file "train.$target" \
                --source-language en --target-language "$target" --held-out "$held" \
                --output "$data/wmt"
        further=("$data/wmt/train.tsv")
    fi
    done_before "$data/sentencepiece.model" ||
        samu_run fairseq-samu prepare sentencepiece "$data/train.tsv" "${further[@]}" --columns src_text,tgt_text \
            --size 10000 --output "$data"
}

# The host's default way of adding up gradients refuses parameters that an update does not reach (an encoder that rests, a
# compressor that waits) and several passes in one update; legacy_ddp adds up whatever there is.
#
# train NAME OPTION... : checkpoints in $output/NAME. An interrupted training goes on from its last checkpoint.
train() {
    local folder=$output/$1
    shift
    ! done_before "$folder/finished" || return 0
    samu_run fairseq-train "$data" --user-dir "$SAMU_ROOT/fairseq_samu" --task multitask_st --arch multitask_st \
        --source-noise-prob 0.1 --l2g-kernel 5 --l2g-step 3 --text-dropout 0.1 \
        --criterion consistency_multitask --label-smoothing 0.2 --optimizer adam --adam-betas "(0.9, 0.98)" \
        --lr-scheduler inverse_sqrt --warmup-init-lr 1e-7 --clip-norm 10 --distributed-world-size "$gpus" \
        --ddp-backend legacy_ddp --fp16 \
        --num-workers 4 --save-dir "$folder" "$@"
    samu_run touch "$folder/finished"
}

# translate_text : text translation, with the parallel text beside the corpus' own where there is one
translate_text() {
    local further=()
    [ -z "${WMT:-}" ] || further=(--extra-manifests mt=wmt/train.tsv)
    train mt --tasks mt --without-speech --vocabulary-languages "en,$target" --text-config "$sizes" "${further[@]}" \
        --lr 0.001 --warmup-updates 4000 --max-update "${MT_UPDATES:-100000}" --max-tokens 16384 --update-freq 1 \
        --save-interval-updates 2000 --keep-interval-updates 2 --no-epoch-checkpoints --patience 10
}

# translate_speech : the multi-task training from there
translate_speech() {
    local further=()
    [ -z "${LIBRISPEECH:-}" ] || further+=(asr=librispeech/train.tsv)
    [ -z "${WMT:-}" ] || further+=(mt=wmt/train.tsv)
    [ "${#further[@]}" = 0 ] || further=(--extra-manifests "$(IFS=, && echo "${further[*]}")")
    train st --tasks "st,asr,mt" --joint-tasks "${further[@]}" --encoder-path "$encoder" \
        --text-path "$output/mt/checkpoint_best.pt" --encoder-freeze-updates 3000 \
        --compressor first --compressor-lookback "${LOOKBACK:-segment}" --compressor-heads 8 --compressor-ffn-dim 2048 \
        --compressor-start-update 3000 --st-start-update 3000 \
        --auxiliary-share 0.3 --alignment-weight 1 --alignment-gold 1 --alignment-step 5000 --alignment-temperature 0.1 \
        --weight-mode task_norm --weight-interval 5000 --drop-below 0.1 --asr-last-update 20000 --mt-last-update 30000 \
        --lr 0.0003 --warmup-updates 5000 --max-update 30000 --max-tokens 2400000 --update-freq $((24 / gpus)) \
        --keep-last-epochs 5
}

# generate : translations by the average of the last five checkpoints, in $output/test/generate-test.txt
generate() {
    done_before "$output/st/averaged.pt" ||
        samu_run python "$here/average.py" --folder "$output/st" --last 5 --output "$output/st/averaged.pt"
    ! done_before "$output/test/finished" || return 0
    samu_run fairseq-generate "$data" --user-dir "$SAMU_ROOT/fairseq_samu" --task multitask_st --tasks st \
        --path "$output/st/averaged.pt" --gen-subset test --beam 8 --lenpen 1.2 --max-tokens 4800000 --fp16 \
        --num-workers 4 --results-path "$output/test"
    samu_run touch "$output/test/finished"
}

# score : the table, and $output/scores.json
score() {
    samu_run fairseq-samu score st --generate "$output/test/generate-test.txt" --manifest "$data/test.tsv" \
        --json "$output/scores.json"
}
