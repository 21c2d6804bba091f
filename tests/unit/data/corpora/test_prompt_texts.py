import pytest

from fairseq_samu.data.corpora.prompt_texts import clean_prompt, parse_prompts, restore_accents


@pytest.mark.parametrize(
    "text, lang, spoken",
    [
        ("... callers waiting.", "en", "callers waiting."),
        ("Al segnale acustico, il tempo sar? esattamente..", "it", "Al segnale acustico, il tempo sarà esattamente"),
        ("Wait for it....", "en", "Wait for it"),
        ("at [@]", "en", "at"),
        ("space [ ]", "en", "space"),
        ("Hang up.  (simple tone sound plays)", "en", "Hang up."),
        ("Il [suo] messaggio", "it", "Il suo messaggio"),
        ("In quale cartella?", "it", "In quale cartella?"),
        ("Prix ? Oui", "fr", "Prix ? Oui"),
    ],
)
def test_what_is_spoken_stays(text, lang, spoken):
    assert clean_prompt(text, lang) == spoken


@pytest.mark.parametrize(
    "broken, mended",
    [
        ("La conferenza ? piena.", "La conferenza è piena."),
        ("La chiamata non pu? essere cos? come composta.", "La chiamata non può essere così come composta."),
        ("Riprova pi? tardi.", "Riprova più tardi."),
        ("Non si pu?.", "Non si può."),
        ("Casella di posta?", "Casella di posta?"),
        ("Perché di più?", "Perché di più?"),
    ],
)
def test_lost_accents_come_back(broken, mended):
    assert restore_accents(broken) == mended


def test_every_line_is_a_prompt_or_a_fault():
    content = "\ufeff; a comment\n\nactivated: Activated.\nsilence/1: (1 second)\nbeep: [beep]\nintro: <tone>\nnone:\n"
    content += "activated: Again.\ntt-monkeys: [monkeys]\nodd: (x)\nno separator\n"
    found = {(prompt.item, prompt.text, prompt.fault) for prompt in parse_prompts(content, "en", {"activated"})}
    assert found == {
        ("activated", "Activated.", ""),
        ("activated", "", "second text of one id"),
        ("silence/1", "", "not speech"),
        ("beep", "", "not speech"),
        ("tt-monkeys", "", "not speech"),
        ("intro", "", "stage direction for a text"),
        ("odd", "", "stage direction for a text"),
        ("none", "", "empty text"),
        ("no separator", "", "empty text"),
    }


def test_merged_lines_come_apart():
    content = "vm-a: Leave a message.vm-b-c: Press 4.\nvm-own: vm-own: Hello.\nnote: see www.x-y: here\n"
    found = [(prompt.item, prompt.text) for prompt in parse_prompts(content, "fr", {"vm-a", "vm-b-c", "vm-own"})]
    assert found == [
        ("vm-a", "Leave a message."),
        ("vm-own", "Hello."),
        ("note", "see www.x-y: here"),
        ("vm-b-c", "Press 4."),
    ]


def test_ids_differ_from_recordings_only_in_case():
    prompts = parse_prompts("letters/O: o\ndigits/1f: una\n", "it", {"letters/o", "digits/1F"})
    assert [prompt.item for prompt in prompts] == ["letters/o", "digits/1F"]
