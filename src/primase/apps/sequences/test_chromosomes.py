import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primase.apps.sequences.chromosomes import chromosome_groups, chromosome_parts
from primase.apps.sequences.configuration import SequenceSplit
from primase.data.examples import Examples
from primase.data.sequences import Places, Sequences
from primase.data.splits import PARTS
from primase.errors import ConfigurationError, InputError


def on(chromosomes):
    count = len(chromosomes)
    starts = np.zeros(count, dtype=np.int64)
    places = Places(np.array(chromosomes, dtype=object), starts, starts + 1, np.array(["."] * count, dtype=object))
    sequences = Sequences.from_codes([np.ones(1, np.uint8)] * count, places)
    return Examples(np.array([f"s{row}" for row in range(count)], dtype=object), sequences, np.arange(count) % 2)


@given(st.lists(st.integers(1, 60), min_size=3, max_size=24), st.integers(0, 99), st.sampled_from([0.1, 0.3]))
def test_whole_chromosomes_make_three_parts(sizes, seed, share):
    examples = on([f"chr{number}" for number, size in enumerate(sizes) for _ in range(size)])
    split = SequenceSplit(validation_fraction=share, test_fraction=share)
    parts = chromosome_parts(examples, split, seed)
    assert set(parts) == set(PARTS)
    names = examples.inputs.places.chromosomes
    assert all(len(set(parts[names == name])) == 1 for name in set(names))
    for part in ("validation", "test"):
        drawn = set(names[parts == part])
        assert (parts == part).sum() <= share * len(examples) or len(drawn) == 1
    assert np.array_equal(parts, chromosome_parts(examples, split, seed))


def test_another_seed_draws_other_chromosomes():
    examples = on([f"chr{number}" for number in range(22) for _ in range(5)])
    drawn = {tuple(chromosome_parts(examples, SequenceSplit(), seed)) for seed in range(5)}
    assert len(drawn) > 1


def test_chromosomes_that_are_named():
    examples = on(["1", "2", "3", "4"] * 5)
    split = SequenceSplit(test_chromosomes=("2", "4"), validation_chromosomes=("1",))
    parts = chromosome_parts(examples, split, 0)
    assert parts[:4].tolist() == ["validation", "test", "train", "test"]


def test_validation_chromosomes_are_drawn_beside_a_named_test():
    examples = on(["1"] * 9 + ["2"] * 9 + ["3"] * 8 + ["4"] * 4)
    parts = chromosome_parts(examples, SequenceSplit(test_chromosomes=("4",)), 0)
    assert {part: (parts == part).sum() for part in PARTS} == {"train": 18, "validation": 8, "test": 4}


def test_what_cannot_be_divided_by_chromosomes():
    with pytest.raises(InputError, match=r"--split chromosome: there are too few .*Found: 1, 2\. .*--split cluster"):
        chromosome_parts(on(["1", "2"] * 9), SequenceSplit(), 0)
    with pytest.raises(InputError, match=r"it is not known on which chromosome a sequence lies\. Found: s2"):
        chromosome_groups(on(["1", "2", "", "3"]))
    with pytest.raises(ConfigurationError, match=r"--test-chromosomes: .*Found: X\. Accepted: 1, 2, 3"):
        chromosome_parts(on(["1", "2", "3"]), SequenceSplit(test_chromosomes=("2", "X")), 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "random", "test_chromosomes": ("1",)}, "--test-chromosomes is for --split chromosome"),
        ({"split": "given", "validation_chromosomes": ("1",)}, "--validation-chromosomes is for --split chromosome"),
        ({"validation_chromosomes": ("1",)}, "needs --test-chromosomes beside it"),
        ({"test_chromosomes": ("1", "2"), "validation_chromosomes": ("2",)}, "both name 2"),
    ],
)
def test_settings_that_do_not_fit_each_other(settings, message):
    with pytest.raises(ValueError, match=message):
        SequenceSplit(**settings)
