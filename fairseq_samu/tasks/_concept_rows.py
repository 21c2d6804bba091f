"""What the rows of a task with concepts must keep to, reported together."""

from collections.abc import Callable, Sequence

from fairseq_samu.data.concept_targets import ConceptTargets, require_plain
from fairseq_samu.data.manifest import Manifest
from fairseq_samu.errors import ManifestError


def require_rows(
    manifest: Manifest, rows: Sequence[int], targets: ConceptTargets | None, plain: str | None, allow_unknown: bool
) -> None:
    """Refuse faults of the annotations and of the texts for the teacher, all at once.

    Args:
        manifest: rows.
        rows: those that are used.
        targets: their annotations; None where nothing is tagged.
        plain: column that must have no tags; None for none.
        allow_unknown: see ``ConceptTargets.require_valid``.

    Raises:
        ManifestError: naming all rows with a fault.
    """
    checks: list[Callable[[], None]] = []
    if plain is not None:
        checks.append(lambda: require_plain(manifest, plain, rows))
    if targets is not None:
        checks.append(lambda: targets.require_valid(allow_unknown, rows))
    faults = []
    for check in checks:
        try:
            check()
        except ManifestError as error:
            faults.append(str(error))
    if faults:
        raise ManifestError("\n".join(faults))
