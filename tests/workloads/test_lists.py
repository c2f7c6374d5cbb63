"""Layer lists of other tools, against the layers that they mean."""

import re

import pytest

from accelsim import load_network
from accelsim.errors import AccelsimError
from accelsim.workloads import Layer
from tests.command import run

SCALESIM = """Layer name,IFMAP Height,IFMAP Width,Filter Height,Filter Width,Channels,Num Filter,Strides,
Conv1, 230, 230, 7, 7, 3, 64, 2,
Conv2, 58, 58, 3, 3, 64, 128, 2,

FC, 1, 1, 1, 1, 2048, 1000, 1,
"""
PRODUCTS = "Layer, M, N, K,\nqkv, 128, 2304, 768,\nout, 128, 768, 768,\n"
CONFUCIUX = "K,C,Y,X,R,S,T\n32,3,224,224,3,3,1\n1,32,114,114,3,3,2\n128,768,64,1,1,1,3\n"

TIMELOOP = """
problem:
  version: 0.4
  shape:
    name: Conv Layer
    dimensions: [C, M, R, S, N, P, Q]
    coefficients: [{name: Wstride, default: 1}, {name: Hstride, default: 1}]
    data-spaces:
    - name: Weights
      projection: [[[C]], [[M]], [[R]], [[S]]]
    - name: Inputs
      projection: [[[N]], [[C]], [[R, Wdilation], [P, Wstride]], [[S, Hdilation], [Q, Hstride]]]
    - name: Outputs
      projection: [[[N]], [[M]], [[Q]], [[P]]]
  instance: {C: 3, M: 96, R: 11, S: 5, N: 2, P: 54, Q: 27, Wstride: 4, Hstride: 2, Wdilation: 1, Hdilation: 3}
"""
COSA = "problem: {C: 3, K: 64, N: 1, P: 112, Q: 112, R: 7, S: 7, Hstride: 2, Wstride: 2, shape: cnn-layer}"

ZIGZAG = """
- id: 0
  name: conv
  operator_type: Conv
  equation: O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]
  dimension_relations: [ix=2*ox+1*fx, iy=1*oy+3*fy]
  loop_dims: [B, K, G, OX, C, FX, OY, FY]
  loop_sizes: [2, 8, 4, 10, 3, 5, 12, 7]
  operand_source: {I: 0, W: 0}
- id: 1
  operator_type: MatMul
  equation: O[a][b]+=I[a][c]*W[c][b]
  dimension_relations: []
  loop_dims: [A, B, C]
  loop_sizes: [104, 96, 80]
- id: 2
  operator_type: Pooling
  equation: O[b][g][oy][ox]+=W[fx][fy]*I[b][g][iy][ix]
  dimension_relations: [ix=2*ox+1*fx, iy=2*oy+1*fy]
  loop_dims: [B, G, OY, OX, FY, FX]
  loop_sizes: [1, 64, 56, 56, 3, 3]
- id: 3
  operator_type: Add
  equation: O[b][g][oy][ox]=W[b][g][oy][ox]+I[b][g][oy][ox]
  dimension_relations: []
  loop_dims: [B, G, OY, OX]
  loop_sizes: [1, 64, 28, 28]
- id: 4
  operator_type: MatMul
  equation: O[b][h][m][n]+=I[b][h][m][k]*W[b][h][k][n]
  loop_dims: [B, H, M, N, K]
  loop_sizes: [1, 12, 128, 128, 64]
"""

REVERSED = """
- id: 0
  operator_type: Conv
  equation: O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]
  dimension_relations: [ox=1*ix+1*fx, oy=1*iy+1*fy]
  loop_dims: [B, K, C, IY, IX, FY, FX]
  loop_sizes: [1, 8, 1, 5, 5, 3, 3]
"""

MAESTRO = """
Constant F 3; // the filter
Network tiny {
  Layer CONV1 { Type: CONV Stride { X: 2, Y: 2 } Dimensions { K: 64, C: 3, R: F, S: F, Y: 225, X: 225 }
    Dataflow { SpatialMap(1,1) K; TemporalMap(64,64) C; } }
  Layer DW { Type: DSCONV
    Dimensions { C 32, R 3, S 3, Y' 14, X' 14 } }
  Layer G { Type: NGCONV Dimensions { G: 2, K: 4, C: 8, R: 1, S: 1, Y: 7, X: 7 } }
  /* a fully connected
     layer */
  Layer FC { Type: GEMM Dimensions { M: 10, N: 20, K: 30 } }
}
"""

LISTS = [
    ("csv", SCALESIM, [
        Layer.conv2d(K=64, C=3, P=113, Q=113, R=7, S=7, stride=2),  # rounded up, as the tool does
        Layer.conv2d(K=128, C=64, P=29, Q=29, R=3, S=3, stride=2),
        Layer.conv2d(K=1000, C=2048, P=1, Q=1),
    ]),
    ("csv", PRODUCTS, [Layer.gemm(M=128, N=2304, K=768), Layer.gemm(M=128, N=768, K=768)]),
    ("csv", CONFUCIUX, [
        Layer.conv2d(K=32, C=3, P=222, Q=222, R=3, S=3),
        Layer.depthwise(C=32, P=112, Q=112),
        Layer.gemm(M=128, K=768, N=64),
    ]),
    ("yaml", TIMELOOP, [
        Layer.conv2d(N=2, K=96, C=3, P=54, Q=27, R=11, S=5, stride=(4, 2), dilation=(1, 3))
    ]),
    ("yml", COSA, [Layer.conv2d(K=64, C=3, P=112, Q=112, R=7, S=7, stride=2)]),
    ("yaml", ZIGZAG, [
        Layer.conv2d(N=2, G=4, K=8, C=3, P=12, Q=10, R=7, S=5, stride=(1, 2), dilation=(3, 1)),
        Layer.gemm(M=104, N=96, K=80),
        Layer.pool(C=64, P=56, Q=56, R=3, S=3, stride=2),
        Layer.eltwise(C=64, P=28, Q=28),
        Layer.gemm(batch=12, M=128, N=128, K=64),
    ]),
    ("m", MAESTRO, [
        Layer.conv2d(K=64, C=3, P=112, Q=112, R=3, S=3, stride=2),
        Layer.depthwise(C=32, P=14, Q=14),
        Layer.conv2d(G=2, K=4, C=8, P=7, Q=7),
        Layer.gemm(M=10, N=20, K=30),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("suffix", "text", "layers"), LISTS, ids=range(len(LISTS)))
def test_lists_mean_their_layers(suffix, text, layers, tmp_path):
    if suffix.startswith("y"):
        pytest.importorskip("yaml")
    path = tmp_path / f"list.{suffix}"
    path.write_text(text)
    net = load_network(path)
    assert list(net.layers) == layers
    assert net.macs == sum(x.macs for x in layers)


def test_names_are_kept(tmp_path):
    path = tmp_path / "topology.csv"
    path.write_text(SCALESIM)
    assert load_network(path).names == ("Conv1", "Conv2", "FC")
    assert load_network(path).name == "topology"


def test_axes_of_timeloops_own_shape_follow_its_strides(tmp_path):
    pytest.importorskip("yaml")
    path = tmp_path / "p.yaml"
    path.write_text(
        "problem: {C: 4, K: 8, P: 10, Q: 20, R: 3, S: 3, Wstride: 2, Hstride: 1, shape: cnn-layer}"
    )
    assert load_network(path).layers[0].stride == (2, 1)


@pytest.mark.parametrize(
    ("suffix", "text", "message"),
    [
        ("csv", "", "the table is empty"),
        ("csv", "a,b\n1,2\n", "line 1: the header fits no known table"),
        ("csv", "Layer, M, N, K\n", "a header but no layers"),
        ("csv", "Layer, M, N, K\nx, 1, two, 3\n", "line 2: n must be a whole number, but got 'two'"),
        ("csv", SCALESIM.replace("58, 58, 3", "2, 58, 3"), "line 3: the input's height 2 is smaller"),
        ("csv", CONFUCIUX.replace("3,3,2", "3,3,7"), r"line 3: t must be 1 \(convolution\), 2"),
        ("yaml", "problem: 3", "problem must be a mapping, but got 3"),
        ("yaml", "problem: {P: 0}", "problem.P must be a whole number from 1"),
        ("yaml", "x: [", "not YAML"),
        ("yaml", "- {id: 0}", r"\[0\] must be a layer with an equation"),
        ("yaml", ZIGZAG.replace("[104, 96, 80]", "[104, 96]"), r"\[1\]: loop_dims and loop_sizes"),
        ("yaml", REVERSED, r"\[0\]: index 'oy' has no size in loop_dims; relations must give input indices"),
        ("yaml", "a: 1", "neither a Timeloop problem"),
        ("m", "Layer x {}", "line 1: expected Constant or one Network { ... }, got 'Layer'"),
        ("m", MAESTRO.replace("DSCONV", "DSCON"), "line 6: layer DW: Type 'DSCON'; did you mean 'DSCONV'"),
        ("m", MAESTRO.replace("K: 4, ", ""), "layer G: dimension K is missing"),
        ("m", MAESTRO.replace("R: F", "R: H"), "CONV1: Dimensions R must be a number or a Constant, but got"),
    ],
)  # fmt: skip
def test_faults_name_the_place(suffix, text, message, tmp_path):
    if suffix == "yaml":
        pytest.importorskip("yaml")
    path = tmp_path / f"list.{suffix}"
    path.write_text(text)
    with pytest.raises(AccelsimError, match=message) as fault:
        load_network(path)
    assert str(fault.value).startswith(str(path))


def test_an_absent_list():
    with pytest.raises(AccelsimError, match=re.escape("absent.csv: cannot be read: No such file")):
        load_network("absent.csv")


def test_evaluate_reads_them(tmp_path, capsys):
    path = tmp_path / "list.csv"
    path.write_text(PRODUCTS)
    code, out, _ = run(capsys, "evaluate", "edgetpu", str(path), "--mapper", "template", "--csv")
    assert code == 0
    assert [line.split(",")[0] for line in out.splitlines()[1:]] == ["qkv", "out"]
