"""What the README of the composed prompts says: how they were made, what is held out, and how often concepts occur."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from fairseq_samu.data.corpora.composed_sampling import HELD_OUT_SHARE
from fairseq_samu.data.corpora.composed_texts import Composition
from fairseq_samu.data.corpora.composed_voices import GAIN_DB, GAP_SECONDS, PAUSE_SECONDS, SNR_DB, SPEED
from fairseq_samu.data.corpora.splits import SPLITS

_NOTES = """
# Composed prompts: human speech, composed utterances, with concepts

Telephone prompts were recorded to be put together. Here recorded words of the embedded prompts (`manifests/prompts`)
make utterances such as `vm-youhave` + `digits/5` + `vm-INBOX` + `vm-messages`. Every word is spoken by a person, one
professional voice a language (English and Spanish are the same person); no person ever said a whole utterance, and
melody and grammar are those of the parts ("cinq nouveau messages"). Results on it are results on composed utterances.

- `src_text` is the transcript, in lower case and without punctuation; `tgt_text` the same words with their concepts, as
  in `vous avez <count> cinq > <folder> nouveau > messages`. Both are exact. {concepts} concepts in {templates}
  templates; one number may be a count, an hour, a position, a date or a key: the words around it say which.
- A composition is the same in every language and has the same `parallel_id` and split there.
- `parts.tsv` names the prompts of each row; `prompts.tsv` names each prompt that is a part, and its split in
  `manifests/prompts`. **Some parts are held out there**: an encoder that is to be tested on `manifests/prompts` must
  not learn from rows with such parts.
- Held out are combinations. A unit is a carrier prompt or one value (a number, a digit of a string of digits, a word).
  A pair is two neighbouring units of which at least one is a value, or a value and the whole run of carriers up to the
  next value, by their words in a language. No pair of the test or validation split stands in training, and no whole
  text does, in any language: for each unit and each list of values beside it, {share:.0%} of the values, by the order
  of a SHA-256, are held out, and test and validation have such pairs only. Test and validation share pairs, not texts.
  Each of their units also stands in training, beside others.
- Each voice says a word in one recording. Therefore every utterance is varied, by draws that depend on its `id` alone:
  silence at the ends of each part cut; gaps of {gap[0]:g} to {gap[1]:g} s between parts ({pause[0]:g} to {pause[1]:g} s
  between a question and its answer); speed {speed[0]:g} to {speed[1]:g}, tempo and pitch together; noise (white, pink
  or brown) {snr[0]:g} to {snr[1]:g} dB below the speech; gain {gain[0]:g} to {gain[1]:g} dB. Ogg Vorbis, 16 kHz, mono.
- `LICENSE.txt` and `CREDITS.txt` are those of the prompts and go with every recording: CC-BY-SA-3.0 (en es fr) and
  CC-BY-3.0 (it ru).

## Concepts in each split, a language

```
{table}
```
"""


def describe_composed(compositions: Mapping[str, Sequence[Composition]]) -> str:
    """Word what the README of the corpus says of it.

    Args:
        compositions: by split.

    Returns:
        Markdown.
    """
    counts = {split: _count_concepts(listed) for split, listed in compositions.items()}
    names = sorted(set().union(*counts.values()))
    width = max(map(len, names))
    lines = [f"{'concept':{width}}  " + "  ".join(f"{split:>6}" for split in SPLITS)]
    lines += [f"{name:{width}}  " + "  ".join(f"{counts[split][name]:6}" for split in SPLITS) for name in names]
    return _NOTES.format(
        concepts=len(names),
        templates=len({c.template for listed in compositions.values() for c in listed}),
        share=HELD_OUT_SHARE,
        gap=GAP_SECONDS,
        pause=PAUSE_SECONDS,
        speed=SPEED,
        snr=SNR_DB,
        gain=GAIN_DB,
        table="\n".join(lines),
    )


def _count_concepts(compositions: Iterable[Composition]) -> Counter[str]:
    return Counter(slot.concept for composition in compositions for slot in composition.slots if slot.starts)
