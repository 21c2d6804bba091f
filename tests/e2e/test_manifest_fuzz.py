"""Damaged manifests: each of 5,000 seeded mutations ends in acceptance or in one clear ManifestError, nothing else.

A second, naive reader of the rules says which of the two it has to be.
"""

import random
import re

import numpy as np
import pytest
import soundfile

from fairseq_samu.data.manifest import REQUIRED_COLUMNS, TEXT_PAIR_COLUMNS, read_manifest
from fairseq_samu.data.manifest_lint import LintOptions, lint_manifests
from fairseq_samu.errors import ManifestError

CASES = 5000
SEED = 20240229
COLUMNS = ["id", "audio", "n_frames", "src_text", "tgt_text", "src_lang", "tgt_lang", "speaker", "parallel_id"]
ROWS = [
    ["fr-1", "a.wav", "8000", 'Il a dit "non".', "He said no.", "fr", "en", "s1", "p1"],
    ["ru-1", "a.wav", "8000", "Вы ввели неверный номер", "You entered a wrong number", "ru", "en_XX", "s2", "p2"],
    ["zh-1", "a.wav", "8000", "你好,世界 \U0001f600", "Hello, world", "zh-CN", "en", "", "p3"],
    ["es-1", "a.wav", "8000", "¿Qué hora es? 'ahora'", "What time is it?", "es", "en", "s4", "p4"],
    ["en-1", "a.wav", "8000", "back\\slash and / and | and ,", "x", "en", "fr", "s5", "p5"],
]
GOOD = "\n".join("\t".join(cells) for cells in [COLUMNS, *ROWS]).encode() + b"\n"
ODDITIES = [
    b"\r", b"\r\n", b"\n", b"\n\n", b"\n\r\n", b"\0", b"\t", b"\t\t", b"\x1c", b"\x1d", b"\x1e", b"\x0b", b"\x0c",
    b"\x1a", "\x85".encode(), "\u2028".encode(), "\u2029".encode(), b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff",
    b"\x80", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe4\xbd", "\u202e".encode(), "\u3000".encode(),
    b" ", b'"', b"'", b'"""', b"\\", b"\\t", b"\\\n", b"%s%n{0}", b"../../x", b"=1+1",
    "\uffff".encode(), "e\u0301".encode(),
]  # fmt: skip
NUMBERS = [
    b"0", b"-1", b"+1", b"007", b"1.0", b"1e5", b"nan", b"inf", b"", b" 8000", b"8000 ", b"0x10", b"1_000", b"8,000",
    b"2147483647", b"2147483648", b"9" * 30, b"9" * 5000, b"-" + b"9" * 5000, "\u0663".encode(), "\xb2".encode(),
    "\uff18".encode(), b"8000\r", b"True", b"500", b"50",
]  # fmt: skip
SPECS = [
    b"a.wav:1:2", b"a.wav:44:100", b"none.wav", b".", b"/", b"/dev/null", b"m.tsv", b"a.wav:99999999:5", b"x" * 300,
    b"a.wav:" + b"9" * 400 + b":1", b"~", b"a.wav\x1c", b"a" * 70000, "\xe9.wav".encode(), b"a.wav:0:0",
]  # fmt: skip


def flip_bytes(rng, content):
    damaged = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 5, 40])):
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
    return bytes(damaged)


def flip_bits(rng, content):
    damaged = bytearray(content)
    damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def cut(rng, content):
    return content[: rng.randrange(len(content) + 1)]


def cut_front(rng, content):
    return content[rng.randrange(len(content)) :]


def remove(rng, content):
    start = rng.randrange(len(content))
    return content[:start] + content[start + rng.choice([1, 2, 10, 100]) :]


def insert(rng, content):
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.choice(ODDITIES) * rng.choice([1, 1, 2, 30]) + content[at:]


def shuffle_lines(rng, content):
    lines = content.split(b"\n")
    rng.shuffle(lines)
    return b"\n".join(lines)


def change_lines(rng, content):
    lines = content.split(b"\n")
    at = rng.randrange(len(lines))
    action = rng.randrange(4)
    if action == 0:
        del lines[at]
    elif action == 1:
        lines.insert(at, rng.choice(lines))
    elif action == 2:
        lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)]
    else:
        lines.insert(at, rng.choice([b"", b" ", b"\r", b"\t" * 8, b"#", b"\t"]))
    return b"\n".join(lines)


def change_cells(rng, content):
    lines = [line.split(b"\t") for line in content.split(b"\n")]
    line = rng.choice(lines)
    at = rng.randrange(len(line))
    action = rng.randrange(6)
    if action == 0:
        del line[at]
    elif action == 1:
        line.insert(at, rng.choice([b"", b"id", b"extra", b"7"]))
    elif action == 2:
        line[at] = b""
    elif action == 3:
        line[at] = rng.choice(ODDITIES)
    elif action == 4:
        line[at] = rng.choice(lines)[0]
    else:
        rng.shuffle(line)
    return b"\n".join(b"\t".join(line) for line in lines)


def change_value(rng, content):
    name, values = rng.choice([(b"n_frames", NUMBERS), (b"audio", SPECS)])
    lines = [line.split(b"\t") for line in content.split(b"\n")]
    rng.choice(lines[1:-1])[lines[0].index(name)] = rng.choice(values)
    return b"\n".join(b"\t".join(line) for line in lines)


def change_columns(rng, content):
    lines = [line.split(b"\t") for line in content.split(b"\n")]
    chosen = rng.sample(range(len(COLUMNS)), rng.randrange(1, len(COLUMNS) + 1))
    return b"\n".join(b"\t".join(line[at] for at in chosen) if len(line) > 1 else b"" for line in lines)


def recode(rng, content):
    encoding = rng.choice(
        ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7", "cp1251", "latin-1", "shift_jis", "cp500"]
    )
    return content.decode().encode(encoding, errors="replace")


def change_line_ends(rng, content):
    return content.replace(
        b"\n", rng.choice([b"\r\n", b"\r", b"\n\r", b"\r\r\n", b"\n\n", b"", "\u2028".encode(), b"\x1e"])
    )


def lengthen(rng, content):
    at = rng.randrange(len(content))
    inserted = rng.choice([b"x", b"\t", "\xe4".encode(), b"9", b"\n", b" "]) * rng.choice([500, 500, 500, 150_000])
    return content[:at] + inserted + content[at:]


def decorate(rng, content):
    return (
        rng.choice([b"\xef\xbb\xbf", b"\xef\xbb\xbf" * 2, b"\n", b" ", b"#\n", b"\0", b"\xff\xfe", b"PK\x03\x04"])
        + content
    )


def trail(rng, content):
    return content + rng.choice([b"\n", b"\n\n\n", b"\r\n\r\n", b" \n", b"\0" * 100, b"\x1a", b"\t", b"x", b"\r"])


def nothing_but(rng, content):
    return rng.choice(
        [b"", b"\n", b"\0", b"\xff" * 100, b"\t" * 5000, rng.randbytes(3000), b"id", content.split(b"\n")[0]]
    )


def unchanged(rng, content):
    return content


# Those that often leave a manifest sound stand twice, so that both outcomes are common.
OF_BYTES = [
    flip_bytes, flip_bits, flip_bits, cut, cut_front, remove, insert, insert, shuffle_lines, change_lines, change_lines,
    change_cells, change_cells, change_line_ends, lengthen, decorate, trail, trail, nothing_but, unchanged,
]  # fmt: skip
OF_MANIFESTS = [change_value, change_value, change_columns, recode]  # these take a manifest that is whole


def expected_rows(content):
    """The rules once more, naively: the cells of every row, or None where the manifest has to be refused."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    table = [line.split("\t") for line in lines]
    if len(table) < 2 or "\0" in text or any("\r" in line or not line for line in lines):
        return None
    header, rows = table[0], table[1:]
    sound = len(set(header)) == len(header) <= 256 and all(name.strip() for name in header)
    if not sound or not set(REQUIRED_COLUMNS) <= set(header) or any(len(row) != len(header) for row in rows):
        return None
    named = [dict(zip(header, row, strict=True)) for row in rows]
    for row in named:
        frames = re.fullmatch("[0-9]{1,10}", row["n_frames"])
        if not frames or not 0 < int(row["n_frames"]) < 2**31 or not row["id"] or not row["audio"]:
            return None
    return named


def is_of_texts_alone(content):
    """Whether the header is that of pairs of texts, which `check` reads too."""
    header = content.decode("utf-8-sig").split("\n")[0].removesuffix("\r").split("\t")
    return set(TEXT_PAIR_COLUMNS) <= set(header) and not {"audio", "n_frames"} & set(header)


def check_accepted(manifest, expected):
    assert len(manifest) == len(expected) == len(manifest.n_frames)
    for at, (row, cells) in enumerate(zip(manifest, expected, strict=True)):
        found = {name: row.extra[name] if name in row.extra else getattr(row, name) for name in manifest.columns}
        assert found == {**cells, "n_frames": int(cells["n_frames"])}
        assert manifest.n_frames[at] == row.n_frames > 0 and row.line == at + 2
        assert manifest.src_lang(at) == cells.get("src_lang")


def check_refused(error, path):
    lines = str(error).split("\n")
    assert 1 <= len(lines) <= 21
    for line in lines:
        assert line.isprintable() and len(line) < 1000
        assert re.match(rf"{re.escape(path)}:\d+:\d+: `.+` must be .+, but is '.*' instead\. [A-Z].*", line) or (
            line is lines[-1] and re.fullmatch(r"and \d+ more", line)
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    soundfile.write(folder / "a.wav", 0.5 * np.sin(np.arange(8000) / 7), 16000)
    return folder


def test_every_mutation_ends_in_acceptance_or_one_clear_error(folder):
    rng = random.Random(SEED)
    path = folder / "m.tsv"
    outcomes = {"accepted": 0, "refused": 0, "clean": 0}
    for number in range(CASES):
        content = rng.choice(OF_BYTES + OF_MANIFESTS)(rng, GOOD)
        if content and rng.random() < 0.25:
            content = rng.choice(OF_BYTES)(rng, content)
        path.write_bytes(content)
        expected, found = expected_rows(content), []
        try:
            check_accepted(read_manifest(path), expected or [])
            outcomes["accepted"] += 1
        except ManifestError as error:
            assert expected is None, f"case {number}: refused, {error}"
            check_refused(error, str(path))
            outcomes["refused"] += 1
        (count,) = lint_manifests([str(path)], LintOptions(audio="header"), found.append)
        assert count.faults == len(found) and (found or expected is not None or is_of_texts_alone(content))
        assert all(fault.startswith(f"{path}:") and fault.isprintable() for fault in found)
        outcomes["clean"] += not found
    assert outcomes["accepted"] > CASES // 10 and outcomes["refused"] > CASES // 10 and outcomes["clean"] > CASES // 50
