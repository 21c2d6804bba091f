"""Corpora that ``fairseq-samu prepare`` turns into manifests, one file each.

A corpus is a module with three names: ``DESCRIPTION`` (one line), ``Options`` (a frozen dataclass whose fields carry
``help`` and, where they apply, ``choices`` in their metadata; each becomes an option of the command) and
``prepare(source, cache, writer, options)``, which hands rows, texts and left-out rows to the writer. It may have
``REQUIRES_SOURCE = True`` (nothing can be downloaded), ``WITHOUT_SOURCE`` (what it reads where no source is named, if
that is not Debian packages), ``layout(options)`` (arguments of
:class:`~fairseq_samu.data.corpora.writer.CorpusWriter`) and ``identify(source, options)`` (facts that tell one source
from another, so that an output made from another one is not taken for finished). An option that cannot change the
result has ``affects_result: False`` in its metadata.
"""

CORPORA = {
    "prompts": "fairseq_samu.data.corpora.prompts",
    "composed-prompts": "fairseq_samu.data.corpora.composed_prompts",
    "fillets": "fairseq_samu.data.corpora.fillets",
    "tuxpaint": "fairseq_samu.data.corpora.tuxpaint",
    "common-voice": "fairseq_samu.data.corpora.common_voice",
    "fleurs": "fairseq_samu.data.corpora.fleurs",
    "covost2": "fairseq_samu.data.corpora.covost2",
    "europarl-st": "fairseq_samu.data.corpora.europarl_st",
    "mustc": "fairseq_samu.data.corpora.mustc",
    "librispeech": "fairseq_samu.data.corpora.librispeech",
    "text-pairs": "fairseq_samu.data.corpora.parallel_text",
    "media": "fairseq_samu.data.corpora.media",
    "portmedia": "fairseq_samu.data.corpora.portmedia",
    "taric-slu": "fairseq_samu.data.corpora.taric_slu",
    "slurp": "fairseq_samu.data.corpora.slurp",
}
"""Module of each corpus by its name on the command line."""
