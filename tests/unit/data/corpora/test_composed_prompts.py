"""Composed prompts: exact annotation, held-out combinations, the same bytes at every run."""

import hashlib
from collections import Counter
from itertools import pairwise, takewhile

import numpy as np
import pytest

from fairseq_samu.concepts import extract_concepts, find_annotation_faults, strip_tags
from fairseq_samu.data.audio import read_audio
from fairseq_samu.data.corpora.composed_prompts import _EMBEDDED, read_prompts
from fairseq_samu.data.corpora.composed_sampling import compose, draw, is_held_out
from fairseq_samu.data.corpora.composed_templates import (
    LANGUAGES,
    TEMPLATES,
    VALUES,
    Unit,
    needed_prompts,
    parse_template,
)
from fairseq_samu.data.corpora.composed_texts import Composition, Words, plain_words
from fairseq_samu.data.corpora.composed_voices import PEAK, Part, speak, trim_silence
from fairseq_samu.data.corpora.splits import normalise_for_leaks
from fairseq_samu.errors import ConfigError

SPLITS = ("train", "valid", "test")


@pytest.fixture(scope="module")
def words():
    prompts, _ = read_prompts(_EMBEDDED)
    return Words({key: plain_words(row.src_text, key[1]) for key, row in prompts.items()})


@pytest.fixture(scope="module")
def compositions(words):
    return compose(words, 2000)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The same small corpus made twice."""
    from fairseq_samu.cli.main import main

    folders = [tmp_path_factory.mktemp("composed") / name for name in ("one", "two")]
    for workers, folder in enumerate(folders, 1):
        arguments = ["prepare", "composed-prompts", "--output", str(folder), "--utterances", "20"]
        assert main([*arguments, "--languages", "fr,it", "--workers", str(workers)]) == 0
    return folders


def compose_one(template, *names):
    slots = tuple(parse_template(TEMPLATES[template]))
    units = []
    for slot, name in zip(slots, names, strict=True):
        units.append(next(unit for unit in slot.choices if unit.name == name))
    return Composition(template, slots, tuple(units))


def test_annotation_by_hand(words):
    folder = compose_one("folder", "vm-youhave", "digits/5", "vm-INBOX", "vm-messages")
    assert words.plain(folder, "fr") == "vous avez cinq nouveau messages"
    assert words.annotated(folder, "fr") == "vous avez <count> cinq > <folder> nouveau > messages"
    assert folder.parts("fr") == ["vm-youhave", "digits/5", "vm-INBOX", "vm-messages"]
    hold = compose_one("hold", "queue-holdtime", "digits/40+digits/5", "minutes")
    assert words.annotated(hold, "es") == "tiempo de espera estimado es de <duration> cuarenta y cinco minutos >"
    assert words.annotated(hold, "ru").endswith("<duration> сорок пять минут >")
    assert hold.parts("es") == ["queue-holdtime", "digits/40", "vm-and", "digits/5", "minutes"]


def test_pairs_by_hand(words):
    rank = compose_one(
        "rank-extension",
        *("vm-last", "vm-message", "vm-from", "vm-extension", "digits/1", "digits/2", "digits/3"),
    )
    assert {(left, right) for lang, left, right in words.pairs(rank) if lang == "en"} == {
        ("last", "message"),
        ("last", "message from extension"),
        ("extension", "one"),
        ("message from extension", "one"),
        ("one", "two"),
        ("two", "three"),
    }
    assert {lang for lang, _, _ in words.pairs(rank)} == set(LANGUAGES)


def test_dates_are_said_as_each_language_does(words):
    for name, said in (("digits/h-5", "fifth cinco cinq cinque пятый"), ("digits/h-1", "first primero premier primo")):
        date = next(unit for unit in VALUES["date"] if unit.name == name)
        for lang, text in zip(LANGUAGES, said.split(), strict=False):
            assert words.unit(date, lang) == text


@pytest.mark.parametrize(
    ("text", "lang", "plain"),
    [
        ("A.M.", "en", "am"),
        ("Please enter: your Number, NOW!", "en", "please enter your number now"),
        ("I'm sorry", "en", "i'm sorry"),
        ("J’ai un 'appelant'", "fr", "j'ai un appelant"),
        ("«Эхо-тест» завершён.", "ru", "эхо-тест завершён"),
        ("первoe", "ru", "первое"),
        ("октрября", "ru", "октября"),
    ],
)
def test_plain_words(text, lang, plain):
    assert plain_words(text, lang) == plain


def test_templates_need_only_prompts_that_are_there(words):
    assert needed_prompts() <= words.texts.keys()
    assert all(words.texts[key] for key in needed_prompts())
    assert not any(char.isdigit() for key in needed_prompts() for char in words.texts[key])


def test_splits_have_their_sizes_and_no_composition_twice(compositions):
    assert {split: len(listed) for split, listed in compositions.items()} == {"train": 1500, "valid": 150, "test": 350}
    items = Counter(composition.item for listed in compositions.values() for composition in listed)
    assert set(items.values()) == {1}


def test_no_pair_with_a_value_of_a_held_out_split_stands_in_training(compositions, words):
    """The rule spelt out anew, on words: neighbours of which one at least is a value; also whole runs of carriers."""

    def pairs(split, lang):
        for composition in compositions[split]:
            spoken = [(words.unit(unit, lang), bool(slot.concept)) for unit, slot in _places(composition)]
            yield from ((a, b) for (a, left), (b, right) in pairwise(spoken) if left or right)
            for at, (said, is_value) in enumerate(spoken):
                if is_value:
                    before = takewhile(lambda other: not other[1], reversed(spoken[:at]))
                    after = takewhile(lambda other: not other[1], spoken[at + 1 :])
                    yield " ".join([text for text, _ in before][::-1]), said
                    yield said, " ".join(text for text, _ in after)

    for lang in LANGUAGES:
        training = {pair for pair in pairs("train", lang) if all(pair)}
        assert len(training) > 500
        for split in ("valid", "test"):
            assert not training & set(pairs(split, lang))


def _places(composition):
    return zip(composition.units, composition.slots, strict=True)


def test_no_text_stands_twice(compositions, words):
    for lang in LANGUAGES:
        texts = Counter(
            normalise_for_leaks(words.plain(composition, lang))
            for listed in compositions.values()
            for composition in listed
        )
        assert set(texts.values()) == {1}


def test_every_concept_is_in_every_split_and_every_held_out_unit_in_training(compositions):
    concepts = {slot.concept for text in TEMPLATES.values() for slot in parse_template(text)} - {""}
    assert len(concepts) >= 12
    for split in SPLITS:
        assert {slot.concept for composition in compositions[split] for slot in composition.slots} - {""} == concepts
    known = {unit.name for composition in compositions["train"] for unit in composition.units}
    for split in ("valid", "test"):
        assert {unit.name for composition in compositions[split] for unit in composition.units} <= known


def test_the_same_value_is_many_concepts(compositions):
    meanings = {}
    for composition in compositions["test"]:
        for unit, slot in _places(composition):
            meanings.setdefault(unit.name, set()).add(slot.concept)
    assert len(meanings["digits/5"]) >= 8


def test_annotations_are_sound(compositions, words):
    for listed in compositions.values():
        for composition in listed:
            for lang in LANGUAGES:
                text = words.annotated(composition, lang)
                assert find_annotation_faults(text) == []
                assert strip_tags(text) == words.plain(composition, lang)
                starts = [slot.concept for slot in composition.slots if slot.starts]
                assert [concept.name for concept in extract_concepts(text)] == starts


def test_a_pair_is_held_out_or_not_whatever_else_is_said():
    youhave = Unit("vm-youhave")
    held = [unit for unit in VALUES["number"] if is_held_out(youhave, unit)]
    assert len(held) == round(0.3 * len(VALUES["number"]))
    assert held != [unit for unit in VALUES["number"] if is_held_out(Unit("queue-thereare"), unit)]
    periods = [[is_held_out(unit, period) for period in VALUES["period"]] for unit in VALUES["minute"]]
    assert all(sorted(one) == [False, True] for one in periods)


def test_draws_are_held_out_throughout_or_not_at_all():
    import random

    slots = parse_template(TEMPLATES["folders"])
    for held_out in (False, True):
        drawn = [draw("folders", slots, held_out, random.Random(seed)) for seed in range(50)]
        drawn = [composition for composition in drawn if composition]
        assert drawn
        for composition in drawn:
            pairs = pairwise(composition.units)
            assert {is_held_out(a, b) for a, b in pairs if a.values or b.values} == {held_out}


def test_too_many_utterances(words):
    with pytest.raises(ConfigError, match="--utterances: `compositions` must be at least"):
        compose(words, 1_000_000)


def test_two_runs_give_the_same_bytes(prepared):
    names = [sorted(path.name for path in folder.iterdir()) for folder in prepared]
    assert names[0] == names[1]
    assert {"train.tsv", "texts.tsv", "parts.tsv", "prompts.tsv", "LICENSE.txt", "CREDITS.txt"} <= set(names[0])
    for name in names[0]:
        digests = {hashlib.sha256((folder / name).read_bytes()).hexdigest() for folder in prepared}
        assert len(digests) == 1, name


def test_rows(prepared, rows):
    tables = {split: rows(prepared[0] / f"{split}.tsv") for split in SPLITS}
    assert {split: len(table) for split, table in tables.items()} == {"train": 28, "valid": 4, "test": 8}
    for split, table in tables.items():
        said = {lang: {row.parallel_id for row in table.values() if row.src_lang == lang} for lang in ("fr", "it")}
        assert said["fr"] == said["it"]
        for row in table.values():
            assert row.id == f"{row.src_lang}/{row.parallel_id}"
            assert (row.tgt_lang, strip_tags(row.tgt_text)) == (row.src_lang, row.src_text)
            wave = read_audio(row.audio, prepared[0], f"{split}:{row.line}")
            assert len(wave) == row.n_frames
            assert 1 < len(wave) / 16000 < 12


def test_part_tables_name_what_is_heard(prepared, rows):
    lines = [line.split("\t") for line in (prepared[0] / "parts.tsv").read_text(encoding="utf-8").splitlines()]
    assert lines[0] == ["id", "split", "parts"]
    parts = {name: (split, said.split()) for name, split, said in lines[1:]}
    prompts, splits = read_prompts(_EMBEDDED)
    used = Counter()
    for split in SPLITS:
        for row in rows(prepared[0] / f"{split}.tsv").values():
            where, said = parts.pop(row.id)
            assert where == split
            texts = [plain_words(prompts[part, row.src_lang].src_text, row.src_lang) for part in said]
            assert " ".join(texts) == row.src_text
            used.update(set(said))
    assert parts == {}
    table = [line.split("\t") for line in (prepared[0] / "prompts.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    assert {name: int(count) for name, _, count in table} == used
    assert all(splits[name] == split for name, split, _ in table)


def test_texts_are_plain_and_in_all_languages(prepared):
    lines = (prepared[0] / "texts.tsv").read_text(encoding="utf-8").splitlines()[1:]
    assert len(lines) == 20 * len(LANGUAGES)
    assert not any("<" in line for line in lines)


def test_a_folder_without_prompts(tmp_path, run):
    (tmp_path / "empty").mkdir()
    code, _, err = run("prepare", "composed-prompts", "--source", tmp_path / "empty", "--output", tmp_path / "out")
    assert code == 1
    assert "--source: `folder` must be that of the prompts" in err


def test_missing_prompts_are_all_named(tmp_path, write_text, run):
    header = "id\taudio\tn_frames\tsrc_text\tsrc_lang\tparallel_id"
    write_text(tmp_path / "train.tsv", f"{header}\nen/x\tx.wav\t16000\tx\ten\tx\n")
    code, _, err = run("prepare", "composed-prompts", "--source", tmp_path, "--output", tmp_path / "out")
    assert code == 1
    assert "no agent-pass in en" in err
    assert f"and {len(needed_prompts()) - 20} more" in err


def test_trimming_keeps_speech_and_its_level():
    time = np.arange(8000) / 16000
    tone = (0.5 * np.sin(2 * np.pi * 300 * time)).astype(np.float32)
    wave = np.concatenate([np.zeros(4800, np.float32), tone, np.full(3200, 1e-4, np.float32)])
    cut = trim_silence(wave)
    assert len(cut) == 8000 + 2 * 480
    assert np.array_equal(cut[480:8480], tone)
    silent = np.zeros(100, np.float32)
    assert trim_silence(silent) is silent


def test_an_utterance_is_its_parts_varied_by_name():
    time = np.arange(8000) / 16000
    tone = (0.9 * np.sin(2 * np.pi * 300 * time)).astype(np.float32)
    parts = [Part(tone), Part(tone, pause=True)]
    one, again, other = speak(parts, "fr/a-1"), speak(parts, "fr/a-1"), speak(parts, "it/a-1")
    assert np.array_equal(one, again)
    assert len(one) != len(other)
    for wave in (one, other):
        assert wave.dtype == np.float32
        assert np.abs(wave).max() <= PEAK + 1e-6
        assert (1.0 + 0.29) / 1.1 - 0.01 < len(wave) / 16000 < (1.0 + 0.12 + 0.5 + 0.12) / 0.9 + 0.01
