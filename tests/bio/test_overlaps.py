import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from primase.bio.overlaps import Spans, overlaps_any

SPANS = st.lists(
    st.tuples(st.sampled_from(["", "1", "10", "chr2"]), st.integers(0, 30), st.integers(0, 12)), max_size=14
)


def spans(drawn):
    chromosomes = np.array([name for name, _, _ in drawn], dtype=object)
    starts = np.array([start for _, start, _ in drawn], dtype=np.int64)
    return Spans(chromosomes, starts, starts + np.array([length for *_, length in drawn], dtype=np.int64))


def shares_a_base(query, other):
    name, start, length = query
    other_name, other_start, other_length = other
    own, others = range(start, start + length), range(other_start, other_start + other_length)
    return name == other_name != "" and bool(set(own) & set(others))


@given(SPANS.map(lambda drawn: [one for one in drawn if one[2]]), SPANS.map(lambda drawn: [o for o in drawn if o[2]]))
def test_overlap_is_a_shared_base_of_a_chromosome(queries, others):
    expected = [any(shares_a_base(query, other) for other in others) for query in queries]
    assert overlaps_any(spans(queries), spans(others)).tolist() == expected


@given(SPANS, SPANS)
def test_an_empty_span_never_breaks_it_and_touching_is_no_overlap(queries, others):
    found = overlaps_any(spans(queries), spans(others))
    for query, overlapping in zip(queries, found.tolist(), strict=True):
        if any(shares_a_base(query, other) for other in others):
            assert overlapping
        if not any(query[0] == other[0] != "" for other in others):
            assert not overlapping


def test_a_long_span_is_found_behind_short_ones():
    others = Spans(np.array(["1"] * 3), np.array([0, 5, 10]), np.array([1000, 6, 11]))
    queries = Spans(np.array(["1", "1", "2"]), np.array([500, 1000, 500]), np.array([501, 1001, 501]))
    assert overlaps_any(queries, others).tolist() == [True, False, False]


def test_taking_keeps_the_columns_together():
    some = spans([("1", 0, 5), ("2", 3, 5), ("1", 9, 5)]).take(np.array([2, 1]))
    assert (some.chromosomes.tolist(), some.starts.tolist(), some.ends.tolist()) == (["1", "2"], [9, 3], [14, 8])


def test_chromosomes_as_text_of_any_type_are_the_same():
    first = Spans(np.array(["1"]), np.array([0]), np.array([5]))
    second = Spans(np.array(["1"], dtype=object), np.array([4]), np.array([5]))
    assert overlaps_any(first, second).tolist() == [True]
