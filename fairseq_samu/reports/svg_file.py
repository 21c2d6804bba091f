"""An image of a page as a file of its own, light or dark as its reader prefers."""

_FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif"
# Plain colours, those of page.css: programs that draw SVG into print know no variables.
_LIGHT = (
    f"text{{font-family:{_FONT};fill:#1b2733}}.paper{{fill:#fff}}.quiet{{fill:#536271}}"
    ".empty{fill:#e6eaee}.own{fill:none;stroke:#1b2733;stroke-width:2}"
    ".axis{fill:none;stroke:#536271}.grid{fill:none;stroke:#d5dde5}"
    "polyline{fill:none;stroke:#165d96;stroke-width:2.5}"
)
_DARK = (
    "text{fill:#e4ebf2}.paper{fill:#0d1117}.quiet{fill:#9fb0c0}.empty{fill:#222c38}.own{stroke:#e4ebf2}"
    ".axis{stroke:#9fb0c0}.grid{stroke:#2c3947}polyline{stroke:#65b6db}"
)


def as_svg_file(image: str, rules: str = "", dark_rules: str = "") -> str:
    """Give an inline image what a file of its own needs: the name space, the style sheet and the background.

    Args:
        image: SVG, from ``<svg`` to its end, with a ``viewBox`` that begins at 0 0.
        rules: further CSS; they win over those of text by being classes.
        dark_rules: what they are on dark ground.

    Returns:
        The text of the file.
    """
    opening, _, rest = image.partition(">")
    *_, width, height = opening.partition('viewBox="')[2].partition('"')[0].split()
    style = f"<style>{_LIGHT}{rules}@media(prefers-color-scheme:dark){{{_DARK}{dark_rules}}}</style>"
    paper = f'<rect class="paper" width="{width}" height="{height}"/>'
    named = opening.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    return f"{named}>\n{style}\n{paper}{rest}".rstrip() + "\n"
