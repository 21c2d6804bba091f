"""What no file of the repository may say: places on the machine it was written on, and who wrote it how."""

import re
from collections.abc import Iterator

# Spelt so that this file does not find itself.
MACHINE_PATH = re.compile(r"(?<![\w.\-/}])/(?:t[m]p|w[o]rk|r[o]ot|h[o]me|f[a]rm|op[t])/\w[\w./-]*")
FORBIDDEN = [
    re.compile(pattern)
    for pattern in (
        r"(?i)\bcl[a]ude\b",
        r"(?i)\banthr[o]pic\b",
        r"\b[C]EO\b",
        r"(?i)\bas an [A]I\b",
        r"(?i)\b[i]ssue #?\d",
        r"(?i)\b(?:this|earlier|previous|next) se[s]sion\b",
        r"(?i)\bsub-?[a]gent",
        r"(?i)co-author[e]d-by",
        r"\bT[O]DO\b|\bF[I]XME\b|\bX[X]X\b",
    )
]
# Texts of corpora are quoted as they were published.
QUOTED = ("manifests/prompts/",)


def check_words(name: str, text: str) -> Iterator[str]:
    """Name every line that gives away a machine's path or talks about how the work was done."""
    if name.startswith(QUOTED) and not name.endswith((".md", ".json")):
        return
    for number, line in enumerate(text.splitlines(), 1):
        for found in [MACHINE_PATH.search(line), *(pattern.search(line) for pattern in FORBIDDEN)]:
            if found:
                yield f"{name}:{number}: `{found[0]}` does not belong into the repository"
