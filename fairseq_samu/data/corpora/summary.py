"""What a preparation made: rows and minutes of each language and split, and what was left out and why."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fairseq_samu.data.audio import SAMPLE_RATE
from fairseq_samu.data.corpora.splits import SPLITS, kind_of


@dataclass
class Summary:
    """Counts of one prepared corpus.

    Args:
        corpus: its name.
        rows: number of rows by (language, split).
        samples: samples at 16 kHz by (language, split).
        dropped: number of rows left out by (language, reason).
        texts: number of texts in ``texts.tsv``.
        texts_left_out: number of texts that are in none of the files but ``dropped.tsv``.
    """

    corpus: str
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    samples: Counter[tuple[str, str]] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    texts: int = 0
    texts_left_out: int = 0

    def minutes(self, lang: str, split: str) -> float:
        """Minutes of speech of a language in a split."""
        return self.samples[lang, split] / SAMPLE_RATE / 60

    def languages(self) -> list[str]:
        """Languages with rows, used or left out, in alphabetical order."""
        return sorted({lang for lang, _ in self.rows} | {lang for lang, _ in self.dropped})

    def splits(self) -> list[str]:
        """The usual splits and those beside them that have rows, in the order of their kinds."""
        found = {split for _, split in self.rows} | set(SPLITS)
        return sorted(found, key=lambda split: (SPLITS.index(kind_of(split)), split))

    def to_json(self) -> dict[str, object]:
        """Counts as plain JSON values."""
        used = [
            {"lang": lang, "split": split, "rows": rows, "samples": self.samples[lang, split]}
            for (lang, split), rows in sorted(self.rows.items())
        ]
        dropped = [
            {"lang": lang, "reason": reason, "rows": rows} for (lang, reason), rows in sorted(self.dropped.items())
        ]
        texts = {"texts": self.texts, "texts_left_out": self.texts_left_out}
        return {"corpus": self.corpus, "used": used, "dropped": dropped, **texts}

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> "Summary":
        """Read back what :meth:`to_json` gave."""
        summary = cls(str(values["corpus"]))
        for used in values["used"]:  # type: ignore[attr-defined]
            summary.rows[used["lang"], used["split"]] = used["rows"]
            summary.samples[used["lang"], used["split"]] = used["samples"]
        for entry in values["dropped"]:  # type: ignore[attr-defined]
            summary.dropped[entry["lang"], entry["reason"]] = entry["rows"]
        summary.texts, summary.texts_left_out = int(str(values["texts"])), int(str(values["texts_left_out"]))
        return summary

    def table(self) -> str:
        """Two tables as text: what is used, and what was left out by reason."""
        units = ("rows", "min") if self._has_speech() else ("rows",)
        total = ("rows", "minutes") if self._has_speech() else ("rows",)
        lines = [["language", *(f"{split} {unit}" for split in self.splits() for unit in units), *total]]
        languages = sorted({lang for lang, _ in self.rows})
        for lang in languages:
            lines.append(self._line(lang, [lang]))
        if len(languages) > 1:
            lines.append(self._line("all", languages))
        text = _align(lines)
        text += f"\n\ntexts.tsv: {self.texts} texts, {self.texts_left_out} left out"
        if self.dropped:
            reasons = [["left out", "rows", "reason"]]
            reasons += [[lang, str(rows), reason] for (lang, reason), rows in sorted(self.dropped.items())]
            text += "\n\n" + _align(reasons)
        return text

    def _line(self, title: str, languages: Sequence[str]) -> list[str]:
        rows = [sum(self.rows[lang, split] for lang in languages) for split in self.splits()]
        if not self._has_speech():
            return [title, *map(str, rows), str(sum(rows))]
        minutes = [sum(self.minutes(lang, split) for lang in languages) for split in self.splits()]
        cells = [cell for r, m in zip(rows, minutes, strict=True) for cell in (str(r), f"{m:.1f}")]
        return [title, *cells, str(sum(rows)), f"{sum(minutes):.1f}"]

    def _has_speech(self) -> bool:
        return any(self.samples.values())


def _align(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    right = [all(line[at].replace(".", "").isdigit() for line in lines[1:]) for at in range(len(widths))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )
