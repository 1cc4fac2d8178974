#!/usr/bin/env python3
"""A picture shows what the terminal showed, in its columns and colours."""

import re
import unittest
import xml.etree.ElementTree as ET
from pathlib import Path

from screens import CELL, COLORS, MARGIN, svg_of

PICTURES = Path(__file__).parents[2] / "docs" / "screens"
TEXT = "{http://www.w3.org/2000/svg}text"


def pieces(svg: str) -> list[ET.Element]:
    return ET.fromstring(svg).findall(f".//{TEXT}")


class ScreensTest(unittest.TestCase):
    def test_each_style_is_a_piece_in_its_column(self) -> None:
        plain, green, rest = pieces(svg_of("ab \x1b[32mready\x1b[39m  c"))
        self.assertEqual((plain.text, green.text, rest.text), ("ab ", "ready", "  c"))
        self.assertEqual(green.get("fill"), COLORS["32"])
        self.assertIsNone(rest.get("fill"))
        self.assertAlmostEqual(float(green.get("x")), MARGIN + 3 * CELL[0])
        self.assertAlmostEqual(float(green.get("textLength")), 5 * CELL[0])

    def test_a_style_goes_on_over_lines_until_it_is_ended(self) -> None:
        first, second, third = pieces(svg_of("\x1b[1ma\nb\x1b[0m\nc"))
        self.assertEqual(first.get("font-weight"), "bold")
        self.assertEqual(second.get("font-weight"), "bold")
        self.assertIsNone(third.get("font-weight"))

    def test_what_means_something_to_xml_is_escaped(self) -> None:
        (text,) = pieces(svg_of("<a & b>"))
        self.assertEqual(text.text, "<a & b>")

    def test_every_picture_of_the_pages_is_there_and_readable(self) -> None:
        pages = [PICTURES.parents[1] / "README.md", *PICTURES.parent.glob("*.md")]
        named = {
            (page.parent / target).resolve()
            for page in pages
            for target in re.findall(r"!\[[^]]*\]\(([^)]+)\)", page.read_text())
        }
        self.assertEqual(named, {picture.resolve() for picture in PICTURES.iterdir()})
        for picture in named:
            if picture.suffix == ".png":
                self.assertTrue(picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n"), picture)
            else:
                self.assertTrue(pieces(picture.read_text()), picture)


if __name__ == "__main__":
    unittest.main()
