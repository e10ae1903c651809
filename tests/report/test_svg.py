import re

import pytest

from primase.report.svg import Svg

DOCUMENT = """<?xml version="1.0"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20" width="40pt">
 <metadata>made today</metadata>
 <defs><style type="text/css">*{stroke: red}</style><clipPath id="clip9f"><rect x="0" y="0" width="1" height="1"/>
 </clipPath><path id="m1" d="M 0.123456 1
 L 2 3" style="stroke: #0a0b01"/></defs>
 <g id="empty"/>
 <g id="axes_1" clip-path="url(#clip9f)"><use xlink:href="#m1" x="1.005" y="2"/>
 <text
 style="font-size: 10px; font-family: 'DejaVu Sans', sans-serif; fill: #123456">id="axes_1" #0a0b01 &lt;b&gt;</text></g>
</svg>"""


@pytest.fixture
def drawing():
    return Svg.from_matplotlib(DOCUMENT, {"#0a0b01": "var(--ink)"})


def test_a_document_is_tidied(drawing):
    assert "stroke:var(--ink)" in drawing.markup
    assert "fill:#123456" in drawing.markup
    assert "--natural:40px" in drawing.markup
    for gone in ("xmlns", "http", "metadata", "<style", "DejaVu", "empty", 'axes_1">', "0.123456", "pt"):
        assert gone not in drawing.markup, gone


def test_text_is_kept_letter_by_letter(drawing):
    assert '>id="axes_1" #0a0b01 &lt;b&gt;</text>' in drawing.markup


def test_ids_get_the_prefix_wherever_they_are_used(drawing):
    markup = drawing.with_ids("figure-7-")
    defined = re.findall(r' id="([^"]+)"', markup.replace('>id="', ""))
    used = re.findall(r'url\(#([^)]+)\)| href="#([^"]+)"', markup)
    assert sorted(defined) == sorted(a or b for a, b in used) == ["figure-7-s1", "figure-7-s2"]


@pytest.mark.parametrize(
    "inner",
    [
        "<script>alert(1)</script>",
        "<foreignObject><p>text</p></foreignObject>",
        '<image href="data:image/png;base64,AA"/>',
        "<style>*{}</style>",
        "<animate/>",
        '<path onload="alert(1)"/>',
        '<use href="https://example.org/x.svg#a"/>',
        '<use href="javascript:alert(1)"/>',
        '<path style="fill:url(https://example.org/a)"/>',
        '<path style="fill:URL( //example.org/a)"/>',
        r'<path style="fill:u\72l(//example.org)"/>',
        '<g clip-path="url(other.svg#a)"/>',
        '<path class="x"/>',
        "<path",
    ],
)
def test_what_is_not_inert_is_refused(inner):
    with pytest.raises(ValueError, match="a drawing must"):
        Svg(f'<svg viewBox="0 0 1 1">{inner}</svg>')
