"""Weight matrices in the order in which the kernels read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from motet.model.kernels import LANES, PAIRS, PANEL, QUADRUPLES
from motet.music.error import InvalidInputError, UnavailableError

Precision = Literal["float32", "bfloat16", "int8"]
PRECISIONS: Final = ("float32", "bfloat16", "int8")


class Matrices(NamedTuple):
    """Packed weight matrices [K, N], one behind the other; columns are filled up with zeros to whole panels.

    A matrix is ``panels`` times K lines of ``PANEL`` columns in ``words``: float32, bfloat16 (uint16), pairs of
    bfloat16 (uint32, K / 2 lines) or quadruples of int8 (K / 4 lines).
    """

    words: NDArray[Any]
    scale: NDArray[np.float32]  # of each column, int8 only, else empty
    shift: NDArray[np.int32]  # what counting the rows' bytes from 128 adds to each column, int8 only, else empty
    places: NDArray[np.int64]  # [matrices, 4] where each begins in words; its panels; its lines; its first column

    @property
    def nbytes(self) -> int:
        """Bytes read when every matrix is used once."""
        return self.words.nbytes + self.scale.nbytes + self.shift.nbytes


def whole_panels(columns: int) -> int:
    """``columns`` rounded up to whole panels."""
    return -(-columns // PANEL) * PANEL


def to_bfloat16(numbers: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Rounded to nearest even, as bits."""
    bits = np.ascontiguousarray(numbers).view(np.uint32)
    return np.asarray((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16), np.uint16)


def pack(weights: Sequence[NDArray[np.float32]], precision: Precision) -> Matrices:
    """Packs matrices [N, K].

    "float32" keeps every weight exactly, in 16 bits where all are bfloat16 already; "bfloat16" rounds weights and,
    where the machine multiplies pairs, rows; "int8" quantises both, one scale a column and a row.

    Raises UnavailableError for "int8" on a machine without such a product.
    """
    if precision not in PRECISIONS:
        raise InvalidInputError.of("precision", f"must be one of {', '.join(PRECISIONS)}", precision)
    if precision == "int8" and not QUADRUPLES:
        raise UnavailableError("PRECISION_UNAVAILABLE", 'precision "int8": this machine has no product of int8 (VNNI)')
    pairs = precision == "bfloat16" and PAIRS
    parts = 4 if precision == "int8" else 2 if pairs else 1
    filled = []
    for weight in weights:
        columns, depth = weight.shape
        filled.append(np.pad(weight, ((0, whole_panels(columns) - columns), (0, -depth % parts))))
    scale, shift = np.empty(0, np.float32), np.empty(0, np.int32)
    if precision == "int8":
        scales = [np.maximum(np.abs(one).max(axis=1), np.float32(1e-30)) / np.float32(127) for one in filled]
        whole = [np.rint(one / by[:, None]).astype(np.int8) for one, by in zip(filled, scales, strict=True)]
        scale = np.concatenate(scales).astype(np.float32)
        shift = np.concatenate([128 * one.sum(axis=1, dtype=np.int32) for one in whole]).astype(np.int32)
        parcels = [_panels(one.reshape(len(one), -1, 4)) for one in whole]
    elif pairs:
        parcels = [_panels(to_bfloat16(one).view(np.uint32)) for one in filled]
    elif precision == "bfloat16" or all(map(_is_bfloat16, filled)):
        # A word holds a column and the one that lies a vector further on.
        woven = [_panels(to_bfloat16(one)).reshape(-1, 2, LANES).swapaxes(1, 2) for one in filled]
        parcels = [np.ascontiguousarray(one) for one in woven]
    else:
        parcels = [_panels(one) for one in filled]
    starts = np.cumsum([0, *(parcel.size for parcel in parcels)])[:-1]
    columns_before = np.cumsum([0, *(len(one) for one in filled)])[:-1]
    places = [
        (start, len(one) // PANEL, one.shape[1] // parts, column)
        for start, one, column in zip(starts, filled, columns_before, strict=True)
    ]
    return Matrices(np.concatenate([parcel.ravel() for parcel in parcels]), scale, shift, np.array(places, np.int64))


def _panels(words: NDArray[Any]) -> NDArray[Any]:
    """[N, K, ...] to [panels, K, columns, ...]."""
    return np.ascontiguousarray(np.swapaxes(words.reshape(-1, PANEL, *words.shape[1:]), 1, 2))


def _is_bfloat16(numbers: NDArray[np.float32]) -> bool:
    return np.array_equal(to_bfloat16(numbers).astype(np.uint32) << 16, numbers.view(np.uint32))
