"""The confusion of concepts."""

from xml.etree import ElementTree

from fairseq_samu.reports.confusion_map import LONGEST_NAME, MOST_CONCEPTS, confusion_svg

CONFUSION = {("a", "a"): 8, ("a", "b"): 2, ("b", None): 1, (None, "a"): 3, ("b", "b"): 4, (None, "c"): 1}


def cells(svg):
    """Title of each cell to the figure in it."""
    return {group.findtext("title"): group.findtext("text") for group in ElementTree.fromstring(svg).iter("g")}


def test_every_count_has_its_cell():
    shown = cells(confusion_svg(CONFUSION, ["a", "b", "c"]))
    assert len(shown) == 4 * 4 - 1
    assert {title: text for title, text in shown.items() if text} == {
        "a, 8 of 10 right": "8",
        "a taken for b 2 times of 10": "2",
        "b missed 1 times of 5": "1",
        "b, 4 of 5 right": "4",
        "a inserted 3 times (10 in the references)": "3",
        "c inserted 1 times (0 in the references)": "1",
    }


def test_colour_is_the_share_of_the_reference_and_hits_are_framed():
    svg = ElementTree.fromstring(confusion_svg(CONFUSION, ["a", "b", "c"]))
    steps = {group.findtext("title"): group.find("rect").get("class") for group in svg.iter("g")}
    assert steps["a, 8 of 10 right"] == "q16"
    assert steps["a taken for b 2 times of 10"] == "q4"
    assert steps["a inserted 3 times (10 in the references)"] == "q6"
    assert steps["c inserted 1 times (0 in the references)"] == "q20"
    assert steps["c, 0 of 0 right"] == "empty"
    framed = [group.findtext("text") for group in svg.iter("g") if len(group.findall("rect")) == 2]
    assert framed == ["8", "4"]


def test_rows_are_references_and_columns_are_hypotheses():
    svg = ElementTree.fromstring(confusion_svg(CONFUSION, ["a", "b", "c"]))
    place = {group.findtext("title"): group.find("rect").attrib for group in svg.iter("g")}
    hit, confused, missed = (
        place[key] for key in ("a, 8 of 10 right", "a taken for b 2 times of 10", "a missed 0 times of 10")
    )
    assert hit["y"] == confused["y"] == missed["y"]
    assert float(missed["x"]) < float(hit["x"]) < float(confused["x"])
    inserted = place["a inserted 3 times (10 in the references)"]
    assert inserted["x"] == hit["x"] and float(inserted["y"]) < float(hit["y"])


def test_rare_concepts_are_drawn_as_one_and_none_is_lost():
    names = [f"n{i:02}" for i in range(MOST_CONCEPTS + 5)]
    confusion = {(name, name): 2 for name in names} | {("n44", "n43"): 1, ("n44", "n00"): 1, (None, "n44"): 1}
    shown = cells(confusion_svg(confusion, names))
    assert len(shown) == (MOST_CONCEPTS + 1) ** 2 - 1
    assert shown["all others: 13 of 14"] == "13"
    assert shown["all others taken for n00 1 times of 14"] == "1"
    assert sum(int(text) for text in shown.values() if text) == sum(confusion.values())


def test_names_are_no_markup_and_long_ones_are_cut():
    name = "<b>&" + "x" * 100
    text = confusion_svg({(name, name): 1}, [name])
    svg = ElementTree.fromstring(text)
    labels = [element.text or element[0].tail for element in svg.findall("text")]
    assert name[: LONGEST_NAME - 1] + "…" in labels
    assert name in [title.text for title in svg.iter("title")]


def test_no_concept_is_no_fault():
    assert cells(confusion_svg({}, [])) == {}
