import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import DisjointSet

from primase.data.splits import PARTS, Fractions, Partition, group_by_key, merge_groups, split_given, split_units
from primase.errors import InputError

seeds = st.integers(min_value=0, max_value=2**31)


@st.composite
def grouped_examples(draw, smallest=60):
    count = draw(st.integers(min_value=smallest, max_value=400))
    generator = np.random.default_rng(draw(seeds))
    units = generator.integers(draw(st.integers(min_value=count // 4, max_value=count)), size=count)
    labels = draw(st.integers(min_value=1, max_value=4))
    return units * 7 - 3, generator.integers(labels, size=count)


def divide(units, targets, **settings):
    try:
        return split_units(units, targets, policy="cluster", **settings)
    except InputError:  # too few units in some stratum
        return assume(False)  # noqa: FBT003  # hypothesis calls it so


@given(grouped_examples(), seeds)
def test_every_example_is_in_one_part_and_no_unit_is_torn(grouped, seed):
    units, targets = grouped
    partition = divide(units, targets, seed=seed)
    positions = np.concatenate([partition.part(name) for name in PARTS])
    assert sorted(positions) == list(range(len(units)))
    units_of = [set(units[partition.part(name)]) for name in PARTS]
    assert not (units_of[0] & units_of[1])
    assert not (units_of[0] & units_of[2])
    assert not (units_of[1] & units_of[2])
    np.testing.assert_array_equal(
        group_by_key(units.astype(str)) == group_by_key(units.astype(str))[0], partition.units == partition.units[0]
    )


@given(
    st.integers(min_value=200, max_value=1000), seeds, st.sampled_from([0.1, 0.2, 0.33]), st.sampled_from([0.1, 0.25])
)
def test_single_examples_are_divided_in_the_shares_asked_for_within_every_label(count, seed, validation, test):
    targets = np.random.default_rng(seed).integers(3, size=count)
    fractions = Fractions(validation, test)
    partition = split_units(np.arange(count), targets, policy="random", seed=seed, fractions=fractions)
    for label in range(3):
        of_label = (targets == label).sum()
        assert abs((targets[partition.validation] == label).sum() - validation * of_label) <= 0.5
        assert abs((targets[partition.test] == label).sum() - test * of_label) <= 0.5
    assert partition.policy == "random"


@given(grouped_examples(smallest=200), seeds)
def test_shares_of_grouped_examples_are_not_exceeded_and_nearly_reached(grouped, seed):
    units, targets = grouped
    partition = divide(units, targets, seed=seed)
    largest = np.unique(units, return_counts=True)[1].max()
    labels = len(np.unique(targets))
    for name in ("validation", "test"):
        # Each label rounds its share, and may lack less than one unit.
        assert 0.1 * len(units) - labels * (largest + 0.5) <= partition.sizes[name] <= 0.1 * len(units) + labels


@given(grouped_examples(), seeds)
def test_a_split_depends_on_its_seed_alone(grouped, seed):
    units, targets = grouped
    first, second = (divide(units, targets, seed=seed) for _ in range(2))
    assert all(np.array_equal(first.part(name), second.part(name)) for name in PARTS)


def test_another_seed_divides_otherwise():
    units, targets = np.arange(300), np.arange(300) % 2
    first, second = (split_units(units, targets, policy="random", seed=seed) for seed in (0, 1))
    assert not np.array_equal(first.test, second.test)


def test_a_unit_larger_than_a_part_goes_to_train():
    units = np.concatenate([np.zeros(150, dtype=int), np.arange(1, 151)])
    for seed in range(20):
        partition = split_units(units, np.zeros(300, dtype=int), policy="cluster", seed=seed)
        assert set(np.flatnonzero(units == 0)) <= set(partition.train)
        assert partition.sizes == {"train": 240, "validation": 30, "test": 30}


def test_unknown_targets_do_not_matter():
    targets = np.array([-1, 0, 1] * 100)
    assert split_units(np.arange(300), targets, policy="random", seed=0).sizes["test"] == 30


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_too_few_examples_leave_a_part_empty_which_is_said(count):
    with pytest.raises(InputError, match=r"--split random: the split leaves no .* examples\. Found: train"):
        split_units(np.arange(count), np.zeros(count, dtype=int), policy="random", seed=0)


def test_one_unit_cannot_be_divided():
    with pytest.raises(InputError, match="leaves no"):
        split_units(np.zeros(100, dtype=int), np.arange(100) % 2, policy="cluster", seed=0)


def test_names_of_parts():
    partition = Partition(np.array([0, 3]), np.array([1]), np.array([4]), "given", np.arange(5))
    assert partition.names(5).tolist() == ["train", "validation", "", "train", "test"]
    assert partition.sizes == {"train": 2, "validation": 1, "test": 1}


# Given parts


def given_parts(validation):
    parts = np.array((["train"] * 100) + (["validation"] * validation) + (["test"] * 20), dtype=object)
    return np.random.default_rng(0).permutation(parts)


def test_given_parts_are_kept():
    parts = given_parts(validation=10)
    partition = split_given(parts, np.arange(130), np.zeros(130, dtype=int), seed=0)
    assert partition.names(130).tolist() == parts.tolist()
    assert partition.policy == "given"


def test_missing_validation_is_taken_from_train_unit_by_unit():
    parts = given_parts(validation=0)
    units = np.arange(120) // 3
    partition = split_given(parts, units, np.zeros(120, dtype=int), seed=0)
    assert np.array_equal(partition.test, np.flatnonzero(parts == "test"))
    assert set(partition.train) | set(partition.validation) == set(np.flatnonzero(parts == "train"))
    assert not set(units[partition.train]) & set(units[partition.validation])
    assert 5 <= len(partition.validation) <= 10


def test_the_policy_by_which_parts_are_given_is_kept_and_named():
    parts = given_parts(validation=10)
    partition = split_given(parts, np.arange(130), np.zeros(130, dtype=int), seed=0, policy="chromosome")
    assert partition.policy == "chromosome"
    assert partition.names(130).tolist() == parts.tolist()
    for gone in ("test", "train"):
        with pytest.raises(InputError, match="--split chromosome: the split"):
            split_given(
                np.where(parts == gone, "validation", parts),
                np.arange(130),
                np.zeros(130, int),
                seed=0,
                policy="chromosome",
            )


def test_given_parts_without_test_are_refused():
    parts = np.array(["train", "validation"] * 20, dtype=object)
    with pytest.raises(InputError, match="no test examples are"):
        split_given(parts, np.arange(40), np.zeros(40, dtype=int), seed=0)


def test_given_parts_without_train_are_refused():
    parts = np.array(["validation", "test"] * 20, dtype=object)
    with pytest.raises(InputError, match="leaves no train"):
        split_given(parts, np.arange(40), np.zeros(40, dtype=int), seed=0)


# Groups


@given(st.integers(min_value=1, max_value=60), st.integers(min_value=1, max_value=4), seeds)
def test_merged_groups_are_the_connected_components(count, columns, seed):
    generator = np.random.default_rng(seed)
    groupings = [generator.integers(-3, count, size=count) for _ in range(columns)]
    components = DisjointSet(range(count))
    for grouping in groupings:
        for first in range(count):
            for second in range(first):
                if grouping[first] == grouping[second]:
                    components.merge(first, second)
    merged = merge_groups(*groupings)
    for first in range(count):
        for second in range(first):
            assert (merged[first] == merged[second]) == components.connected(first, second)


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1))
def test_groups_by_key_are_equal_where_the_keys_are(keys):
    groups = group_by_key(keys)
    for first, group in zip(keys, groups, strict=True):
        assert [group == other for other in groups] == [first == other for other in keys]
