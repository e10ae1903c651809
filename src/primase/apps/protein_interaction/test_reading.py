import random

import numpy as np
import pytest
from pyhmmer.easel import Alphabet, TextSequence
from pyhmmer.plan7 import Background, Builder
from scipy import sparse

from primase.apps.protein_interaction.configuration import GraphData
from primase.apps.protein_interaction.pairs import Proteins
from primase.apps.protein_interaction.reading import (
    read_graph,
    read_node_labels,
    read_pairs_to_predict,
    read_proteins_to_predict,
)
from primase.apps.protein_interaction.reading_features import DOMAIN, Features, read_features, stack_features
from primase.bio.composition import COMPOSITION_COLUMNS
from primase.bio.graphs import pair_keys
from primase.data.words import GraphWords
from primase.errors import InputError

EDGES = "a\tb\nb\tc\nc\ta\nd\ta\n"
FEATURES = "id,x,y\na,1,2\nb,3,4\nc,5,6\nd,7,9\nnew,8,8\n"


@pytest.fixture
def write(tmp_path):
    def written(name, content):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        return path

    return written


@pytest.fixture
def read(write):
    """Read a graph of files whose content is given by the words that name them."""

    def of(**words):
        files = GraphWords.model_fields.keys() | {"features", "proteins", "node_labels"}
        paths = {
            name: write(name, words.pop(name)) for name in [*words] if name in files and isinstance(words[name], str)
        }
        data = GraphData(**paths, **words)
        return data, read_graph(data)

    return of


def named(graph, pairs):
    return {frozenset(graph.proteins.names[pair]) for pair in pairs.tolist()}


def pairs_of(*texts):
    return {frozenset(text) for text in texts}


def counts(findings):
    return {finding.finding: finding.count for finding in findings}


def test_a_graph_alone(read):
    _, graph = read(edges=EDGES + "b\ta\ne\te\n")
    assert graph.parts == ("train",)
    assert graph.proteins.names.tolist() == ["a", "b", "c", "d", "e"]
    assert named(graph, graph.edges["train"]) == pairs_of("ab", "bc", "ac", "ad")
    assert graph.nonedges == {}
    assert graph.proteins.features is None
    assert graph.proteins.graph is None
    assert counts(graph.findings) == {
        "column names": 0,
        "self-loops": 1,
        "repeated links": 1,
        "isolated proteins": 1,
    }


def test_a_pair_stands_in_the_last_of_its_parts_only(read):
    _, graph = read(
        edges=EDGES,
        validation_edges="b a\ne f\na d\n",
        test_edges="source,target\nc,b\nd,a\nx,b\n",
        nonedges="b d\nd b\nc c\nb a\nd c\nx e\n",
        test_nonedges="c,d\nx,c\n",
    )
    assert graph.parts == ("train", "validation", "test")
    assert named(graph, graph.edges["train"]) == pairs_of("ac")
    assert named(graph, graph.edges["validation"]) == pairs_of("ab", "ef")
    assert named(graph, graph.edges["test"]) == pairs_of("bc", "ad", "bx")
    assert named(graph, graph.nonedges["train"]) == pairs_of("bd", "xe")
    assert named(graph, graph.nonedges["test"]) == pairs_of("cd", "cx")
    all_keys = np.concatenate(
        [pair_keys(pairs, 9) for kind in (graph.edges, graph.nonedges) for pairs in kind.values()]
    )
    assert len(all_keys) == len(np.unique(all_keys))
    found = counts(graph.findings)
    # a-b, b-c, and a-d out of train; a-d out of validation.
    assert found["edges in two parts"] == 4
    assert found["negative pairs that are edges"] == 1
    assert found["negative pairs in two parts"] == 1
    assert found["repeated negative pairs"] == 1
    assert found["negative pairs of one protein"] == 1
    assert found["proteins without training links"] == 5
    assert found["column names"] == 1
    assert "isolated proteins" not in found
    (text,) = [finding.text for finding in graph.findings if finding.finding == "negative pairs that are edges"]
    assert "b-a" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"edges": EDGES, "test_edges": "a b\n", "validation_edges": "b a\n"},
            "all pairs of validation stand in a later",
        ),
        ({"edges": EDGES, "nonedges": "a b\nc a\n"}, "none of the pairs given as not interacting for train is left"),
        ({"edges": "a a\n"}, "a graph with one protein has no pair"),
        ({"edges": EDGES, "node_labels": "id,label\na,1\n", "test_edges": "a d\n"}, "play no part where proteins"),
        ({}, "there is no graph"),
    ],
)
def test_what_makes_no_graph(read, words, message):
    with pytest.raises(InputError, match=message):
        read(**words)


def test_thresholds_and_evidence_are_told(read):
    string = "protein1 protein2 combined_score\na b 900\na c 10\nb c 800\n"
    _, graph = read(edges=string, minimum_score=700)
    assert named(graph, graph.edges["train"]) == pairs_of("ab", "bc")
    assert counts(graph.findings)["links below the score"] == 1
    columns = ["BioGRID Interaction ID"]
    columns += [f"{kind} Interactor {side}" for kind in ("Systematic Name", "Official Symbol") for side in "AB"]
    rows = [[*columns, "Experimental System Type"], "1ABAB", "2ACAC"]
    text = "\n".join("\t".join([*row, kind]) for row, kind in zip(rows, ("", "physical", "genetic"), strict=True))
    _, graph = read(edges="#" + text.replace("\t\n", "\n"))
    assert named(graph, graph.edges["train"]) == pairs_of("AB")
    found = counts(graph.findings)
    assert found["other evidence"] == 1
    assert found["how the file was read"] == 2


def test_features_of_a_table(read):
    _, graph = read(edges=EDGES + "a\te\n", features=FEATURES.replace("9", "8").replace("y", "z"))
    assert graph.proteins.feature_names == ("x", "z")
    assert graph.proteins.features.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8], [0, 0]]
    found = counts(graph.findings)
    assert found["proteins without features"] == 1
    assert found["features of other proteins"] == 1
    with pytest.raises(InputError, match="features are of other proteins"):
        read(edges="p q\nq r\n", features=FEATURES)


AMINO = "ACDEFGHIKLMNPQRSTVWY"


def protein(length, seed):
    return "".join(random.Random(seed).choices(AMINO, k=length))


@pytest.fixture
def sequences(write, tmp_path, monkeypatch):
    """Five proteins with planted domains: Fam0 in four, Fam1 in two, Fam2 in one."""
    monkeypatch.setenv("PRIMASE_CACHE", str(tmp_path / "cache"))
    families = [protein(60, seed) for seed in range(3)]
    alphabet = Alphabet.amino()
    profiles = tmp_path / "three.hmm"
    with profiles.open("wb") as file:
        for number, sequence in enumerate(families):
            digital = TextSequence(name=f"Fam{number}", sequence=sequence).digitize(alphabet)
            model, _, _ = Builder(alphabet).build(digital, Background(alphabet))
            model.cutoffs.gathering = (20.0, 20.0)
            model.write(file)
    planted = {"a": [0, 1], "sp|P1|b": [0, 2], "c": [], "new": [1, 0], "z": [0]}
    fasta = "".join(
        f">{name}\nM{''.join(families[number] for number in numbers)}{protein(20, 9)}\n"
        for name, numbers in planted.items()
    )
    return {"proteins": write("proteins.fa", fasta), "profiles": profiles, "threads": 1}


def test_features_of_sequences(read, sequences):
    _, graph = read(edges=EDGES, **sequences)
    proteins = graph.proteins
    assert proteins.feature_names == (*COMPOSITION_COLUMNS, DOMAIN + "Fam0")
    matrix = proteins.features.toarray()
    assert matrix[:, -1].tolist() == [1, 1, 0, 0]
    assert np.allclose(np.exp(matrix[:3, 0]), [141, 141, 21])
    assert np.allclose(matrix[:, 1:-1].sum(axis=1), [1, 1, 1, 0])
    assert proteins.features.dtype == np.float32
    assert graph.profiles["file"] == "three.hmm"
    found = counts(graph.findings)
    assert (found["proteins without sequence"], found["sequence of other proteins"]) == (1, 2)
    assert found["proteins without a domain"] == 1


def test_composition_alone_where_there_are_no_profiles(read, sequences):
    _, graph = read(edges=EDGES, proteins=sequences["proteins"])
    assert graph.proteins.feature_names == COMPOSITION_COLUMNS
    assert isinstance(graph.proteins.features, np.ndarray)
    assert graph.profiles == {}


def test_sequences_that_do_not_fit(read, write):
    with pytest.raises(InputError, match=r"sequences are of other proteins.*Found: p, q, …. Accepted: .* a, b, c"):
        read(edges=EDGES, proteins=">p\nMKV\n>q\nMKL\n")
    with pytest.raises(InputError, match="record a: one protein has two different sequences"):
        read(edges=EDGES, proteins=">a\nMKV\n>a\nMKL\n")


def test_table_and_sequences_stand_side_by_side(read, sequences):
    _, graph = read(edges=EDGES, features=FEATURES, **sequences)
    assert graph.proteins.feature_names == ("x", "y", *COMPOSITION_COLUMNS, DOMAIN + "Fam0")
    assert graph.proteins.features.toarray()[:, :2].tolist() == [[1, 2], [3, 4], [5, 6], [7, 9]]


def test_stacking_is_dense_only_where_all_is(read):
    known = np.array([True, False]), np.array([False, False])
    dense = Features(np.eye(2, dtype=np.float32), ("x", "y"), known[0])
    thin = Features(sparse.csr_array(2 * np.eye(2, dtype=np.float32)), ("v", "w"), known[1], profiles={"file": "p"})
    assert stack_features([], 3).matrix is None
    assert stack_features([], 3).known.tolist() == [False] * 3
    assert stack_features([dense, dense], 2).matrix.tolist() == [[1, 0, 1, 0], [0, 1, 0, 1]]
    mixed = stack_features([thin, dense], 2)
    assert mixed.matrix.toarray().tolist() == [[2, 0, 1, 0], [0, 2, 0, 1]]
    assert mixed.matrix.dtype == np.float32
    assert mixed.names == ("v", "w", "x", "y")
    assert mixed.known.tolist() == [True, False]
    assert mixed.profiles == {"file": "p"}
    for features in (dense, stack_features([Features(sparse.csr_array(dense.matrix), ("x", "y"), known[0])], 2)):
        chosen = features.with_columns(["y", DOMAIN + "P", "x"], where="here").matrix
        chosen = chosen if isinstance(chosen, np.ndarray) else chosen.toarray()
        assert chosen.tolist() == [[0, 0, 1], [1, 0, 0]]
        with pytest.raises(InputError, match="here: 1 features that the model was trained with are missing"):
            features.with_columns(["q"], where="here")


def test_labels(read, write):
    data, graph = read(edges=EDGES, node_labels="id,label\nb,enzyme\na,other\nd,\nq,other\nb,enzyme\n")
    assert graph.proteins.graph.edges.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2]]
    labels, findings = read_node_labels(data, graph.proteins)
    assert labels == ["other", "enzyme", None, None]
    assert counts(findings) == {"proteins without a label": 2, "labels of other proteins": 1}
    other = data.model_copy(update={"node_labels": write("l.tsv", "gene\tclass\tx\na\t1\t5\n")})
    assert read_node_labels(other, graph.proteins)[0] == ["1", None, None, None]
    other = other.model_copy(update={"label_column": "x"})
    assert read_node_labels(other, graph.proteins)[0] == ["5", None, None, None]


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        ("id,label\np,1\nq,0\n", {}, r"labels are of other proteins.* Found: p, q, …. Accepted: .*a, b, c"),
        (
            "id,label\na,1\nb,1\na,0\n",
            {},
            r"line 4: one protein has two different labels. Found: 'a' as '1' and as '0'",
        ),
        ("a,1\nb,0\n", {}, "the first line is a protein of the graph"),
        ("id\na\n", {}, "there is one column"),
        ("id,label\na,1\n", {"label_column": "class"}, "there is no column 'class'.*--label-column"),
    ],
)
def test_labels_that_do_not_fit(read, content, settings, message):
    data, graph = read(edges=EDGES, node_labels=content, **settings)
    with pytest.raises(InputError, match=message):
        read_node_labels(data, graph.proteins)


def test_pairs_to_predict(read, write):
    data, graph = read(edges=EDGES)
    events = []
    path = write("pairs.tsv", "protein_a\tprotein_b\nd\tb\nb\td\nc\tc\n")
    ids, pairs = read_pairs_to_predict(path, data, graph.proteins, events.append)
    assert ids.tolist() == ["d|b", "b|d", "c|c"]
    assert pairs.names.tolist() == [["d", "b"], ["b", "d"], ["c", "c"]]
    assert pairs.proteins is graph.proteins
    assert "1 of the pairs are a protein with itself" in events[0].text
    with pytest.raises(InputError, match=r"pairs.tsv, line 3: a protein that the model does not know.* Found: 'new'"):
        read_pairs_to_predict(write("pairs.tsv", "d b\n# no\nnew d\nd newer\n"), data, graph.proteins)


def test_new_proteins_with_features(read, write, sequences):
    data, graph = read(edges=EDGES, features=FEATURES, **sequences)
    path = write("pairs.csv", "d,b\na,new\n")
    ids, pairs = read_pairs_to_predict(path, data, graph.proteins)
    assert ids.tolist() == ["d|b", "a|new"]
    assert pairs.names.tolist() == [["d", "b"], ["a", "new"]]
    assert pairs.proteins.names.tolist() == ["a", "b", "c", "d", "new"]
    matrix = pairs.proteins.features.toarray()
    assert np.array_equal(matrix[:4], graph.proteins.features.toarray())
    assert matrix[4, :2].tolist() == [8, 8]
    assert matrix[4, -1] == 1
    assert np.isclose(np.exp(matrix[4, 2]), 141)
    with pytest.raises(InputError, match=r"line 2: a protein .* Found: 'unheard'.*--features"):
        read_pairs_to_predict(write("pairs.csv", "new,a\nunheard,b\n"), data, graph.proteins)
    fewer = data.model_copy(update={"features": None})
    with pytest.raises(InputError, match="2 features that the model was trained with are missing"):
        read_pairs_to_predict(write("pairs.csv", "new,a\n"), fewer, graph.proteins)


def test_single_proteins_to_predict(read, write):
    data, graph = read(edges=EDGES, node_labels="id,label\na,1\n", features=FEATURES)
    for content in ("b\na\nnew\n", "protein\nb\na\nnew\n", "x,id\n1,b\n2,a\n3,new\n", "# c\nb 5\na 6\nnew 7\n"):
        ids, single = read_proteins_to_predict(write("ask.txt", content), data, graph.proteins)
        assert ids.tolist() == ["b", "a", "new"]
        assert single.nodes.tolist() == [[1], [0], [4]]
        assert single.proteins.names[4] == "new"
        assert single.proteins.features[4].tolist() == [8, 8]
        assert len(single.proteins.graph) == 5
        assert np.array_equal(single.proteins.graph.edges, graph.proteins.graph.edges)
    with pytest.raises(InputError, match=r"line 2: a protein that the model does not know.* Found: 'q'"):
        read_proteins_to_predict(write("ask.txt", "b\nq\n"), data, graph.proteins)
    with pytest.raises(InputError, match="no proteins below"):
        read_proteins_to_predict(write("ask.txt", "protein\n"), data, graph.proteins)


def test_features_are_not_looked_for_where_the_model_has_none(read, write):
    data, graph = read(edges=EDGES)
    data = data.model_copy(update={"features": write("f.csv", FEATURES)})
    with pytest.raises(InputError, match="does not know"):
        read_pairs_to_predict(write("pairs.csv", "new,a\n"), data, Proteins(graph.proteins.names))
    assert read_features(GraphData(), ["a"]).matrix is None
