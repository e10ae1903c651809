import math
import string
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primase.evaluation.intervals import Interval
from primase.report.wording import (
    MINUS,
    MISSING,
    cell_texts,
    is_quantity,
    number_text,
    printable,
    readable_name,
    sentence,
    shortened,
    shortened_apart,
    value_and_interval,
)


@given(st.text(st.characters(exclude_categories=())))
def test_printable_text_is_one_line_of_valid_xml(text):
    line = printable(text)
    element = ET.Element("text")
    element.text = line
    assert ET.fromstring(ET.tostring(element, encoding="utf-8")).text == (line or None)
    assert len(line.splitlines()) <= 1


@given(st.text(alphabet=string.printable + "蛋白质"), st.integers(2, 40))
def test_shortened_names_fit(text, width):
    cut = shortened(text, width)
    columns = sum(2 if ord(character) > 0x2FFF else 1 for character in cut)
    assert columns <= width
    assert cut == printable(text).strip() or cut.endswith("…")


@given(st.lists(st.integers(0, 99), min_size=2, max_size=8, unique=True))
def test_names_that_start_alike_stay_apart(numbers):
    names = [f"a long name of a chromatin state {number:02d}" for number in numbers]
    cut = shortened_apart(names, 14)
    assert len(set(cut)) == len(names)
    assert all(len(name) <= 14 for name in cut)


@pytest.mark.parametrize(
    "text", ["0.945", f"{MINUS}3", "1,204", "94.5%", "94.5 %", "1.2e-05", "0.9 ± 0.1", "-.5", "12"]
)
def test_numbers_are_quantities(text):
    assert is_quantity(text)


@pytest.mark.parametrize(
    "text", ["", "network", "3-ketoacyl", "PF00106", "2,4-dienoyl", "1 of 2", "0.9 [see note]", "7 (b)"]
)
def test_names_are_no_quantities(text):
    assert not is_quantity(text)


@pytest.mark.parametrize(
    "interval", [Interval(0.945, 0.938, 0.952), Interval(-0.1, -0.2, 0.05), Interval.undefined(0.5)]
)
def test_intervals_are_quantities_that_come_apart(interval):
    assert is_quantity(str(interval))
    value, bounds = value_and_interval(str(interval))
    assert (float(value), f"{value} {bounds}") == (pytest.approx(interval.value), str(interval))


@given(st.floats(-1e9, 1e9))
def test_number_text_is_close_to_the_number(number):
    read = float(number_text(number).replace(",", "").replace(MINUS, "-"))
    assert math.isclose(read, number, rel_tol=0.06, abs_tol=5e-4) or abs(read - number) <= 0.5


def test_numbers_of_a_column_share_their_decimals():
    assert cell_texts([0.5, 12.25, None, math.nan, 3]) == ("0.5", "12.2", MISSING, MISSING, "3")
    assert cell_texts([True, "text", 1234567, -1.0]) == ("yes", "text", "1,234,567", f"{MINUS}1.000")
    assert cell_texts([math.inf, -math.inf]) == ("∞", f"{MINUS}∞")


def test_words_for_a_reader():
    assert readable_name("validation_macro_auprc") == "validation macro AUPRC"
    assert [sentence(text) for text in ("Why?", "So ", "Done.")] == ["Why?", "So.", "Done."]
