import gzip

import networkx as nx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from primase.bio import delimited
from primase.bio.edge_lists import EdgeOptions, read_edges, read_pairs
from primase.errors import ConfigurationError, ReadError

TABLE = "protein_a\tprotein_b\tscore\nYAL1\tYBR2\t0.9\nYBR2\tYAL1\t0.1\nYCR3\tYCR3\t1\nYAL1\tYDL4\t0.5\n"


def written(tmp_path, content, name="graph.txt"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def edges_of(tmp_path, content, **options):
    return read_edges(written(tmp_path, content), EdgeOptions(**options))


def links(edges):
    return {frozenset(edges.names[pair]) for pair in edges.pairs.tolist()}


def without_header(text):
    return text.split("\n", 1)[1]


@pytest.mark.parametrize(
    "content",
    [
        TABLE,
        TABLE.replace("\t", ","),
        TABLE.replace("\t", ";"),
        TABLE.replace("\t", " , "),
        TABLE.replace("\t", " "),
        TABLE.replace("\t", " \t  ").replace("\n", "  \n  "),
        without_header(TABLE),
        TABLE.replace("\n", "\r\n"),
        TABLE.replace("\n", "\r"),
        "\ufeff" + TABLE,
        "\ufeff" + without_header(TABLE) + "# the end\n",
        TABLE.rstrip("\n"),
        TABLE + "\n\n",
        "# a comment\n" + TABLE,
        TABLE.replace("YCR3\tYCR3", "\n  # one more\nYCR3\tYCR3"),
        "#" + TABLE,
        gzip.compress(TABLE.encode(), mtime=0),
        TABLE.replace("\t", ",").replace("YAL1", '"YAL1"'),
        '"' + TABLE.replace("\n", '"\n"').replace("\t", '"\t"').removesuffix('"'),
        TABLE.replace("\t", ",").replace("\n", ",\n"),
        # With row names, as R and pandas write them.
        without_header(TABLE).join(["protein_a protein_b score\n", ""]).replace("\t", " ").replace("\nY", "\nrow Y"),
        ("\t" + TABLE).replace("\nY", "\n7\tY"),
    ],
)
def test_all_ways_to_write_a_table(tmp_path, content):
    edges = edges_of(tmp_path, content)
    assert edges.names.tolist() == ["YAL1", "YBR2", "YCR3", "YDL4"]
    assert edges.pairs.tolist() == [[0, 1], [0, 3]]
    counts = edges.counts
    assert (counts.rows, counts.self_loops, counts.repeated, counts.below_threshold) == (4, 1, 1, 0)


@pytest.mark.parametrize(
    ("content", "taken", "said"),
    [
        ("protein1 protein2\na b\nc d\n", True, "words"),
        ("source,target\na,b\n", True, "words"),
        ("GeneA\tGeneB\na\tb\n", True, "words"),
        ("x y strength\na b 1\nc d 2\n", True, "'strength' stands above numbers"),
        ("x y\n1 2\n2 3\n", True, "stands above numbers"),
        ("u v label\na b 1\n", True, "'label' names a column"),
        ("a b\nc d\n", False, "(a, b)"),
        ("a b 1\nc d 2\n", False, "(a, b, 1)"),
        ("1 2\n2 3\n", False, "(1, 2)"),
        ("node1 node2\nnode2 node3\nnode1 node3\n", False, "(node1, node2)"),
        ("a b interaction\nc d interaction\n", False, "(a, b, interaction)"),
        ("a b NA\nc d 2\n", False, "(a, b, NA)"),
    ],
)
def test_whether_the_first_line_names_columns(tmp_path, content, taken, said):
    edges = edges_of(tmp_path, content)
    assert edges.header.taken is taken
    assert said in edges.header.text
    assert edges.counts.rows == content.count("\n") - taken


names = st.text("abcXYZ019._-:|", min_size=1, max_size=6).filter(lambda name: not name.isdigit())
rows = st.lists(st.tuples(names, names), min_size=1, max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows, st.sampled_from(["\t", ",", "  "]), st.booleans(), st.integers(10, 60))
def test_any_graph_is_read_as_networkx_makes_it(tmp_path, rows, separator, with_comments, block):
    graph = nx.Graph(rows)
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    lines = ["source" + separator + "target", *(separator.join(row) for row in rows)]
    if with_comments:
        lines = [text for line in lines for text in ("# comment", "", line)]
    path = written(tmp_path, "\n".join(lines) + "\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(delimited, "_BLOCK_BYTES", block)
        pairs = read_pairs(path)
        assert [*zip(pairs.first, pairs.second, strict=True)] == rows
        assert [tuple(lines[line - 1].split(separator)) for line in pairs.lines] == rows
        if graph.number_of_edges():
            edges = read_edges(path)
            assert edges.names.tolist() == list(dict.fromkeys(name for row in rows for name in row))
            assert links(edges) == {frozenset(edge) for edge in graph.edges}
            assert len(edges.pairs) == graph.number_of_edges()
            counts = edges.counts
            assert counts.rows == len(rows) == counts.self_loops + counts.repeated + len(edges.pairs)


STRING = "protein1 protein2 neighborhood combined_score\n9.A 9.B 0 900\n9.B 9.A 0 900\n9.A 9.C 3 150\n9.C 9.D 0 700\n"


def test_links_of_string_with_a_least_score(tmp_path):
    edges = edges_of(tmp_path, STRING, minimum_score=700)
    assert edges.kind == "STRING links"
    assert links(edges) == {frozenset({"9.A", "9.B"}), frozenset({"9.C", "9.D"})}
    assert (edges.counts.rows, edges.counts.below_threshold, edges.counts.repeated) == (4, 1, 1)
    assert len(edges_of(tmp_path, STRING).pairs) == 3


def test_columns_are_chosen_by_name_or_number(tmp_path):
    text = "id,left,right,weight\n1,a,b,0.5\n2,c,d,0.1\n"
    options = {"score_column": "weight", "minimum_score": 0.3}
    for pair in (("left", "right"), ("2", "3")):
        assert links(edges_of(tmp_path, text, pair_columns=pair, **options)) == {frozenset("ab")}
    bare = without_header(text)
    assert links(edges_of(tmp_path, bare, pair_columns=("2", "3"), score_column="4")) == set(
        map(frozenset, ("ab", "cd"))
    )
    paired = text.replace("left", "source").replace("right", "target")
    assert links(edges_of(tmp_path, paired)) == set(map(frozenset, ("ab", "cd")))


def test_links_stay_in_the_order_and_direction_of_the_file(tmp_path):
    edges = edges_of(tmp_path, "a b\nd c\nc a\nb a\n")
    assert edges.names.tolist() == ["a", "b", "d", "c"]
    assert edges.pairs.tolist() == [[0, 1], [2, 3], [3, 0]]


BIOGRID = (
    "#BioGRID Interaction ID",
    "Systematic Name Interactor A",
    "Systematic Name Interactor B",
    "Official Symbol Interactor A",
    "Official Symbol Interactor B",
    "Experimental System Type",
    "Score",
    "Organism Name Interactor A",
    "Organism Name Interactor B",
)


def biogrid(*rows):
    return "".join("\t".join(row) + "\n" for row in (BIOGRID, *rows))


def interaction(a, b, kind="physical", organisms=("yeast", "yeast"), score="-"):
    symbols = (a.lower() or "x", b.lower() or "y")
    return ("1", a or "-", b or "-", *symbols, kind, score, *organisms)


def test_biogrid_by_evidence(tmp_path):
    text = biogrid(interaction("A", "B"), interaction("A", "C", "genetic"), interaction("B", "A"))
    edges = edges_of(tmp_path, text)
    assert edges.kind == "BioGRID tab3"
    assert edges.header.taken
    assert edges.names.tolist() == ["A", "B"]
    assert (edges.counts.rows, edges.counts.other_evidence, edges.counts.repeated) == (3, 1, 1)
    assert "systematic names." in edges.remarks[1]
    assert links(edges_of(tmp_path, text, evidence="genetic")) == {frozenset("AC")}
    assert len(edges_of(tmp_path, text, evidence="all").pairs) == 2
    assert links(edges_of(tmp_path, text.removeprefix("#"))) == {frozenset("AB")}
    chosen = edges_of(tmp_path, text, pair_columns=("Official Symbol Interactor A", "5"))
    assert links(chosen) == {frozenset("ab")}


def test_biogrid_names(tmp_path):
    rows = [interaction(f"P{number}", "P0") for number in range(1, 30)]
    few = edges_of(tmp_path, biogrid(*rows, interaction("", "P0")))
    assert {"P0", "P1", "x"} <= {*few.names}
    assert "where they have none" in few.remarks[1]
    many = edges_of(tmp_path, biogrid(*rows[:4], *[interaction("", "P0")] * 3))
    assert {*many.names} == {"p0", "p1", "p2", "p3", "p4", "x"}
    assert "official symbols" in many.remarks[1]


def test_biogrid_organisms_and_missing_columns(tmp_path):
    edges = edges_of(tmp_path, biogrid(interaction("A", "B"), interaction("A", "C", organisms=("yeast", "human"))))
    assert "2 organisms: yeast (3), human (1)" in edges.remarks[2]
    with pytest.raises(ReadError, match="no column 'Experimental System Type'"):
        edges_of(tmp_path, biogrid(interaction("A", "B")).replace("System Type", "Thing"))
    with pytest.raises(ReadError, match="3 interactions, none of them genetic"):
        edges_of(tmp_path, biogrid(*[interaction("A", "B")] * 3), evidence="genetic")


@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph])
def test_graphml_as_networkx_writes_it(tmp_path, kind):
    graph = nx.gnm_random_graph(12, 20, seed=1, directed=kind is nx.DiGraph)
    graph = nx.relabel_nodes(graph, {node: f"p & {node}" for node in graph})
    graph.add_node("alone")
    graph.add_edge("p & 1", "p & 1")
    for number, (_, _, attributes) in enumerate(graph.edges(data=True)):
        attributes["weight"] = number / 10
    nx.write_graphml_xml(graph, tmp_path / "graph.graphml")
    edges = read_edges(tmp_path / "graph.graphml")
    expected = nx.Graph(graph)
    expected.remove_edge("p & 1", "p & 1")
    assert edges.names.tolist() == list(graph)
    assert links(edges) == {frozenset(edge) for edge in expected.edges}
    assert edges.counts.self_loops == 1
    assert any("direction" in remark for remark in edges.remarks) == (kind is nx.DiGraph)
    some = read_edges(tmp_path / "graph.graphml", EdgeOptions(score_column="weight", minimum_score=1.5))
    assert some.counts.below_threshold == sum(weight < 1.5 for *_, weight in graph.edges(data="weight"))


def test_graphml_nodes_with_names(tmp_path):
    graph = nx.Graph([("n0", "n1"), ("n1", "n2")])
    for node in graph:
        graph.nodes[node]["name"] = node.replace("n", "YAL")
    nx.write_graphml_xml(graph, tmp_path / "g.xml")
    edges = read_edges(tmp_path / "g.xml")
    assert edges.names.tolist() == ["YAL0", "YAL1", "YAL2"]
    assert "attribute 'name'" in edges.remarks[0]
    graph.nodes["n1"]["name"] = "YAL0"
    nx.write_graphml_xml(graph, tmp_path / "g.xml")
    assert read_edges(tmp_path / "g.xml").names.tolist() == ["n0", "n1", "n2"]


def test_graphml_nodes_stay_in_order(tmp_path):
    graph = nx.Graph()
    graph.add_nodes_from("zyxab")
    graph.add_edges_from(["bz", "xb", "ya"])
    nx.write_graphml_xml(graph, tmp_path / "g.xml")
    edges = read_edges(tmp_path / "g.xml")
    assert "".join(edges.names) == "zyxab"
    assert links(edges) == set(map(frozenset, ("bz", "xb", "ya")))


GRAPHML = (
    '<graphml><graph edgedefault="undirected"><node id="a"/><node id="b"/>\n<edge source="a" {}/></graph></graphml>'
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GRAPHML.format(""), r"line 2: a edge without 'target'"),
        (GRAPHML.format('target="b"')[:-3], r"not well-formed XML"),
        ("<svg/>", r"XML, but not GraphML. Found: <svg>"),
        ('<!DOCTYPE g [<!ENTITY x "boom">]>' + GRAPHML.format('target="&x;"'), r"declares an XML entity"),
        (GRAPHML.format('target="a"'), r"no link between two different"),
    ],
)
def test_broken_graphml(tmp_path, content, message):
    with pytest.raises(ReadError, match=message):
        edges_of(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", {}, "the file is empty"),
        ("# nothing\n\n", {}, "comments only"),
        ("protein_a\tprotein_b\n", {}, "no rows below the column names"),
        ("YAL1\nYBR2\n", {}, r"line 1: there is one column.*Found: YAL1\."),
        ("a\tb\nc\n", {}, r"line 2: a row with too few cells. Found: 1: c. Accepted: 2 cells separated by tabs"),
        ("a,b\nc,d\ne,f,g\n", {}, r"line 3: a row with too many cells"),
        ("a,b\nc,d\n,f\n", {}, r"line 3: a name is missing in column 1"),
        ("a b\na c\nmy own name\n", {}, r"line 3: a row with too many cells"),
        ("a b 1\nc d x\n", {"score_column": "3"}, r"line 2: a score that is no number in column 3. Found: 'x'"),
        ("a b 1\nc d nan\n", {"score_column": "3"}, r"line 2: a score that is no number"),
        (
            STRING.replace("150", "high"),
            {"minimum_score": 1},
            r"line 4: a score that is no number in column combined_score. Found: 'high'",
        ),
        ("a,b,,\nc,d,,\n", {"score_column": "3"}, r"line 1: a score .* Found: an empty cell"),
        ("gene,node\na,b\n", {"pair_columns": ("gene", "prey")}, r"no column 'prey'. Found: the columns gene, node"),
        ("a,b\nc,d\n", {"pair_columns": ("p", "q")}, r"no column 'p'.* the first line names none"),
        ("a,b\nc,d\n", {"minimum_score": 1}, r"no column of scores is named. .*--score-column"),
        (STRING, {"minimum_score": 1000}, r"no link is left. Found: 4 links with scores from 150 to 900"),
        ("a a\na a\n", {}, r"a graph with one protein has no pair. Found: the protein a only"),
        ("a a\nb b\n", {}, r"no link between two different proteins"),
        ("a b x 1\nc d x 1\ne f x 1 9\n", {}, r"line 3: a row with too many cells. Found: 5: e f x 1 9"),
        ("a b x 1\nc d\ne f x 1 9 9\n", {}, r"line 2: a row with too few cells"),
        (b"a b\x00\n", {}, "not text"),
    ],
)
def test_bad_input_is_named(tmp_path, content, options, message):
    with pytest.raises(ReadError, match=message) as caught:
        edges_of(tmp_path, content, **options)
    assert str(tmp_path / "graph.txt") in str(caught.value)


def test_options_that_make_no_pair():
    with pytest.raises(ConfigurationError, match="two different columns"):
        EdgeOptions(pair_columns=("a", "a"))


def test_pairs_are_left_as_they_are(tmp_path):
    pairs = read_pairs(written(tmp_path, TABLE), EdgeOptions(minimum_score=5))
    assert pairs.first.tolist() == ["YAL1", "YBR2", "YCR3", "YAL1"]
    assert pairs.second.tolist() == ["YBR2", "YAL1", "YCR3", "YDL4"]
    assert pairs.lines.tolist() == [2, 3, 4, 5]
    assert len(pairs) == 4
    assert np.array_equal(read_pairs(written(tmp_path, "a a\n")).first, ["a"])
