"""Reads the vocabulary out of a pickled miditok REMI tokenizer without running anything that the file says."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from motet.music.error import InvalidInputError

MAX_BYTES: Final = 16 * 2**20
"""The published file has 27 kB; one of another size is something else."""


class _Inert:
    """Stands in for an object of the pickle: takes any arguments and keeps its state as plain data."""

    def __init__(self, *_: object, **__: object) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


_NUMPY: Final = ("numpy.core", "numpy._core")  # before and since numpy 2

_KNOWN: Final[dict[tuple[str, str], Callable[..., Any]]] = {
    ("miditok.tokenizations.remi", "REMI"): _Inert,
    ("miditok.classes", "TokenizerConfig"): _Inert,
    ("numpy", "ndarray"): _Inert,
    ("numpy", "dtype"): _Inert,
    **{(f"{package}.multiarray", name): _Inert for package in _NUMPY for name in ("_reconstruct", "scalar")},
    **{(f"{package}.numeric", "_frombuffer"): _Inert for package in _NUMPY},
    ("builtins", "set"): set,
}


class _Reader(pickle.Unpickler):
    """Knows the few names that such a file needs, none of which does anything."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _KNOWN[module, name]
        except KeyError:
            rule = "the pickle must name nothing but a miditok REMI tokenizer and its parts"
            raise InvalidInputError.of("vocabulary", rule, f"{module}.{name}") from None


def read_vocabulary(path: Path) -> tuple[str, ...]:
    """The base tokens, such as ``"Pitch_60"``, by id.

    Raises InvalidInputError when the file is not a pickled REMI tokenizer, names anything that such a file does not
    need (nothing of it is imported or called), or holds learned merges.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise InvalidInputError.of("vocabulary", f"{path.name} must have at most {MAX_BYTES} bytes", size)
    try:
        tokenizer = _Reader(io.BytesIO(path.read_bytes())).load()
    except InvalidInputError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise InvalidInputError.of("vocabulary", "must be a pickle", path.name) from error
    state = tokenizer.state if isinstance(tokenizer, _Inert) else None
    base = state.get("_vocab_base") if isinstance(state, dict) else None
    if not isinstance(state, dict) or not isinstance(base, dict) or not base:
        raise InvalidInputError.of("vocabulary", "the pickle must be a tokenizer with a base vocabulary", path.name)
    if state.get("_vocab_learned_bytes_to_tokens"):
        raise InvalidInputError.of("vocabulary", "must have no learned merges", path.name)
    ids = {index: name for name, index in base.items() if isinstance(name, str) and type(index) is int}
    if sorted(ids) != list(range(len(base))):
        raise InvalidInputError.of("vocabulary", "must number its tokens from 0 without gaps", path.name)
    return tuple(ids[index] for index in range(len(ids)))
