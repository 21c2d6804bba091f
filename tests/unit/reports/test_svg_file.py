"""An image as a file of its own: complete, with its ground and its rules, without variables."""

from importlib.resources import files
from xml.etree import ElementTree

from fairseq_samu.reports.svg_file import as_svg_file

SVG = "{http://www.w3.org/2000/svg}"
IMAGE = '<svg viewBox="0 0 30 20" width="30" height="20"><text x="1" y="2">a &lt; b</text></svg>'


def test_the_file_has_name_space_style_and_ground():
    text = as_svg_file(IMAGE, ".c0{stroke:#123456}", ".c0{stroke:#fedcba}")
    image = ElementTree.fromstring(text)
    assert [part.tag for part in image] == [f"{SVG}style", f"{SVG}rect", f"{SVG}text"]
    assert image[1].attrib == {"class": "paper", "width": "30", "height": "20"}
    light, _, dark = image[0].text.partition("@media(prefers-color-scheme:dark)")
    assert "#123456" in light and "#fedcba" in dark
    assert "var(" not in text and text.endswith("</svg>\n")


def test_its_colours_are_those_of_the_pages():
    css = (files("fairseq_samu.reports") / "page.css").read_text("utf-8")
    light, dark = css.split("@media", 1)
    style = as_svg_file(IMAGE).partition("<style>")[2]
    own_light, _, own_dark = style.partition("@media")
    for ours, theirs in ((own_light, light), (own_dark, dark)):
        for name, selector in (("ink", "text{"), ("quiet", ".quiet{")):
            colour = theirs.partition(f"--{name}:")[2][:7]
            assert f"fill:{colour}" in ours.partition(selector)[2].partition("}")[0]
