"""Spelling and names of concepts of the MEDIA corpora, as SpeechBrain's MEDIA recipe has them."""

import re

from fairseq_samu.concepts import concept_of

_SPELLINGS = (
    (" '", "'"),
    ("'", "' "),
    ("gc' est", "c' est"),
    ("a-t- il", "a-t-il"),
    ("' un parking", "un parking"),
    ("bleu marine", "bleu-marine"),
    ("Saint-jacques", "Saint-Jacques"),
    ("Mont-de-Marsan", "Mont-De-Marsan"),
    ("Mont de Marsan", "Mont-De-Marsan"),
)
_NUMERALS = ("dix", "vingt", "trente", "quarante", "cinquante", "soixante", "quatre")
_TRUNCATED = re.compile(r"\([^()]*\)")
# Of ASCII that recipe keeps, by a range in a character class, all signs from the apostrophe to the greater-than sign.
_REMOVED = re.compile(r"[^\w\s'->_]")

RELAXED = """
hotel-marque localisation-arrondissement localisation-cardinal localisation-departement localisation-distanceRelative
localisation-lieuRelatif localisation-pays localisation-quartier localisation-region localisation-rue localisation-ville
nombre-chambre nombre-chambre-disponible nombre-hotel nombre-temps nombreNonDigit nom-client paiement-methodeDePaiement
paiement-montant-entier paiement-montantQualitatif rang-hotel rang-temps sejour-nbAdulte sejour-nbCouple sejour-nbEnfant
sejour-nbNuit sejour-nbPersonne temps-annee temps-axeTps temps-date temps-heure temps-jourFerie temps-jour-mois
temps-jour-semaine temps-mois temps-plageTps temps-unite
"""
"""Concepts that a specifier may follow (``concepts_full_relax.csv`` of SpeechBrain's MEDIA recipe)."""

# Of these two only the name with this specifier is known: `nombre-chambre-disponible` is a concept of its own.
_ONE_SPECIFIER = {"nombre-chambre-reservation": "nombre-chambre", "nombreNonDigit-reservation": "nombreNonDigit"}


def normalise_french(text: str) -> str:
    """Spell a transcript of MEDIA as SpeechBrain's ``media_prepare`` does.

    An apostrophe ends a word (``l' hotel``, but ``c'est`` is one); the silent part of a truncated word, which the
    transcript puts in parentheses, becomes ``*``; compound numbers are apart (``dix sept``); some misspellings are
    mended; other signs than those between words are removed.

    Args:
        text: of a transcript, without annotation.

    Returns:
        Words with single spaces between them; empty where nothing was said.
    """
    for old, new in _SPELLINGS:
        text = text.replace(old, new)
    text = _TRUNCATED.sub("*", text.removeprefix("'"))
    text = _REMOVED.sub("", text)
    for numeral in _NUMERALS:
        text = text.replace(f"{numeral}-", f"{numeral} ")
    return " ".join(text.split()).replace("c' est", "c'est")


def relax_concept(name: str) -> str:
    """Take the specifier off the full name of a concept, where the corpus does not say which part of it that is.

    Args:
        name: such as ``localisation-ville-hotel``.

    Returns:
        ``localisation-ville``; the same name where it has no specifier.
    """
    if name in _ONE_SPECIFIER:
        return _ONE_SPECIFIER[name]
    if name.startswith("temps-date"):
        return "temps-date"
    without = set(RELAXED.split()) - set(_ONE_SPECIFIER.values())
    fitting = [concept for concept in without if name.startswith(f"{concept}-")]
    return max(fitting, key=len, default=name)


def prefix_map_lines(names: dict[str, str]) -> str:
    """Write which full name becomes which without its specifier, for ``--concept-prefixes``.

    Args:
        names: from full to relaxed; those that no tag can have are passed over.

    Returns:
        Lines of two names with a tab between them, in order of the full names.
    """
    usable = {full: relaxed for full, relaxed in names.items() if concept_of(f"<{full}>") == full}
    return "".join(f"{full}\t{relaxed}\n" for full, relaxed in sorted(usable.items()))
