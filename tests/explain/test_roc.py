"""The drawing of attacks: every curve and its name are in it, and it stays inside its frame."""

import re
from xml.etree import ElementTree

import numpy as np

from slimlit.explain.roc import draw_roc


def test_every_curve_has_its_line_and_its_name_inside_the_picture() -> None:
    steps = np.linspace(0, 1, 400)
    curves = {"one & only": (steps, np.sqrt(steps)), "nothing": (np.array([0.0, 1.0]), np.array([0.0, 1.0]))}
    picture = draw_roc("a <title>", curves, ("the limit", (steps, np.minimum(1, 3 * steps))), ["said"], decades=3)
    root = ElementTree.fromstring(picture)
    said = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a <title>", "one & only", "nothing", "the limit", "chance", "said", "0.1 %", "100 %"} <= set(said)
    paths = {element.get("class"): element.get("d") for element in root.iter("{http://www.w3.org/2000/svg}path")}
    assert {"line one", "line two", "line limit", "line chance"} <= set(paths)
    for path in paths.values():
        for x, y in re.findall(r"([\d.]+) ([\d.]+)", path or ""):
            assert 0 <= float(x) <= float(root.attrib["width"])
            assert 0 <= float(y) <= float(root.attrib["height"])


def test_an_attack_that_finds_all_goes_along_the_top_and_a_guess_along_the_diagonal() -> None:
    perfect = (np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0]))
    guess = (np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    picture = draw_roc("x", {"all": perfect, "guess": guess}, None, [], decades=2)

    def first(kind: str) -> list[tuple[float, float]]:
        """The corners of the first line of a kind; the second is the key's."""
        found = re.search(rf'class="line {kind}" d="M([^"]+)"', picture)
        assert found is not None
        return [(float(x), float(y)) for x, y in (corner.split() for corner in found[1].split("L"))]

    (left, bottom), (right, top) = first("chance")
    assert first("one") == [(left, bottom), (left, top), (right, top)]
    assert first("two")[-1] == (right, top)
