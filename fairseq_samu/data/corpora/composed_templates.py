"""What composed utterances are made of: one table of sentences, and the values that stand in their slots.

A template is a row of words. A word is the id of a prompt (a carrier), ``|`` (a longer pause, as between a question and
its answer), or a slot ``{concept:values}``, whose values may repeat (``digit*3``) and follow each other
(``number+unit``). Each value that is drawn is a unit of its own, and so is each carrier.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

LANGUAGES = ("en", "es", "fr", "it", "ru")

TEMPLATES = {
    "messages": "vm-youhave {count:number} vm-messages",
    "folder": "vm-youhave {count:number} {folder:folder} vm-messages",
    "folders": "vm-youhave {count:number} {folder:folder} vm-and {count:number} {folder:folder} vm-messages",
    "mailbox-state": "confbridge-there-are {count:number} {folder:folder} vm-messages",
    "participants": "confbridge-there-are {participants:number} confbridge-participants",
    "others": "confbridge-there-are {participants:number} conf-otherinparty",
    "joining": "{participants:number} conf-userswilljoin",
    "queue": "queue-quantity1 {callers:number} queue-quantity2",
    "waiting": "confbridge-there-are {callers:number} queue-quantity2",
    "position": "queue-thereare {position:number}",
    "position-time": "queue-thereare {position:number} | queue-reporthold {duration:number+unit}",
    "hold": "queue-holdtime {duration:number+unit}",
    "hold-less": "queue-reporthold queue-less-than {duration:number+unit}",
    "length": "vm-duration {duration:number+unit}",
    "from-extension": "vm-from-extension {extension:digit*3}",
    "person": "vm-theperson {extension:digit*3} {status:status}",
    "extension": "vm-extension {extension:digit*4} {status:status}",
    "call-extension": "followme/call-from vm-extension {extension:digit*3}",
    "from-phone": "vm-from-phonenumber {phone:digit*5}",
    "call-phone": "followme/call-from {phone:digit*5}",
    "phone": "vm-num-i-have {phone:digit*6}",
    "dial": "vm-enter-num-to-call | {phone:digit*4}",
    "login": "vm-login | {mailbox:digit*3}",
    "login-again": "vm-incorrect-mailbox | {mailbox:digit*3}",
    "leave-message": "vm-whichbox | {mailbox:digit*2}",
    "conference": "conf-enteringno {conference:digit*3}",
    "which-conference": "conf-getconfno | {conference:digit*2}",
    "pin": "conf-getpin | {pin:digit*4}",
    "pin-again": "vm-incorrect vm-pls-try-again | {pin:digit*4}",
    "password": "vm-password {password:letter*2+digit*2}",
    "agent-password": "agent-pass | {password:letter+digit*2}",
    "agent": "spy-agent {agent:digit*2} {status:status}",
    "call-agent": "followme/call-from spy-agent {agent:digit*3}",
    "which-channel": "conf-getchannel | {channel:digit*2}",
    "call-technology": "followme/call-from {technology:technology} vm-extension {extension:digit*2}",
    "from-technology": "vm-message vm-received vm-from {technology:technology}",
    "key-technology": "vm-press {key:key} vm-for {technology:technology}",
    "technology": "{technology:technology} vm-extension {extension:digit*3} {status:status}",
    "rank-day": "{rank:rank} vm-message vm-received {day:day} {hour:hour} {minute:minute} {period:period}",
    "rank-saved": "{rank:rank} vm-message vm-savedto {folder:folder}",
    "rank-folder": "{rank:rank} {folder:folder} vm-message",
    "rank-extension": "{rank:rank} vm-message vm-from vm-extension {extension:digit*3}",
    "received": "vm-message vm-received {day:day} {date:date} {month:month}",
    "saved": "vm-message vm-saved {date:date} {month:month} {hour:hour} {minute:minute}",
    "recording": "dictate/record vm-from {day:day} {hour:hour} {period:period}",
    "transfer": "pbx-transfer vm-for {day:day} {hour:hour} digits/oclock",
    "playback": "dictate/playback vm-from {date:date} {month:month}",
    "key-folder": "vm-press {key:key} vm-for {folder:folder} vm-messages",
    "key-mode": "vm-press {key:key} vm-for {action:mode}",
    "key-action": "vm-press {key:key} {action:purpose}",
    "action-key": "{action:purpose} vm-press {key:key}",
    "mode-key": "{action:mode} vm-press {key:key}",
    "change-folder": "vm-changeto | {folder:any_folder}",
    "save-folder": "vm-savefolder | {folder:any_folder}",
    "letters": "dir-pls-enter {letters:number} dir-firstlast",
    "letters-last": "dir-pls-enter {letters:number} dir-last",
    "address": "{user:letter*2} letters/at {host:letter*2}",
    "from-address": "vm-message vm-from {user:letter*2} letters/at {host:letter*2}",
    "name": "priv-recordintro | {name:phonetic*2}",
    "call-name": "followme/call-from {name:phonetic*2}",
    "introduced": "priv-callpending {name:phonetic*2}",
}
"""Sentence of each kind of composition."""

_TEENS = (*range(2, 10), *range(11, 21))  # no ten: the Spanish voice lacks it
_DATES = (*range(1, 10), *range(11, 21), 30)
_WORDS = {
    "digit": [f"digits/{n}" for n in range(10)],
    "number": [
        *(f"digits/{n}" for n in (*_TEENS, 30, 40, 50, 60, 70, 80, 90)),
        *(f"digits/{tens}+digits/{n}" for tens in (30, 40, 50, 60) for n in (2, 3, 4, 5, 6, 7, 9)),
    ],
    "unit": ["seconds", "minutes", "hours"],
    "folder": ["vm-INBOX", "vm-Old", "vm-Work", "vm-Family", "vm-Friends"],
    "any_folder": ["vm-INBOX", "vm-Old", "vm-Work", "vm-Family", "vm-Friends", "vm-Urgent"],
    "status": ["vm-isunavail", "vm-isonphone", "conf-hasjoin", "conf-hasleft", "confbridge-has-joined"],
    "rank": ["vm-first", "vm-last", *(f"digits/h-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 9, 11, 12))],
    "day": [*(f"digits/day-{n}" for n in range(7)), "digits/today", "digits/tomorrow", "digits/yesterday"],
    "date": [f"digits/h-{n}" for n in _DATES],
    "month": [f"digits/mon-{n}" for n in range(12)],
    "hour": [f"digits/{n}" for n in (*range(1, 10), 11, 12)],
    "minute": [f"digits/{n}" for n in (*range(11, 21), 30, 40, 50)],
    "period": ["digits/a-m", "digits/p-m"],
    "key": [*(f"digits/{n}" for n in range(10)), "digits/star", "digits/pound"],
    "letter": [f"letters/{char}" for char in "abcdefghijklmnopqrstuvwxyz"],
    "phonetic": [f"phonetic/{char}_p" for char in "abcdefghijklmnopqrstuvwxyz"],
    "technology": [
        f"spy-{name}"
        for name in [
            "console",
            "iax",
            "jingle",
            "local",
            "mgcp",
            "misdn",
            "mobile",
            "nbs",
            "sip",
            "skinny",
            "unistim",
            "zap",
        ]
    ],
    "mode": [
        *("dictate/pause", "dictate/playback", "dictate/record", "dictate/playback_mode", "dictate/record_mode"),
        *("pbx-transfer", "vm-password"),
    ],
    "purpose": [f"confbridge-{name}-out" for name in ("leave", "menu-exit", "mute", "dec-list-vol", "inc-list-vol")],
}
_CARDINAL_DATES = {"es", "fr", "it"}  # "cinq mars", but "fifth March"; the first is an ordinal in all of them
_SLOT = re.compile(r"\{(?P<concept>[a-z]+):(?P<values>[a-z_*+0-9]+)\}")


@dataclass(frozen=True, slots=True)
class Unit:
    """A carrier or one value, as the smallest thing that compositions exchange.

    Args:
        name: prompt or prompts of it, such as ``digits/40+digits/5``.
        values: list that it was drawn from; empty for a carrier.
    """

    name: str
    values: str = ""

    def parts(self, lang: str) -> tuple[str, ...]:
        """Prompts that say it in a language: Spanish joins tens and ones by *y*, and dates are cardinals in some."""
        if self.values == "date" and lang in _CARDINAL_DATES and self.name != "digits/h-1":
            return (self.name.replace("h-", ""),)
        parts = self.name.split("+")
        return (parts[0], "vm-and", *parts[1:]) if lang == "es" and len(parts) > 1 else tuple(parts)


@dataclass(frozen=True, slots=True)
class Slot:
    """A place of a template.

    Args:
        concept: what the value means here; empty for a carrier.
        choices: units to choose from; a carrier has one.
        starts: whether a concept begins here, because a value of several units is one concept.
        pause: whether a longer pause goes before it.
    """

    concept: str
    choices: tuple[Unit, ...]
    starts: bool = False
    pause: bool = False


VALUES = {name: tuple(Unit(word, name) for word in words) for name, words in _WORDS.items()}
"""Units of each list of values."""


def parse_template(template: str) -> list[Slot]:
    """Read a template.

    Args:
        template: as :data:`TEMPLATES` holds them.

    Returns:
        Its places in order, one a unit.
    """
    slots, pause = [], False
    for word in template.split():
        found = _SLOT.fullmatch(word)
        if word == "|":
            pause = True
            continue
        places = list(_places(found["values"])) if found else [(Unit(word),)]
        for at, choices in enumerate(places):
            slots.append(Slot(found["concept"] if found else "", choices, bool(found) and at == 0, pause))
            pause = False
    return slots


def _places(values: str) -> Iterator[tuple[Unit, ...]]:
    for part in values.split("+"):
        name, _, times = part.partition("*")
        yield from [VALUES[name]] * int(times or 1)


def needed_prompts() -> set[tuple[str, str]]:
    """Every (prompt, language) that some composition may need."""
    units = {unit for text in TEMPLATES.values() for slot in parse_template(text) for unit in slot.choices}
    return {(part, lang) for unit in units for lang in LANGUAGES for part in unit.parts(lang)}
