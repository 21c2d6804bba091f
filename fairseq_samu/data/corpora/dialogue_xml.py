"""XML files of dialogue corpora, as they were delivered: of two encodings, and some with a damaged first character."""

import xml.etree.ElementTree as ET
from pathlib import Path

_DECLARATION = "<?xml"


def read_xml(path: Path) -> ET.Element:
    """Read an XML file.

    It is taken for UTF-8, or else, whatever it declares, for ISO-8859-1, in which hardly any text with accents is valid
    UTF-8. A first character that is missing or too much is mended: PortMEDIA has one file of each kind.

    Args:
        path: the file.

    Returns:
        Its root.

    Raises:
        xml.etree.ElementTree.ParseError: where it is no XML.
        OSError: where it cannot be read.
    """
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("iso-8859-1")
    text = text.lstrip()
    if text.startswith(_DECLARATION[1:]):
        text = _DECLARATION[0] + text
    return ET.fromstring(text[max(0, text.find("<")) :])
