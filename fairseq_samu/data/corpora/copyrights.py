"""Debian's machine-readable copyright files, the source of licence texts and credits."""

from collections.abc import Sequence


def parse_copyright(text: str) -> list[dict[str, str]]:
    """Split a copyright file into its paragraphs (Debian's copyright-format 1.0).

    Args:
        text: the file.

    Returns:
        The fields of each paragraph; continued lines without their leading space, ``.`` lines as empty ones.
    """
    paragraphs: list[dict[str, str]] = [{}]
    field = ""
    for line in text.splitlines():
        if not line.strip():
            paragraphs.append({})
            field = ""
        elif line[0].isspace():
            if field:
                paragraphs[-1][field] += "\n" + ("" if line.strip() == "." else line[1:].rstrip())
        elif ":" in line:
            field, _, value = line.partition(":")
            paragraphs[-1][field] = value.strip()
    return [paragraph for paragraph in paragraphs if paragraph]


def licence_texts(paragraphs: Sequence[dict[str, str]], names: Sequence[str]) -> str:
    """Collect the full texts of some licences.

    Args:
        paragraphs: as :func:`parse_copyright` gives them.
        names: licences such as ``CC-BY-3.0``.

    Returns:
        Each licence's name and text; empty where none of them is in the file.
    """
    texts = []
    for name in names:
        for paragraph in paragraphs:
            first, _, body = paragraph.get("License", "").partition("\n")
            if "Files" not in paragraph and first.strip() == name and body:
                texts.append(f"{name}\n{'=' * len(name)}\n\n{body.strip()}\n")
    return "\n\n".join(texts)


def credits_of(paragraphs: Sequence[dict[str, str]], files: str) -> str:
    """Collect who made some files.

    Args:
        paragraphs: as :func:`parse_copyright` gives them.
        files: the pattern by which the copyright file names them, such as ``fr-*``.

    Returns:
        Copyright line and comment; empty where the file has no such paragraph.
    """
    for paragraph in paragraphs:
        if paragraph.get("Files") == files:
            return f"Copyright {paragraph.get('Copyright', '')}\n{paragraph.get('Comment', '')}".strip()
    return ""
