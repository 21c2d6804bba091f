"""Pairs of texts without speech, such as the training data of WMT: files as published become a manifest of texts.

The manifest has the columns id, src_text, src_lang, tgt_text and tgt_lang, for training a translation of texts, alone
or beside speech. What is measured with speech must not be learned from text: ``--held-out`` names manifests whose texts
are kept out.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fairseq_samu.data.corpora.names import split_names
from fairseq_samu.data.corpora.parallel_lines import TextFiles, TextPair, count_pairs, name_files, read_pairs
from fairseq_samu.data.corpora.progress import show_progress
from fairseq_samu.data.corpora.splits import text_key
from fairseq_samu.data.corpora.writer import CorpusWriter
from fairseq_samu.data.language_codes import canonical_language
from fairseq_samu.data.manifest import read_manifest
from fairseq_samu.errors import ConfigError, explain, report_all

DESCRIPTION = "pairs of texts without speech, such as WMT: two files line by line, or a table"
WITHOUT_SOURCE = "names of files start at the current folder"

_NOTES = """
# Pairs of texts

Texts in {source} with their translations into {target}, from {files}.

- `id` is the file and the line of the source text, after the split where that has files of its own.
- White space counts as one space, control characters as none; nothing else was changed.
- Pairs of training with a text that stands in a held-out split{held_out} were taken out.
- Every line is used, or named in `dropped.tsv` with the reason.
"""
_FILES_HELP = "a text a line, plain or .gz; several by commas; a .tsv or .tsv.gz holds both texts in two columns"


@dataclass(frozen=True)
class Options:
    """Options of ``prepare text-pairs``."""

    source_file: str = field(default="", metadata={"help": f"texts to translate: {_FILES_HELP}"})
    target_file: str = field(default="", metadata={"help": "their translations, line by line; several by commas"})
    source_language: str = field(default="", metadata={"help": "code of the language of the texts to translate"})
    target_language: str = field(default="", metadata={"help": "code of the language of the translations"})
    valid_source_file: str = field(default="", metadata={"help": "the same for validation"})
    valid_target_file: str = field(default="", metadata={"help": "the same for validation"})
    test_source_file: str = field(default="", metadata={"help": "the same for the test"})
    test_target_file: str = field(default="", metadata={"help": "the same for the test"})
    valid_share: float = field(
        default=0.0, metadata={"help": "share of the pairs to validate with, drawn by a hash of the text; 0: none"}
    )
    held_out: str = field(
        default="", metadata={"help": "manifests whose texts must not be learned, by commas (mustc/test.tsv)"}
    )
    max_words: int = field(default=0, metadata={"help": "longest text of training, in words between spaces; 0: any"})
    max_ratio: float = field(
        default=0.0, metadata={"help": "most words of one text of training to a word of the other; 0: any"}
    )


def layout(options: Options) -> dict[str, bool]:
    """Say that there is no speech and that rows are counted by pair."""
    return {"speech": False, "pairs": True}


def identify(source: Path | None, options: Options) -> dict[str, int]:
    """Tell one source from another by the sizes of its files."""
    files = [each for group in _find_files(source, options).values() for each in group]
    paths = {path for each in files for path in (each.source, each.target) if path}
    return {str(path): path.stat().st_size for path in sorted(paths | set(_held_out(source, options)))}


def prepare(source: Path | None, cache: Path | None, writer: CorpusWriter, options: Options) -> None:
    """Prepare the pairs of some files.

    Args:
        source: folder that relative names of files start from; None for the current one.
        cache: not used.
        writer: takes the corpus.
        options: see there.

    Raises:
        ConfigError: options do not serve, or files are missing.
        ManifestError: files that belong together differ in length, or cannot be read.
    """
    files = _find_files(source, options)
    job = _Job(writer, options, files)
    job.hold_out(_held_out(source, options))
    for split in ("test", "valid", "train"):
        job.add(split)
    named = ", ".join(f"`{each.source.name}`" for group in files.values() for each in group)
    held_out = f" or in {options.held_out}" if options.held_out else ""
    writer.add_notes(_NOTES.format(source=job.source, target=job.target, files=named, held_out=held_out))


def _find_files(source: Path | None, options: Options) -> dict[str, list[TextFiles]]:
    """Files of each split; all faults of the options are reported together."""
    faults = []
    codes = {"--source-language": options.source_language, "--target-language": options.target_language}
    for option, code in codes.items():
        if canonical_language(code) is None:
            faults.append(explain("", option, "a language code such as en", code, "Use a code of ISO 639 or mBART-50."))
    if canonical_language(options.source_language) == canonical_language(options.target_language):
        faults.append(explain("", "--target-language", "another language", options.target_language, "Change it."))
    if not options.source_file:
        faults.append(explain("", "--source-file", "a file", "not given", "Name the file with the texts to translate."))
    if not 0 <= options.valid_share < 1:
        faults.append(explain("", "--valid-share", "from 0 to below 1", options.valid_share, "0.001 is one in 1000."))
    if options.valid_share and options.valid_source_file:
        mend = "Leave one of the two out."
        faults.append(explain("", "--valid-share", "0 beside --valid-source-file", options.valid_share, mend))
    if options.max_words < 0 or (options.max_ratio and options.max_ratio < 1):
        value = f"{options.max_words} and {options.max_ratio:g}"
        faults.append(explain("", "--max-words, --max-ratio", "0, or at least 1", value, "0 keeps all texts."))
    files: dict[str, list[TextFiles]] = {}
    for split, prefix in (("train", ""), ("valid", "valid_"), ("test", "test_")):
        names = (getattr(options, f"{prefix}source_file"), getattr(options, f"{prefix}target_file"))
        try:
            found = name_files(*names, source, f"--{prefix.replace('_', '-')}source-file")
            # ids are unique over all splits, whose files may have one name
            files[split] = [replace(each, name=f"{split}/{each.name}" if prefix else each.name) for each in found]
        except ConfigError as error:
            faults.append(str(error))
    if faults:
        raise ConfigError(report_all(faults))
    return files


def _held_out(source: Path | None, options: Options) -> list[Path]:
    paths = [Path(source or "", name) for name in split_names(options.held_out)]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        mend = "Name manifests, such as the test.tsv of a prepared corpus."
        raise ConfigError(explain("", "--held-out", "existing files", ", ".join(missing), mend))
    return paths


class _Job:
    """Puts splits into the output one after another, and remembers what is held out."""

    def __init__(self, writer: CorpusWriter, options: Options, files: dict[str, list[TextFiles]]) -> None:
        self.writer, self.options, self.files = writer, options, files
        self.source = canonical_language(options.source_language) or ""
        self.target = canonical_language(options.target_language) or ""
        self._totals = {split: count_pairs(group) for split, group in files.items()}
        self._texts: dict[bytes, str] = {}  # held-out texts and their split

    def hold_out(self, manifests: Sequence[Path]) -> None:
        """Note the texts of the held-out splits and of manifests that are held out; those of the test go first."""
        for path in manifests:
            for row in read_manifest(path, required=()):
                self._hold("test", (row.src_text or "", row.tgt_text or ""))
        for split in ("test", "valid"):
            for pair in self._pairs_of(split):
                if not pair.fault:
                    self._hold(split, (pair.source, pair.target))

    def add(self, split: str) -> None:
        """Add the pairs of a split."""
        for pair in self._pairs_of(split):
            reason = pair.fault or self._fault(split, pair)
            if reason:
                self.writer.drop(self.source, pair.place, reason, f"{pair.source} | {pair.target}")
                continue
            row = {"id": pair.place, "src_text": pair.source, "src_lang": self.source}
            self.writer.add_row(split, {**row, "tgt_text": pair.target, "tgt_lang": self.target})

    def _pairs_of(self, split: str) -> Iterator[TextPair]:
        """Pairs of a split: those of its files, or those drawn from training; faulty ones count as training's."""
        drawn = self.options.valid_share and split != "test"
        of = "train" if drawn else split
        if not self.files[of]:
            return
        for pair in show_progress(read_pairs(self.files[of]), self._totals[of], f"pairs of {split}"):
            if not drawn or (split == "valid") == self._is_drawn(pair):
                yield pair

    def _is_drawn(self, pair: TextPair) -> bool:
        """Whether a pair is to validate with: a hash of what the source says, the same for each time it is said."""
        if pair.fault:
            return False
        digest = hashlib.blake2b(text_key(pair.source) or pair.source.encode(), digest_size=8, person=b"valid").digest()
        return int.from_bytes(digest, "big") < self.options.valid_share * 2**64

    def _hold(self, split: str, texts: Sequence[str]) -> None:
        for text in texts:
            key = text_key(text)
            if key:
                self._texts.setdefault(key, split)

    def _fault(self, split: str, pair: TextPair) -> str:
        if self._texts and any(self._texts.get(text_key(text), split) != split for text in (pair.source, pair.target)):
            return "its words are held out"
        if split != "train":
            return ""
        words = sorted((len(pair.source.split()), len(pair.target.split())))
        if self.options.max_words and words[1] > self.options.max_words:
            return f"longer than {self.options.max_words} words"
        if self.options.max_ratio and words[1] > self.options.max_ratio * words[0]:
            return f"more than {self.options.max_ratio:g} words to one"
        return ""
