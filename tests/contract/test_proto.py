"""The .proto files are documented, and the committed Python code is what they generate."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROTO = Path(__file__).parents[2] / "proto"


def test_generated_code_is_up_to_date(tmp_path: Path) -> None:
    subprocess.run(
        [str(PROTO / "generate.sh"), str(tmp_path)], check=True, env={"PYTHON": sys.executable, "PATH": "/usr/bin:/bin"}
    )
    fresh = {path.name: path.read_text() for path in (tmp_path / "motet/v1").iterdir()}
    committed = {path.name: path.read_text() for path in (PROTO / "motet/v1").glob("*_pb2*")}
    assert sorted(fresh) == sorted(committed)
    stale = [name for name, text in fresh.items() if committed[name] != text]
    assert not stale, f"run proto/generate.sh: {stale} differ"


def test_buf_lint_is_clean() -> None:
    buf = shutil.which("buf", path=str(Path(sys.executable).parent)) or shutil.which("buf")
    if buf is None:
        pytest.skip("buf is not installed (pip install buf-bin)")
    done = subprocess.run([buf, "lint", str(PROTO)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
