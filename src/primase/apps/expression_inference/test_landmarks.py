"""Which genes are landmarks and which are targets."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from primase.apps.expression.landmarks_l1000 import LANDMARKS
from primase.apps.expression.profiles import Profiles
from primase.apps.expression_inference.asking import as_known, asked_of, question
from primase.apps.expression_inference.configuration import InferenceData
from primase.apps.expression_inference.landmarks import (
    candidate_facts,
    choose_landmarks,
    choose_targets,
    is_constant,
    present,
    read_gene_list,
)
from primase.bio.expression import DenseMatrix, Expression
from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.errors import ConfigurationError, InputError


def factors(groups: int = 4, per_group: int = 6, samples: int = 200, seed: int = 0) -> Profiles:
    """Make groups of genes that each follow a factor of their own, the first of each most closely."""
    generator = np.random.default_rng(seed)
    latent = generator.normal(size=(samples, groups))
    noise = np.tile(np.linspace(0.05, 0.8, per_group), groups)
    columns = np.repeat(latent, per_group, axis=1) + noise * generator.normal(size=(samples, groups * per_group))
    names = [f"G{group}_{place}" for group in range(groups) for place in range(per_group)]
    return Profiles.of_values(names, (columns * 2 + 8).astype(np.float32))


def with_column(profiles: Profiles, name: str, values: np.ndarray) -> Profiles:
    joined = np.column_stack([profiles.values(), values]).astype(np.float32)
    return Profiles.of_values([*profiles.genes, name], joined)


def test_one_landmark_is_chosen_of_each_group_and_it_is_the_central_one() -> None:
    chosen = choose_landmarks(factors(), 4, seed=0)
    assert sorted(name[:2] for name in chosen) == ["G0", "G1", "G2", "G3"]
    assert all(int(name[-1]) <= 2 for name in chosen)


def test_the_choice_is_the_same_each_time_and_does_not_look_at_scale() -> None:
    profiles = factors()
    values = profiles.values() * np.linspace(0.1, 30, len(profiles.genes)) + 5
    scaled = Profiles.of_values(profiles.genes, values.astype(np.float32))
    assert choose_landmarks(profiles, 4, 1) == choose_landmarks(profiles, 4, 1) == choose_landmarks(scaled, 4, 1)


def test_a_constant_gene_is_no_landmark_and_missing_values_are_borne() -> None:
    values = factors().values()
    values[3, 2] = np.nan
    names = [*factors().genes, "FLAT"]
    profiles = Profiles.of_values(names, np.column_stack([values, np.full(len(values), 3.0)]).astype(np.float32))
    assert "FLAT" not in choose_landmarks(profiles, 10, 0)
    with pytest.raises(ConfigurationError, match="24 genes that vary"):
        choose_landmarks(profiles, 24, 0)


def test_a_gene_that_is_hardly_ever_there_is_not_chosen() -> None:
    profiles = factors()
    rare = np.where(np.arange(200) % 40 == 0, np.arange(200), 0)
    profiles = with_column(profiles, "RARE", rare)
    chosen = question(profiles, InferenceData(choose_landmarks=5), 0).landmarks
    assert "RARE" in chosen
    chosen = question(profiles, InferenceData(choose_landmarks=5, minimum_expressed=0.2), 0).landmarks
    assert len(chosen) == 5
    assert "RARE" not in chosen


def test_a_list_of_genes_is_read_word_by_word(tmp_path: Path) -> None:
    path = tmp_path / "genes.txt"
    path.write_text("\ufeff# landmarks\r\nTP53\tnote\r\n\r\nMYC,1\nTP53\n", encoding="utf-8")
    assert read_gene_list(path) == ("TP53", "MYC")


@pytest.mark.parametrize(("content", "message"), [("# nothing\n\n", "is empty"), (None, "does not exist")])
def test_a_list_that_names_no_gene_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "genes.txt"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_gene_list(path)
    assert "genes.txt" in str(caught.value)


def test_landmarks_that_are_missing_are_counted_and_named() -> None:
    found, finding = present(("A", "X", "B"), ("A", "B", "C"), where="list", role="landmarks")
    assert found == ("A", "B")
    assert finding.count == 2
    assert "Missing: X." in finding.text
    assert finding.severity == "info"
    assert present(("A", "X", "Y"), ("A",), where="list", role="landmarks")[1].severity == "warning"


def test_without_any_landmark_the_message_says_what_to_do() -> None:
    with pytest.raises(InputError, match="none of the 1 landmarks occurs") as caught:
        present(("ENSG00000141510",), ("TP53", "MYC"), where="list", role="landmarks")
    assert "--choose-landmarks" in str(caught.value)
    assert "TP53" in str(caught.value)


def test_what_is_no_question_is_no_target_and_is_said() -> None:
    profiles = factors()
    generator = np.random.default_rng(0)
    profiles = with_column(profiles, "FLAT", np.full(200, 4.0))
    profiles = with_column(profiles, "RARE", np.where(np.arange(200) < 10, 1.0, 0.0))
    profiles = with_column(profiles, "COPY", profiles.values()[:, 0] * -3 + 100 + 0.001 * generator.normal(size=200))
    asked = choose_targets(profiles, ["G0_0", "G1_0"], profiles.genes, minimum_expressed=0.2, maximum_correlation=1.0)
    assert asked.landmarks == ("G0_0", "G1_0")
    assert asked.targets == tuple(name for name in profiles.genes if name not in {"G0_0", "G1_0", "FLAT", "RARE"})
    texts = {finding.finding: finding for finding in asked.findings}
    assert texts["constant targets"].count == 1
    assert "FLAT" in texts["constant targets"].text
    assert "RARE" in texts["rarely expressed genes"].text
    assert "COPY (G0_0)" in texts["give-aways"].text
    assert texts["give-aways"].severity == "warning"
    assert texts["targets that are landmarks"].count == 2


def test_near_copies_are_left_out_on_request() -> None:
    profiles = factors()
    profiles = with_column(profiles, "COPY", profiles.values()[:, 0] * 2)
    asked = choose_targets(profiles, ["G0_0"], profiles.genes, minimum_expressed=0, maximum_correlation=0.98)
    facts = candidate_facts(profiles, ["G0_0"], profiles.genes[1:])
    table = profiles.values()
    correlations = np.corrcoef(table.T)[0, 1:]
    np.testing.assert_allclose(facts.nearest, np.abs(correlations), atol=1e-5)
    kept = [name for name, one in zip(profiles.genes[1:], correlations, strict=True) if abs(one) <= 0.98]
    assert list(asked.targets) == kept
    assert "COPY" not in asked.targets
    assert "left out" in next(finding.text for finding in asked.findings if finding.finding == "give-aways")


def test_candidates_are_measured_in_one_pass_over_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    table = factors().values()
    table[:, 3] = np.nan
    table[::2, 4] = np.nan
    table[:, 5] = np.where(np.arange(len(table)) < 10, 1, 0)
    table[:, 6] = 7
    names = [f"G{place}" for place in range(table.shape[1])]
    read: list[int] = []
    whole = DenseMatrix(table)
    matrix = Mock(shape=table.shape, rows=lambda rows: (read.append(len(rows)), whole.rows(rows))[1])
    profiles = Profiles.whole(Expression(matrix, tuple(names), raw=False))
    monkeypatch.setattr("primase.apps.expression_inference.landmarks.GENES_AT_ONCE", 2)
    monkeypatch.setattr("primase.apps.expression.profiles.BLOCK", 30)
    facts = candidate_facts(profiles, names[:2], names[2:])
    assert sum(read) == 3 * len(table)  # the landmarks, the pass, and the samples of which correlations are taken
    np.testing.assert_array_equal(facts.constant, is_constant(table[:, 2:]))
    assert facts.constant[[1, 4]].all()
    known = ~np.isnan(table[:, 2:])
    np.testing.assert_allclose(facts.expressed, (table[:, 2:] > 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
    correlations = np.abs(np.corrcoef(table[:, [0, 1, 2, *range(7, len(names))]].T))[2:, :2]
    np.testing.assert_allclose(facts.nearest[[0, *range(5, len(names) - 2)]], correlations.max(axis=1), atol=1e-5)
    np.testing.assert_array_equal(facts.landmark[[0, *range(5, len(names) - 2)]], correlations.argmax(axis=1))


def test_nothing_left_to_infer_is_refused() -> None:
    flat = Profiles.of_values(("A", "B"), np.array([[1, 3], [2, 3]], dtype=np.float32))
    with pytest.raises(InputError, match="no gene is left to infer"):
        choose_targets(flat, ["A"], ["B"], minimum_expressed=0, maximum_correlation=1)
    with pytest.raises(InputError, match="every gene is a landmark"):
        choose_targets(flat, ["A", "B"], ["A"], minimum_expressed=0, maximum_correlation=1)


def test_the_l1000_landmarks_are_taken_where_none_are_named() -> None:
    profiles = factors()
    renamed = Profiles.of_values([*LANDMARKS[:3], *profiles.genes[3:]], profiles.values())
    asked = question(renamed, InferenceData(), 0)
    assert asked.landmarks == LANDMARKS[:3]
    assert asked.targets == profiles.genes[3:]
    assert asked.findings[0].finding == "landmarks that occur"
    assert asked.findings[0].severity == "warning"
    with pytest.raises(InputError, match="943 landmarks"):
        question(profiles, InferenceData(), 0)


def test_landmarks_and_targets_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "landmarks").write_text("G1_1\nG0_0\n", encoding="utf-8")
    (tmp_path / "targets").write_text("G2_0\nG0_0\nG3_0\nNONE\n", encoding="utf-8")
    data = InferenceData(landmarks=tmp_path / "landmarks", targets=tmp_path / "targets")
    profiles = factors()
    asked = question(profiles, data, 0)
    assert asked.landmarks == ("G1_1", "G0_0")
    assert asked.targets == ("G2_0", "G3_0")
    ids = np.array([f"s{number}" for number in range(200)], dtype=object)
    examples, task = asked_of(Examples(ids, profiles, np.empty((200, 0), dtype=np.float32)), asked)
    assert task == Task("regression", ("G2_0", "G3_0"))
    assert examples.inputs.genes == ("G1_1", "G0_0")
    np.testing.assert_array_equal(examples.targets, profiles.only(["G2_0", "G3_0"]).values())


def test_a_constant_landmark_is_said() -> None:
    profiles = with_column(factors(), LANDMARKS[0], np.full(200, 2.0))
    profiles = with_column(profiles, LANDMARKS[1], np.arange(200.0))
    findings = question(profiles, InferenceData(), 0).findings
    assert LANDMARKS[0] in next(one.text for one in findings if one.finding == "constant landmarks")


def test_new_samples_are_asked_what_the_model_was_asked() -> None:
    profiles = factors(samples=5)
    ids = np.array(list("abcde"), dtype=object)
    examples = Examples(ids, profiles, np.empty((5, 0), dtype=np.float32))
    task = Task("regression", ("G1_0", "ABSENT"))
    found, findings = as_known(examples, ["G0_1", "G0_0"], task, missing_genes="refuse", where="file")
    np.testing.assert_array_equal(found.inputs.values(), profiles.only(["G0_1", "G0_0"]).values())
    np.testing.assert_array_equal(found.targets[:, 0], profiles.only(["G1_0"]).values()[:, 0])
    assert np.isnan(found.targets[:, 1]).all()
    assert [finding.finding for finding in findings] == ["missing targets"]
    with pytest.raises(InputError, match="1 of the 2 landmarks that the model needs are missing"):
        as_known(examples, ["G0_0", "GONE"], task, missing_genes="refuse", where="file")
    found, findings = as_known(examples, ["G0_0", "GONE"], task, missing_genes="mean", where="file")
    assert found.inputs.genes == ("G0_0", "GONE")
    assert np.isnan(found.inputs.values()[:, 1]).all()
    assert findings[0].finding == "missing landmarks"
    with pytest.raises(InputError, match="nothing can be judged"):
        as_known(examples, ["G0_0"], Task("regression", ("ABSENT",)), missing_genes="refuse", where="file")
