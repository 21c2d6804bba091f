"""A page as a browser reads it, for tests of what became markup and what stayed text."""

from html.parser import HTMLParser

EVIL = "<script>alert('x')</script> & \"co\""


class Page(HTMLParser):
    """Collects the elements with their attributes, the addresses and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.tags = [tag for tag, _ in self.elements]
        self.addresses = [x[key] for _, x in self.elements for key in ("src", "href") if x.get(key)]

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def find(self, tag: str, name: str = "") -> list[dict[str, str | None]]:
        """Attributes of the elements of a kind, of those that have a class where one is named."""
        found = [attributes for kind, attributes in self.elements if kind == tag]
        return [x for x in found if not name or name in (x.get("class") or "").split()]
