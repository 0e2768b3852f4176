"""Compiled decoding step of the transformer, on packed weights and a paged cache.

A step multiplies few rows (1 to 32) with matrices that lie in the processor's cache; libraries made for large products
lose there to packing and dispatch. Here a matrix is packed once, in panels of ``PANEL`` columns, and a tile of at most
``_MAX_ROWS`` rows stays in registers while a panel streams through. Sums run over the depth in order, however many rows
there are, so that what a row yields does not depend, to the last bit, on the rows beside it.

The type of a packed matrix says what is computed:

- float32: float32 throughout.
- uint16: matrix in bfloat16, rows and sums in float32; exact where the weights are bfloat16 already.
- uint32: pairs of bfloat16 in matrix and rows, sums in float32 (AVX512-BF16).
- int8: quadruples of int8 in the matrix and of uint8 in the rows, one scale a row and a column (VNNI).

A row is one token of one sequence; several rows may belong to the same sequence (a prefix) when they are in order. A
page of the cache holds ``PANEL`` tokens of all layers: [L, G, 2, C' * PANEL] numbers, C' being C filled up to whole
panels. Keys lie channel by channel, [C, PANEL], values token by token in panels of channels, [C' / PANEL, PANEL,
PANEL]: both are panels, so attention is two products with the pages where they lie.

All of it is one file because numba's disk cache looks for changes in the caller's file only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar, cast

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import numba
import numpy as np
from llvmlite import ir
from numba import extending
from numba.core import cgutils, types
from numpy.typing import NDArray

P = ParamSpec("P")
R = TypeVar("R")

_FEATURES: Final = {name for name, present in llvm.get_host_cpu_features().items() if present}
LANES: Final = 16 if "avx512f" in _FEATURES else 8 if "avx" in _FEATURES else 4
"""float32 numbers in a vector register."""
_MANY_REGISTERS: Final = "avx512f" in _FEATURES or "neon" in _FEATURES  # 32 instead of 16
VECTORS: Final = 4 if _MANY_REGISTERS else 2
PANEL: Final = VECTORS * LANES
"""Columns of a panel."""
PAIRS: Final = LANES == 16 and "avx512bf16" in _FEATURES
"""Whether the machine multiplies pairs of bfloat16."""
QUADRUPLES: Final = (LANES == 16 and "avx512vnni" in _FEATURES) or (LANES == 8 and "avxvnni" in _FEATURES)
"""Whether the machine multiplies quadruples of int8."""
_MAX_ROWS: Final = 6  # a tile's sums, 6 x 4 or 6 x 2 vectors, leave registers for the panel and one number


def _kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compiles on first call and caches on disk; frees other threads meanwhile."""
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def _part(function: Callable[P, R]) -> Callable[P, R]:
    """Like ``_kernel``, for other kernels only: compiles faster without a door to Python."""
    options: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function))


def _reduction(function: Callable[P, R]) -> Callable[P, R]:
    """Like ``_kernel``, for sums whose order the compiler may choose once and for all."""
    flags = {"reassoc", "contract", "nsz", "nnan"}
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=flags)(function))


def _intrinsic(function: Callable[..., Any]) -> Any:
    """A function of compiled code that writes its own LLVM."""
    return extending.intrinsic(function)


_FLOAT, _INT = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(ir.IntType(32), LANES)


def _word(index: int) -> ir.Constant:
    return ir.Constant(ir.IntType(64), index)


class _Emitter:
    """Writes loads, stores and calls of one tile."""

    def __init__(self, context: Any, builder: Any) -> None:
        self.context, self.builder = context, builder

    def pointer(self, array_type: Any, array: Any, offset: Any) -> Any:
        """Address of element ``offset`` of an array."""
        return self.builder.gep(self.context.make_array(array_type)(self.context, self.builder, array).data, [offset])

    def at(self, base: Any, offset: Any, kind: ir.VectorType) -> Any:
        """A vector's address, ``offset`` elements behind ``base``."""
        return self.builder.bitcast(self.builder.gep(base, [offset]), kind.as_pointer())

    def load(self, base: Any, offset: Any, kind: ir.VectorType) -> Any:
        """A vector that need not be aligned."""
        return self.builder.load(self.at(base, offset, kind), align=1)

    def spread(self, number: Any) -> Any:
        """A vector that repeats one number."""
        empty = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
        first = self.builder.insert_element(empty, number, ir.Constant(ir.IntType(32), 0))
        return self.builder.shuffle_vector(first, empty, ir.Constant(_INT, [0] * LANES))

    def call(self, name: str, kind: ir.VectorType, *operands: Any) -> Any:
        """An LLVM intrinsic of vectors."""
        signature = ir.FunctionType(kind, [operand.type for operand in operands])
        module = self.builder.module
        function = cgutils.get_or_insert_function(module, signature, name)  # type: ignore[no-untyped-call]
        return self.builder.call(function, operands)

    def multiply_add(self, kind: Any, total: Any, number: Any, weights: Any) -> Any:
        """``total + number * weights``, over all parts of a word."""
        if kind == types.int8:
            return self.call(f"llvm.x86.avx512.vpdpbusd.{LANES * 32}", _INT, total, number, weights)
        if kind == types.uint32:
            return self.call("llvm.x86.avx512bf16.dpbf16ps.512", _FLOAT, total, number, weights)
        return self.call(f"llvm.fmuladd.v{LANES}f32", _FLOAT, number, weights, total)

    def weights(self, kind: Any, panel: Any, depth: Any) -> list[Any]:
        """One line of a panel."""
        parts = 4 if kind == types.int8 else 1
        line = self.builder.mul(depth, _word(PANEL * parts))
        loaded: list[Any] = []
        if kind == types.uint16:  # a word holds a column and the one that is a vector further on
            for vector in range(0, VECTORS, 2):
                words = self.load(panel, self.builder.add(line, _word(vector * LANES)), _INT)
                low = self.builder.shl(words, ir.Constant(_INT, [16] * LANES))
                high = self.builder.and_(words, ir.Constant(_INT, [-65536] * LANES))
                loaded += [self.builder.bitcast(low, _FLOAT), self.builder.bitcast(high, _FLOAT)]
            return loaded
        form = _FLOAT if kind == types.float32 else _INT
        for vector in range(VECTORS):
            loaded.append(self.load(panel, self.builder.add(line, _word(vector * LANES * parts)), form))
        return loaded

    def tile(self, kind: Any, step: _Tile, height: int) -> None:
        """Adds ``height`` rows times a panel to the output; leaves the builder after the loop."""
        builder, integer = self.builder, kind == types.int8
        form = _INT if integer else _FLOAT
        cells = [(row, vector) for row in range(height) for vector in range(VECTORS)]
        places = [
            self.at(step.out, builder.add(builder.mul(step.out_step, _word(row)), _word(vector * LANES)), _FLOAT)
            for row, vector in cells
        ]
        zero = ir.Constant(_INT, [0] * LANES)
        start = [zero if integer else builder.load(place, align=4) for place in places]

        before, loop, after = builder.block, builder.append_basic_block("depth"), builder.append_basic_block("sums")
        builder.cbranch(builder.icmp_signed(">", step.depth, _word(0)), loop, after)
        builder.position_at_end(loop)
        index = builder.phi(ir.IntType(64))
        sums = [builder.phi(form) for _ in cells]
        weights = self.weights(kind, step.panel, index)
        grown = []
        for row in range(height):
            place = builder.add(builder.mul(step.row_step, _word(row)), index)
            number = self.spread(builder.load(builder.gep(step.rows, [place])))
            row_sums = sums[row * VECTORS : (row + 1) * VECTORS]
            grown += [
                self.multiply_add(kind, total, number, weight) for total, weight in zip(row_sums, weights, strict=True)
            ]
        following = builder.add(index, _word(1))
        builder.cbranch(builder.icmp_signed("<", following, step.depth), loop, after)
        index.add_incoming(_word(0), before)
        index.add_incoming(following, loop)

        builder.position_at_end(after)
        totals = [builder.phi(form) for _ in cells]
        for cell in range(len(cells)):
            for phi in (sums[cell], totals[cell]):
                phi.add_incoming(start[cell], before)
                phi.add_incoming(grown[cell], loop)
        for (row, vector), place, total in zip(cells, places, totals, strict=True):
            if integer:
                shift = self.load(step.shifts, _word(vector * LANES), _INT)
                row_scale = self.spread(builder.load(builder.gep(step.row_scales, [_word(row)])))
                scale = builder.fmul(row_scale, self.load(step.scales, _word(vector * LANES), _FLOAT))
                moved = builder.sitofp(builder.sub(total, shift), _FLOAT)
                total = self.multiply_add(types.float32, builder.load(place, align=4), moved, scale)
            builder.store(total, place, align=4)


class _Tile(NamedTuple):
    """LLVM values of one tile: addresses, and steps in elements."""

    rows: Any
    row_step: Any
    row_scales: Any
    panel: Any
    scales: Any
    shifts: Any
    depth: Any
    out: Any
    out_step: Any


@_intrinsic
def _add_tile(  # type: ignore[no-untyped-def]
    _context, x, x_at, x_step, x_scale, row, w, w_at, w_scale, w_shift, column, depth, y, y_at, y_step, height
):
    """``y[r, c] += sum over k < depth of x[r, k] * w[k, c]`` for 1 to ``_MAX_ROWS`` rows r and ``PANEL`` columns c."""
    kind, place = w.dtype, types.int64
    signature = types.void(
        x, place, place, x_scale, place, w, place, w_scale, w_shift, place, place, y, place, place, place
    )

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        emit, types_of = _Emitter(context, builder), signature.args
        x, x_at, x_step, x_scale, row, w, w_at, w_scale, w_shift, column, depth, y, y_at, y_step, height = values
        step = _Tile(
            rows=emit.pointer(types_of[0], x, x_at),
            row_step=x_step,
            row_scales=emit.pointer(types_of[3], x_scale, row),
            panel=emit.pointer(types_of[5], w, w_at),
            scales=emit.pointer(types_of[7], w_scale, column),
            shifts=emit.pointer(types_of[8], w_shift, column),
            depth=depth,
            out=emit.pointer(types_of[11], y, y_at),
            out_step=y_step,
        )
        builder.call(_tile_function(context, builder.module, kind, step, height), [*step, height])
        return context.get_dummy_value()

    return signature, generate


def _tile_function(context: Any, module: Any, kind: Any, step: _Tile, height: Any) -> Any:
    """The function of a tile, one for a module: kept out of line, or every caller would be compiled for minutes."""
    name = f"motet.tile.{kind}"
    if name in module.globals:
        return module.globals[name]
    signature = ir.FunctionType(ir.VoidType(), [value.type for value in (*step, height)])
    function = ir.Function(module, signature, name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    blocks = [builder.append_basic_block(f"rows{rows}") for rows in range(1, _MAX_ROWS + 1)]
    choice = builder.switch(function.args[-1], blocks[-1])
    for rows, block in enumerate(blocks, 1):
        choice.add_case(_word(rows), block)
        builder.position_at_end(block)
        _Emitter(context, builder).tile(kind, _Tile(*function.args[:-1]), rows)
        builder.ret_void()
    return function


@_part
def _add_rows(x, x_at, x_step, x_scale, rows, w, w_at, w_scale, w_shift, column, depth, y, y_at, y_step):  # type: ignore[no-untyped-def]
    """Adds ``rows`` rows times one panel to ``y``; arrays are flat, ``_at`` is where, ``_step`` leads to the next."""
    row = 0
    while row < rows:
        tiles = (rows - row + _MAX_ROWS - 1) // _MAX_ROWS
        height = (rows - row + tiles - 1) // tiles  # tiles about equally high
        _add_tile(
            x, x_at + row * x_step, x_step, x_scale, row, w, w_at, w_scale, w_shift, column, depth,
            y, y_at + row * y_step, y_step, height,
        )  # fmt: skip
        row += height


@_intrinsic
def _bits_of(_context, number):  # type: ignore[no-untyped-def]
    """The bits of a float32, as uint32."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.bitcast(values[0], ir.IntType(32))

    return types.uint32(types.float32), generate


@_intrinsic
def _number_of(_context, bits):  # type: ignore[no-untyped-def]
    """The float32 that has these bits, given as int32."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.bitcast(values[0], ir.FloatType())

    return types.float32(types.int32), generate


@_part
def _rounded(number):  # type: ignore[no-untyped-def]
    """The upper 16 bits of a float32, to nearest even: a bfloat16."""
    bits = _bits_of(number)
    return np.uint32((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))


@_reduction
def _quantise(line, size, out):  # type: ignore[no-untyped-def]
    """Writes ``line`` [:size] as bytes around 128; returns their scale."""
    bits: Any = 1  # compared as integers, because that compiles to vector code
    for index in range(size):
        bits = max(bits, np.int32(_bits_of(line[index]) & np.uint32(0x7FFFFFFF)))
    largest = max(_number_of(np.int32(bits)), np.float32(1e-30))
    inverse = np.float32(127) / largest
    for index in range(size):
        out[index] = np.int32(line[index] * inverse + np.float32(128.5))
    return largest / np.float32(127)


def _packed_rows(
    source: NDArray[np.float32], depth: int, words: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Rows [n, K] as ``depth`` words each of the kind that a matrix asks for, flat; one scale a row for int8."""
    raise NotImplementedError("exists in compiled code only")


@extending.overload(_packed_rows)
def _choose_packing(source, depth, words):  # type: ignore[no-untyped-def]
    if words.dtype in (types.float32, types.uint16):
        return _as_they_are
    return _pairs if words.dtype == types.uint32 else _quadruples


def _as_they_are(source, depth, words):  # type: ignore[no-untyped-def]
    return source.reshape(-1), np.empty(0, np.float32)


def _pairs(source, depth, words):  # type: ignore[no-untyped-def]
    rows = len(source)
    out = np.zeros((rows, depth), np.uint32)
    for row in range(rows):
        line = source[row]
        for index in range(min(depth, len(line) // 2)):
            out[row, index] = _rounded(line[2 * index]) | (_rounded(line[2 * index + 1]) << np.uint32(16))
    return out.reshape(-1), np.empty(0, np.float32)


def _quadruples(source, depth, words):  # type: ignore[no-untyped-def]
    rows = len(source)
    out, scales = np.zeros((rows, 4 * depth), np.uint8), np.empty(rows, np.float32)
    for row in range(rows):
        scales[row] = _quantise(source[row], min(4 * depth, source.shape[1]), out[row])
    return out.view(np.uint32).reshape(-1), scales


@_kernel
def _add_product(source, words, scale, shift, places, number, out):  # type: ignore[no-untyped-def]
    """``out += source @ weights`` with one of packed matrices.

    Args:
        source: [n, at least K].
        words, scale, shift, places: the matrices (``motet.model.matrix``).
        number: of the matrix among them.
        out: [n, whole panels].
    """
    at, panels, depth, column = places[number, 0], places[number, 1], places[number, 2], places[number, 3]
    rows = len(source)
    numbers, row_scales = _packed_rows(source, depth, words)
    total = out.reshape(-1)
    step = depth * PANEL * (1 if len(scale) == 0 else 4)  # only int8 has scales
    for panel in range(panels):
        _add_rows(
            numbers, 0, len(numbers) // rows, row_scales, rows, words, at + panel * step, scale, shift,
            column + panel * PANEL, depth, total, panel * PANEL, out.shape[1],
        )  # fmt: skip


def _put(pool: NDArray[Any], at: int, column: int, number: float) -> None:
    """Writes one column of a line of a panel into the flat pool."""
    raise NotImplementedError("exists in compiled code only")


@extending.overload(_put)
def _choose_put(pool, at, column, number):  # type: ignore[no-untyped-def]
    return _put_whole if pool.dtype == types.float32 else _put_half


def _put_whole(pool, at, column, number):  # type: ignore[no-untyped-def]
    pool[at + column] = number


def _put_half(pool, at, column, number):  # type: ignore[no-untyped-def]
    pair, rest = column // (2 * LANES), column % (2 * LANES)
    pool[at + pair * 2 * LANES + 2 * (rest % LANES) + rest // LANES] = np.uint16(_rounded(number))


@_part
def _write_token(block, offset, key, value):  # type: ignore[no-untyped-def]
    """Writes key and value [C] of one token into a page's block [2, C' * PANEL] of one layer and group."""
    keys, values = block[0], block[1]
    for channel in range(len(key)):
        _put(keys, channel * PANEL, offset, key[channel])
        panel, column = channel // PANEL, channel % PANEL
        _put(values, (panel * PANEL + offset) * PANEL, column, value[channel])


@_kernel
def write_memory(pool, pages, keys, values):  # type: ignore[no-untyped-def]
    """Writes keys and values [L, G, S, C] of a memory into its pages."""
    layers, groups, length, _ = keys.shape
    for token in range(length):
        page = pages[token // PANEL]
        for layer in range(layers):
            for group in range(groups):
                _write_token(
                    pool[page, layer, group], token % PANEL, keys[layer, group, token], values[layer, group, token]
                )


@_kernel
def exponential(x):  # type: ignore[no-untyped-def]
    """e**x of a float32 to 4 units in the last place, x held within -87 to 88; vector code, which libm's is not.

    Cephes' polynomial (Moshier, 1989) after splitting off a power of two.
    """
    x = min(max(x, np.float32(-87)), np.float32(88))
    power = np.int32(x * np.float32(1.44269504) + np.float32(128.5)) - np.int32(128)
    n = np.float32(power)
    r = x - n * np.float32(0.693359375) - n * np.float32(-2.12194440e-4)
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    return (p * r * r + r + np.float32(1)) * _number_of(np.int32((power + np.int32(127)) << np.int32(23)))


@_reduction
def _normalize(states, weights, place, out):  # type: ignore[no-untyped-def]
    """Root mean square normalisation of rows [n, D']; the columns beyond D become 0."""
    width, weight = weights.shape[1], weights[place]
    for row in range(len(states)):
        source, target = states[row], out[row]
        total = np.float32(0)
        for index in range(width):
            total += source[index] * source[index]
        scale = np.float32(1) / np.sqrt(total / np.float32(width) + np.float32(1e-6))
        for index in range(width):
            target[index] = source[index] * scale * weight[index]
        for index in range(width, len(target)):
            target[index] = np.float32(0)


@_reduction
def _soften(scores, length, scale):  # type: ignore[no-untyped-def]
    """Turns ``scores`` [:length] into exp(scale * (score - largest)); returns one over their sum."""
    largest = scores[0]
    for index in range(length):
        largest = max(largest, scores[index])
    total = np.float32(0)
    for index in range(length):
        scores[index] = exponential((scores[index] - largest) * scale)
        total += scores[index]
    return np.float32(1) / total


@_part
def _attend(pool, pages, length, layer, query, channels, scores, out):  # type: ignore[no-untyped-def]
    """One token's queries [H * C] over ``length`` positions; adds to ``out`` [H * C'].

    Args:
        scores: room for [H / G, whole pages].
    """
    _, _, groups, _, size = pool.shape
    flat, line = pool.reshape(-1), scores.reshape(-1)
    scales, shifts = np.empty(0, np.float32), np.empty(0, np.int32)  # pages have none
    heads, spread = len(scores), size // PANEL
    used = (length + PANEL - 1) // PANEL
    scale = np.float32(1) / np.sqrt(np.float32(channels))
    for group in range(groups):
        first = group * heads
        for head in range(heads):
            for index in range(used * PANEL):
                scores[head, index] = np.float32(0)
        for index in range(used):
            block = ((pages[index] * pool.shape[1] + layer) * groups + group) * 2 * size
            _add_rows(
                query, first * channels, channels, scales, heads, flat, block, scales, shifts, 0, channels,
                line, index * PANEL, scores.shape[1],
            )  # fmt: skip
        for head in range(heads):
            weight = _soften(scores[head], length, scale)
            for index in range(length):
                scores[head, index] *= weight
        for index in range(used):
            block = ((pages[index] * pool.shape[1] + layer) * groups + group) * 2 * size + size
            depth = min(PANEL, length - index * PANEL)
            for panel in range(spread // PANEL):
                _add_rows(
                    line, index * PANEL, scores.shape[1], scales, heads, flat, block + panel * PANEL * PANEL, scales,
                    shifts, 0, depth, out, first * spread + panel * PANEL, spread,
                )  # fmt: skip


@_part
def _rotate(numbers, cos, sin):  # type: ignore[no-untyped-def]
    """Turns one head's channels [C] in place (halves layout)."""
    half = len(cos)
    for index in range(half):
        a, b = numbers[index], numbers[half + index]
        numbers[index] = a * cos[index] - b * sin[index]
        numbers[half + index] = b * cos[index] + a * sin[index]


@_reduction
def log_softmax(logits):  # type: ignore[no-untyped-def]
    """Normalises rows [n, V] of logits to log-probabilities, in place."""
    for row in range(len(logits)):
        line = logits[row]
        largest = line[0]
        for index in range(len(line)):
            largest = max(largest, line[index])
        total = np.float32(0)
        for index in range(len(line)):
            total += exponential(line[index] - largest)
        shift = largest + np.log(total)
        for index in range(len(line)):
            line[index] -= shift


@_part
def _gather(source, rows, out):  # type: ignore[no-untyped-def]
    for row in range(len(rows)):
        for index in range(out.shape[1]):
            out[row, index] = source[rows[row], index]


@_part
def _clear(out):  # type: ignore[no-untyped-def]
    for row in range(out.shape[0]):
        for index in range(out.shape[1]):
            out[row, index] = np.float32(0)


@_part
def _write(qkv, slots, positions, tables, layer, pool, cos, sin, heads):  # type: ignore[no-untyped-def]
    """Turns queries and keys to their positions; keys and values go into the cache."""
    groups, channels = pool.shape[2], 2 * cos.shape[1]
    for row in range(len(qkv)):
        position, line = positions[row], qkv[row]
        for head in range(heads + groups):
            _rotate(line[head * channels : (head + 1) * channels], cos[position], sin[position])
        page = tables[slots[row], position // PANEL]
        for group in range(groups):
            key, value = (heads + group) * channels, (heads + groups + group) * channels
            block = pool[page, layer, group]
            _write_token(block, position % PANEL, line[key : key + channels], line[value : value + channels])


@_part
def _attend_all(pool, tables, slots, lengths, layer, query, channels, heads, out):  # type: ignore[no-untyped-def]
    """All rows' attention, each over the first ``lengths`` [n] positions of its slot's pages."""
    share = heads // pool.shape[2]
    longest = 0
    for row in range(len(lengths)):
        longest = max(longest, lengths[row])
    scores = np.empty((share, (longest + PANEL - 1) // PANEL * PANEL), np.float32)
    for row in range(len(query)):
        _attend(pool, tables[slots[row]], lengths[row], layer, query[row], channels, scores, out[row])


@_part
def _gate(both, out):  # type: ignore[no-untyped-def]
    """SwiGLU: the first half of each row through SiLU, times the second."""
    hidden = out.shape[1]
    for row in range(len(both)):
        source, target = both[row], out[row]
        for index in range(hidden):
            gate = source[index]
            target[index] = gate / (np.float32(1) + exponential(-gate)) * source[hidden + index]


@_kernel
def decode(  # type: ignore[no-untyped-def]
    tokens, slots, positions, wanted, logits,
    embedding, norms, cos, sin, words, scale, shift, places, heads,
    pool, tables, memories, memory_lengths,
):  # fmt: skip
    """Runs ``n`` tokens through the network and writes their keys and values into the cache.

    Args:
        tokens, slots, positions: [n]; the pages of every position exist and belong to that slot alone.
        wanted: [w] rows whose logits are asked for.
        logits: [w, whole panels], zero; receives them.
        embedding: [V, D'], D' being the width D filled up to whole panels.
        norms: [3 L + 1, D] before self-attention, cross-attention, feed-forward; before the head.
        cos, sin: [T, C / 2] of the rotary angles.
        words, scale, shift, places: ``Matrices``, for each layer: queries, keys and values; their output; queries to
            the memory; their output; gate and up; down; and at last the head. Outputs have C' rows a head.
        heads: H.
        pool: [pages, L, G, 2, C' * PANEL] of float32 or bfloat16 (uint16).
        tables, memories: [slots, pages] of each sequence and of the memory that it attends to, in order.
        memory_lengths: [slots].
    """
    rows, layers, channels = len(tokens), pool.shape[1], 2 * cos.shape[1]
    states = np.empty((rows, embedding.shape[1]), np.float32)
    _gather(embedding, tokens, states)
    normal = np.empty((rows, embedding.shape[1]), np.float32)
    attended = np.empty((rows, heads * (pool.shape[4] // PANEL)), np.float32)
    lengths, crossed = np.empty(rows, np.int64), np.empty(rows, np.int64)
    for row in range(rows):
        lengths[row], crossed[row] = positions[row] + 1, memory_lengths[slots[row]]
    qkv = np.empty((rows, places[0, 1] * PANEL), np.float32)
    query = np.empty((rows, places[2, 1] * PANEL), np.float32)
    both = np.empty((rows, places[4, 1] * PANEL), np.float32)
    gated = np.empty((rows, places[4, 1] * PANEL // 2), np.float32)
    for layer in range(layers):
        place = 6 * layer
        _normalize(states, norms, 3 * layer, normal)
        _clear(qkv)
        _add_product(normal, words, scale, shift, places, place, qkv)
        _write(qkv, slots, positions, tables, layer, pool, cos, sin, heads)
        _clear(attended)
        _attend_all(pool, tables, slots, lengths, layer, qkv, channels, heads, attended)
        _add_product(attended, words, scale, shift, places, place + 1, states)

        _normalize(states, norms, 3 * layer + 1, normal)
        _clear(query)
        _add_product(normal, words, scale, shift, places, place + 2, query)
        _clear(attended)
        _attend_all(pool, memories, slots, crossed, layer, query, channels, heads, attended)
        _add_product(attended, words, scale, shift, places, place + 3, states)

        _normalize(states, norms, 3 * layer + 2, normal)
        _clear(both)
        _add_product(normal, words, scale, shift, places, place + 4, both)
        _gate(both, gated)
        _add_product(gated, words, scale, shift, places, place + 5, states)
    chosen = np.empty((len(wanted), states.shape[1]), np.float32)
    _gather(states, wanted, chosen)
    _normalize(chosen, norms, 3 * layers, chosen)
    _add_product(chosen, words, scale, shift, places, 6 * layers, logits)
