"""A corpus packed with all that training needs, for a machine with torch, numpy, transformers and safetensors alone."""

from __future__ import annotations

import ast
import importlib.util
import io
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from motet.model.text import default_folder
from motet.music.error import NotFoundError
from motet.training.corpus import report
from motet.training.corpus.pruning import prune
from motet.training.corpus.shard import Shard

ENTRY: Final = "motet.training.portable"
_SPLITS: Final = ("train", "valid")
_PROGRAM: Final = f"""\
\"\"\"Trains with torch, numpy, transformers and safetensors: python train.py corpus RUN_DIR --minutes M\"\"\"

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from {ENTRY} import main

if __name__ == "__main__":
    raise SystemExit(main())
"""


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What a pack holds.

    Args:
        modules: source files.
        words: word pieces of the text encoder.
        shard_bytes: size of the shards.
        encoder_bytes: size of the text encoder.
        bytes: size of the whole.
    """

    modules: int
    words: int
    shard_bytes: int
    encoder_bytes: int
    bytes: int


def pack(corpus: Path, out: Path, progress: Callable[[str], None]) -> Packed:
    """Writes ``train.py``, the modules that it imports, and ``corpus/`` with a text encoder into the tar file ``out``.

    The training and validation splits go in, the test split stays at home. Raises NotFoundError when ``corpus`` holds
    no corpus, UnavailableError when the text encoder is missing.
    """
    if not (corpus / report.FACTS).is_file():
        message = f"corpus_dir: must be a folder that `motet corpus build` wrote (received {str(corpus)!r})"
        raise NotFoundError("CORPUS_NOT_FOUND", message, {"field": "corpus_dir", "received": str(corpus)})
    captions = [
        caption.text
        for name in _SPLITS
        for shard in (Shard.open(corpus, name),)
        for index in range(len(shard))
        for caption in shard.captions(index)
    ]
    modules = closure(ENTRY)
    with tempfile.TemporaryDirectory(prefix="motet-pack-") as scratch:
        encoder = Path(scratch) / "text"
        progress(f"pruning the text encoder to {len(captions):,} captions")
        words = prune(default_folder(), captions, encoder)
        files = [path for name in _SPLITS for path in sorted((corpus / name).iterdir())]
        files += [corpus / "tokenizer" / "tokenizer.json", corpus / "sources.json", corpus / report.FACTS]
        with tarfile.open(out, "w") as archive:
            _add(archive, "train.py", _PROGRAM.encode())
            for name, path in sorted(modules.items()):
                _add(archive, _place(name, path), path.read_bytes())
            for path in files:
                _add(archive, f"corpus/{path.relative_to(corpus).as_posix()}", path.read_bytes())
            for path in sorted(encoder.iterdir()):
                _add(archive, f"corpus/text/{path.name}", path.read_bytes())
        encoder_bytes = sum(path.stat().st_size for path in encoder.iterdir())
    return Packed(
        modules=len(modules),
        words=words,
        shard_bytes=sum(path.stat().st_size for path in files),
        encoder_bytes=encoder_bytes,
        bytes=out.stat().st_size,
    )


def closure(entry: str) -> dict[str, Path]:
    """Name -> source file of a module and of all modules of ours that it imports, and they in turn."""
    found: dict[str, Path] = {}
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        spec = importlib.util.find_spec(name) if name not in found else None
        if spec is None or spec.origin is None:
            continue
        path = Path(spec.origin)
        found[name] = path
        parent = name.rpartition(".")[0]
        waiting += [parent, *_imports(path)] if parent else _imports(path)
    return found


def _imports(path: Path) -> list[str]:
    """The modules of ours that a source file may import, wherever in it."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.startswith("motet.") and _exists(name)]


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # "motet.music.score.DRUMS": its parent is a module and no package
        return False


def _place(name: str, path: Path) -> str:
    folders = name.replace(".", "/")
    return f"{folders}/__init__.py" if path.name == "__init__.py" else f"{folders}.py"


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    archive.addfile(member, io.BytesIO(content))
