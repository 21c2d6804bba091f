"""Corpora that ``fairseq-samu prepare`` turns into manifests, one file each.

A corpus is a module with three names: ``DESCRIPTION`` (one line), ``Options`` (a frozen dataclass whose fields carry
``help`` and, where they apply, ``choices`` in their metadata; each becomes an option of the command) and
``prepare(source, cache, writer, options)``, which hands rows, texts and left-out rows to the writer. Optional
are ``LAYOUT`` (arguments of :class:`~fairseq_samu.data.corpora.writer.CorpusWriter`) and ``REQUIRES_SOURCE``.
"""

CORPORA = {
    "prompts": "fairseq_samu.data.corpora.prompts",
}
"""Module of each corpus by its name on the command line."""
