"""Names for the columns of the arrays of `maestro`, the second cost model."""

# Dimensions: Y and X are input rows and columns, padding included. A GEMM has M, K, N in places N, K, C.
N, G, K, C, Y, X, R, S = range(8)
NDIM = 8
Y_OUT, X_OUT = 8, 9  # output rows and columns, in maps only

# Tensors
I, W, O = range(3)
NTENSOR = 3

MAX_LEVELS = 4

# layers: int64[*, LAYER_COLS]: the eight sizes (1 where a layer lacks the dimension), then
STRIDE_Y, STRIDE_X = 8, 9
COUPLED = 10  # 10, 11, 12: set of the dimensions that index I, W, O, bit d for dimension d
DIMS = 13  # set of the dimensions that the layer has
LAYER_COLS = 14

# machines: float64[*, MACHINE_COLS]
PES, SIMD = 0, 1
NOC_BW, NOC_LATENCY = 2, 3  # elements per cycle, cycles
OFFCHIP_BW = 4  # elements per cycle
MAC_PJ = 5
MACHINE_COLS = 6

# Dataflows: `maps` int8[*, MAX_LEVELS, 8], outermost first, a dimension each, + SPATIAL for spatial maps, -1
# after the last; `size` and `step` int64 of the same shape; `cluster` int64[*, MAX_LEVELS], sub-units of each
# level but the first, whose entry is not read; 0 = no such level.
# A size is a number or, with (d + 1) * PER_DIM added, that many elements more than dimension d has.
SPATIAL = 16
PER_DIM = 1 << 40

# counts: float64[*, COUNT_COLS]
LATENCY, ENERGY = 0, 1  # cycles, energies of one MAC
MACS, ACTIVE = 2, 3  # multiply-accumulates, mean of the PEs with work
L2_READ = 4  # 4, 5, 6: element accesses for I, W, O
L2_WRITE = 7
L1_READ = 10
L1_WRITE = 13
L2_NEED = 16  # 16, 17, 18: elements, double-buffered
L1_NEED = 19
PSUM_READ = 22  # the share of L2_READ of O that reads partial sums back
COUNT_COLS = 23

L1_ENERGY, L2_ENERGY = 1.68, 18.61  # one access, in energies of one MAC, see accelsim.mapping.maestro.machine

# status: int32
OK = 0
TOO_FEW_PES = 1  # the clusters group more PEs than there are
NO_SPLIT = 2  # a level without a spatial map, or with more than two
NO_KERNEL = 3  # output rows or columns mapped where the kernel is not
NO_WORK = 4  # the first step multiplies nothing
STUCK = 5  # the tool stops: a tile larger than the level above hands down, or a level without time
COUNT_OVER = 6  # a count exceeds 2^53
BAD_DIM = 7  # a dimension that the layer lacks, or one mapped twice
MAX_COUNT = 9007199254740992.0
