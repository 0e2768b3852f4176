"""Builds the wheel and uses it as a stranger would: alone, in a clean environment, from another folder.

Run by ``make test``. Ends with status 1 and one line for every rule that the wheel breaks.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Iterator, Sequence
from email.parser import Parser
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
ROOTS = ("proto", "music", "model", "rewards", "search", "server", "training", "clients/python")
LIGHT = {"motet", "grpcio", "protobuf", "typing_extensions"}  # all that `pip install motet` may bring
BUILD_PRODUCTS = ("__pycache__", ".nbi", ".nbc", ".pyc", ".DS_Store")

# Every module of the wheel, and the weights in it, with all extras installed; none may come from the checkout.
IMPORT_ALL = """
import importlib, sys
from pathlib import Path
target = Path(sys.argv[1])
for name in sys.argv[2:]:
    file = importlib.import_module(name).__file__
    assert file and Path(file).is_relative_to(target), f"{name} came from {file}, not from the wheel"
from motet.model.checkpoint import Checkpoint
print(Checkpoint.load().version)
"""


def run(command: Sequence[str | Path], folder: Path, *, expect: int | None = 0, path: Path | None = None) -> str:
    """Runs ``command`` in ``folder`` and gives what it printed; any exit status but ``expect`` ends the program."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if expect is not None and done.returncode != expect:
        shown = " ".join(map(str, command))
        raise SystemExit(f"{done.stdout}wheel: status {done.returncode} instead of {expect} from: {shown}")
    return done.stdout


def broken_rules(wheel: zipfile.ZipFile) -> Iterator[str]:
    """Yields one line for everything in the wheel that should not be there, or that is missing from it."""
    names = set(wheel.namelist())
    packed = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    for name in sorted(packed):
        if not name.startswith("motet/") or "test" in Path(name).stem.split("_") or "/tests/" in name:
            yield f"{name} does not belong in the wheel"
        if any(mark in name for mark in BUILD_PRODUCTS):
            yield f"{name} is a build product"
    for root in ROOTS:
        sources = REPOSITORY / root
        portions = [folder for folder in (sources / "motet").iterdir() if any(folder.glob("*.py"))]
        for portion in portions:
            if f"motet/{portion.name}/py.typed" not in names:
                yield f"motet/{portion.name}/py.typed is missing"
        for source in (sources / "motet").rglob("*"):  # code, weights and tables alike
            name = source.relative_to(sources).as_posix()
            if source.is_file() and name not in names and not any(mark in name for mark in BUILD_PRODUCTS):
                yield f"{name} is missing"
    if not any(name.startswith("motet/model/") and name.endswith(".safetensors") for name in names):
        yield "the default weights are missing"
    metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
    required = Parser().parsestr(wheel.read(metadata).decode()).get_all("Requires-Dist", [])
    for requirement in required:
        if "extra ==" not in requirement and not requirement.startswith(("grpcio>", "protobuf>")):
            yield f"{requirement} must be in an extra"


def modules(wheel: zipfile.ZipFile) -> list[str]:
    """The dotted names of the wheel's modules; ``__main__`` files are left out, since importing one runs it."""
    sources = [Path(name) for name in wheel.namelist() if name.startswith("motet/") and name.endswith(".py")]
    dotted = {".".join(source.with_suffix("").parts).removesuffix(".__init__") for source in sources}
    return sorted(name for name in dotted if not name.endswith(".__main__"))


def check_light(wheel: Path, folder: Path) -> None:
    """Installs the wheel with no extras in a new environment, and uses the client and the command from there."""
    home = folder / "light"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    run([python, "-m", "pip", "install", "-q", "-c", REPOSITORY / "constraints.txt", wheel], folder)
    listed = run([python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"], folder)
    installed = {line.split("==")[0] for line in listed.splitlines() if "==" in line} - {"pip", "setuptools"}
    if installed != LIGHT:
        raise SystemExit(f"wheel: `pip install motet` must bring {sorted(LIGHT)}, and brought {sorted(installed)}")
    run([python, "-I", "-c", "import motet.client, motet.v1, motet.v1.search_service_pb2_grpc"], folder)
    command = home / "bin" / "motet"
    shown = run([command, "--help"], folder)
    if "generate" not in shown:
        raise SystemExit(f"wheel: `motet --help` does not list generate:\n{shown}")
    run([command, "generate", "--help"], folder)
    # Nobody listens on port 1: one line and a status other than 0, never a traceback.
    refused = run(
        [command, "generate", "a waltz", "--server", "127.0.0.1:1", "-o", folder / "w.mid"], folder, expect=None
    )
    if "Traceback" in refused or len(refused.strip().splitlines()) != 1:
        raise SystemExit(f"wheel: `motet generate` with no server must say so in one line:\n{refused}")


def main() -> int:
    """Builds, inspects, installs and imports the wheel; 0 when every rule holds."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        run([*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, REPOSITORY], folder)
        (wheel,) = folder.glob("motet-*.whl")
        with zipfile.ZipFile(wheel) as opened:
            complaints = list(broken_rules(opened))
            names = modules(opened)
        if complaints:
            sys.stderr.write("".join(f"wheel: {line}\n" for line in complaints))
            return 1
        check_light(wheel, folder)
        target = folder / "complete"
        run([*pip, "install", "-q", "--no-deps", "--target", target, wheel], folder)
        run([sys.executable, "-c", IMPORT_ALL, target, *names], folder, path=target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
