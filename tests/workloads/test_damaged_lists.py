"""Layer lists that say something else than they seem to: one message with the place, nothing in silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim import AccelsimError, load_network
from accelsim.workloads import Layer
from tests.command import run
from tests.workloads.test_lists import COSA, MAESTRO, SCALESIM, TIMELOOP, ZIGZAG

HEAD, ROW = SCALESIM.splitlines()[:2]
TOPOLOGY = f"{HEAD}\n{ROW}\n"
CONFUCIUX = "K,C,Y,X,R,S,T\n32,3,224,224,3,3,1\n"
GEMM = "Layer, M, N, K\nq, 128, 2304, 768\n"

CSV = [
    (TOPOLOGY.replace(" 2,", " 0,"), "line 2: strides must be at least 1, but got 0"),
    (TOPOLOGY.replace(" 2,", " ,"), "line 2: strides is missing"),
    (TOPOLOGY.replace("Strides,", "").replace(" 2,", ""), "line 2: strides is missing"),
    (TOPOLOGY.replace("Strides", "Stride Height"), "line 2: stridewidth is missing"),
    (TOPOLOGY.replace(" 2,", " 2, 9, 9,"), "line 2: it has more cells than the header"),
    (TOPOLOGY.replace(" 2,", " 2, 9,"), "line 2: it has more cells than the header"),
    (TOPOLOGY.replace("Conv1,", "Conv, 1,"), "line 2: it has more cells than the header"),
    (TOPOLOGY.replace("Channels", "Num Filter"), "line 1: column 'numfilter' stands twice"),
    (
        TOPOLOGY.replace("Strides", "Stride, Dilation"),
        "line 1: column 'dilation' has no meaning in this table",
    ),
    (TOPOLOGY.replace("Strides", "Stride, Groups"), "line 1: column 'groups' has no meaning in this table"),
    (
        TOPOLOGY.replace("Channels", "Chanels"),
        "column 'chanels' has no meaning in this table; did you mean 'chan",
    ),
    (TOPOLOGY.replace("230", "٢٣٠"), "line 2: ifmapheight must be a whole number"),
    (TOPOLOGY.replace(" 3,", " -3,"), "line 2: channels must be a whole number, but got '-3'"),
    (TOPOLOGY.replace(" 3,", " 3.5,"), "line 2: channels must be a whole number, but got '3.5'"),
    (TOPOLOGY.replace(",", "\t"), r"line 1: cells must be separated by commas, but the header has '\\t'"),
    (TOPOLOGY.replace(",", ";"), "line 1: cells must be separated by commas, but the header has ';'"),
    (TOPOLOGY + HEAD, "line 3: ifmapheight must be a whole number, but got 'IFMAP Height'"),
    (ROW, "line 1: the header fits no known table"),
    ("\n" + ROW, "line 2: the header fits no known table"),
    (GEMM.replace("K", "K, B").replace("768", "768, 12"), "line 1: column 'b' has no meaning in this table"),
    (GEMM.replace(", 768", ""), "line 2: k is missing"),
    (
        CONFUCIUX.replace("T", "T,stride").replace("3,1", "3,1,0"),
        "line 2: strides must be at least 1, but got 0",
    ),
    (CONFUCIUX.replace(",1\n", "\n"), "line 2: t is missing"),
    (
        CONFUCIUX.replace("3,1\n", "3,2\n"),
        "line 2: a depthwise layer .t = 2. has a k of 1 or of c, 3, but got 32",
    ),
    (CONFUCIUX.replace("3,1\n", "3,3\n"), "line 2: a matrix product .t = 3. has x, r and s of 1"),
    (CONFUCIUX.replace("T", "G"), "line 1: column 'g' has no meaning in this table"),
]

PRODUCT = """problem:
  shape:
    name: gemm
    dimensions: [I, J, L]
    data-spaces:
    - {name: A, projection: [[[I]], [[L]]]}
    - {name: B, projection: [[[L]], [[J]]]}
    - {name: Z, projection: [[[I]], [[J]]], read-write: True}
  instance: {I: 100, J: 200, L: 300}
"""

YAML = [
    (
        COSA.replace("Hstride", "Hstrid"),
        "problem has a size 'Hstrid' that its shape does not have; did you mean",
    ),
    (COSA.replace("cnn-layer", "my-layer"), "problem.shape 'my-layer' stands in another file"),
    (COSA.replace("K: 64", "K: 64, M: 32"), "problem gives both K and M, which are the same"),
    (COSA.replace("K: 64", "K: 64, K: 32"), "line 1: 'K' stands twice in one mapping"),
    (COSA.replace("64", "010"), "line 1: write '010' as a plain decimal number"),
    (COSA.replace("64", "1:30"), "line 1: write '1:30' as a plain decimal number"),
    (COSA.replace("64", "yes"), "problem.K must be a whole number from 1 to 2147483647, but got True"),
    (COSA + "\n---\n" + COSA.replace("64", "0"), "document 2: problem.K must be a whole number"),
    (TIMELOOP.replace("R: 11, ", ""), "problem.instance does not give the size of R"),
    (
        TIMELOOP.replace("{C: 3", "{densities: {}, C: 3"),
        "a size 'densities' that its shape does not have; price it",
    ),
    (TIMELOOP.replace("{C: 3", "{T: 9, C: 3"), "problem has a size 'T' that its shape does not have"),
    (
        TIMELOOP.replace("N, P, Q]", "N, P, Q, T]").replace("{C", "{T: 9, C"),
        "index 'T' has a size, but no operand",
    ),
    (TIMELOOP.replace("[[[N]], [[C]]", "[[[N]], [[C]], [[M]]"), None),
    (
        TIMELOOP.replace("[[[C]], [[M]], [[R]], [[S]]]", "'[C, M, R, S]'"),
        "the projection of 'Weights' must be a list",
    ),
    (TIMELOOP.replace("[P, Wstride]]", "[R, Wstride]]"), "is no sum of an output index and a kernel index"),
    (PRODUCT.replace("[[[L]], [[J]]]", "[[[J]]]"), "index 'L' is summed over in one operand alone"),
    (ZIGZAG.replace("[fy][fx]", "[fy][fz]", 1), r"\[0\]: index 'fz' has no size"),
    (ZIGZAG.replace("O[b][g][k]", "O[b][g]", 1), r"\[0\]: index 'k' is summed over in one operand alone"),
    (
        ZIGZAG.replace("[B, K, G", "[B, T, K, G").replace("[2, 8", "[2, 7, 8"),
        r"\[0\]: index 't' has a size, but no",
    ),
    (ZIGZAG.replace("OY, FY]", "OY, OY]"), r"\[0\]: OY has two sizes"),
    (ZIGZAG.replace("2*ox", "0*ox", 1), r"\[0\]: 0\*ox\+1\*fx must have factors of at least 1"),
    (ZIGZAG.replace("loop_sizes", "loop_size"), r"\[0\]: unknown key 'loop_size'; did you mean 'loop_sizes'"),
]

M = [
    (
        MAESTRO.replace("X: 2", "X: -2"),
        "line 4: layer CONV1: Stride X must be a number or a Constant, but got '-2'",
    ),
    (MAESTRO.replace("X: 2", "X: 0"), "layer CONV1: Stride must be at least 1, but got X: 0, Y: 2"),
    (MAESTRO.replace("X: 2, ", ""), "layer CONV1: Stride must give both X and Y"),
    (
        MAESTRO.replace("C: 3", "C: 3.5"),
        "layer CONV1: Dimensions C must be a number or a Constant, but got '3.5'",
    ),
    (MAESTRO.replace("C: 3", "C: 3, C: 5"), "layer CONV1: Dimensions C stands twice"),
    (MAESTRO.replace("C: 3", "C: 3, B: 5"), "layer CONV1: Dimensions has no 'B'"),
    (MAESTRO.replace("C: 3", "C: 3, M: 5"), "layer CONV1: a CONV has no dimension M"),
    (MAESTRO.replace("Stride {", "Strides {"), "'Strides' is no part of a layer; did you mean 'Stride'"),
    (MAESTRO.replace("Stride {", "Padding { X: 1 } Stride {"), "'Padding' is no part of a layer"),
    (MAESTRO.replace("Stride { X: 2, Y: 2 }", "Stride: 2"), "Stride must be a list in braces"),
    (MAESTRO.replace("X: 225", "X: 225, X' 7"), "layer CONV1: X = 225 makes 112 outputs, but X' is 7"),
    (MAESTRO.replace("F 3;", "F 3.5;"), "line 2: Constant F must be a number or a Constant, but got '3.5'"),
    (MAESTRO.replace("F 3;", "F 3; Constant F 5;"), "line 2: Constant F stands twice"),
    (
        MAESTRO.replace("C 32", "K 7, C 32"),
        "layer DW: a DSCONV makes a channel of each: K must be 1 or 32, but is 7",
    ),
    (MAESTRO.replace("M: 10", "M: 10, C: 4"), "layer FC: a GEMM has no dimension C; known: M, N, K"),
    (MAESTRO.replace("Layer G", "Layers G"), "line 8: expected Layer NAME { ... }, got 'Layers'"),
    (MAESTRO.replace("layer */", "layer"), "line 9: expected Layer NAME"),
    (MAESTRO + MAESTRO.partition("\n")[2].partition("\n")[2], "expected Constant or one Network"),
]

DAMAGED = [("csv", *x) for x in CSV] + [("yaml", *x) for x in YAML] + [("m", *x) for x in M]


@pytest.mark.parametrize(
    ("suffix", "text", "message"), DAMAGED, ids=[f"{x[0]}{i}" for i, x in enumerate(DAMAGED)]
)
def test_one_message_with_the_place(suffix, text, message, tmp_path):
    if suffix == "yaml":
        pytest.importorskip("yaml")
    path = tmp_path / f"list.{suffix}"
    path.write_text(text, encoding="utf-8")
    if message is None:  # M in the inputs too makes it groups
        assert load_network(path).layers[0].G == 96
        return
    with pytest.raises(AccelsimError, match=message) as fault:
        load_network(path)
    assert str(fault.value).startswith(f"{path}: ")


def test_the_command_ends_with_code_2(tmp_path, capsys):
    path = tmp_path / "list.csv"
    path.write_text(CSV[0][0])
    code, out, err = run(capsys, "evaluate", "example", str(path))
    assert (code, out) == (2, "")
    assert "line 2: strides must be at least 1" in err


def test_what_texts_may_differ_in(tmp_path):
    """A mark of byte order, ends of lines, empty lines, quotes, comments, zeros after a point."""
    same = [
        TOPOLOGY, "\ufeff" + TOPOLOGY, TOPOLOGY.replace("\n", "\r\n"), "\n" + TOPOLOGY + "\n\n",
        TOPOLOGY.replace("Conv1", '"Conv1"'), TOPOLOGY.replace(ROW, "# a note\n" + ROW),
        TOPOLOGY.replace("230", "230.0"), TOPOLOGY.upper().replace("CONV1", "Conv1"),
    ]  # fmt: skip
    for k, text in enumerate(same):
        path = tmp_path / f"{k}.csv"
        path.write_bytes(text.encode())
        assert load_network(path).layers == (Layer.conv2d(K=64, C=3, P=113, Q=113, R=7, S=7, stride=2),)
        assert load_network(path).names == ("Conv1",)


@given(order=st.permutations(range(8)))
def test_columns_in_any_order(order, tmp_path_factory):
    rows = [[x.strip() for x in line.rstrip(",").split(",")] for line in (HEAD, "c, 50, 100, 3, 5, 6, 7, 2")]
    path = tmp_path_factory.mktemp("list") / "list.csv"
    path.write_text("\n".join(",".join(row[i] for i in order) for row in rows))
    assert load_network(path).layers == (Layer.conv2d(K=7, C=6, P=25, Q=49, R=3, S=5, stride=2),)


@pytest.mark.parametrize("letters", ["MNK", "IJL", "KMN"])
def test_a_matrix_product_under_any_letters(letters, tmp_path):
    pytest.importorskip("yaml")
    path = tmp_path / "p.yaml"
    path.write_text(PRODUCT.translate(str.maketrans(dict(zip("IJL", letters)))))
    assert load_network(path).layers == (Layer.gemm(M=100, N=200, K=300),)


def test_a_coefficient_left_out_has_its_default(tmp_path):
    pytest.importorskip("yaml")
    path = tmp_path / "p.yaml"
    path.write_text(
        TIMELOOP.replace("Wstride, default: 1", "Wstride, default: 3").replace("Wstride: 4, ", "")
    )
    assert load_network(path).layers[0].stride == (3, 2)
