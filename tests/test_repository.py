"""What must hold of the repository as a whole: layout, wiring, pins, and what may never be committed."""

from __future__ import annotations

import ast
import importlib
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
ROOTS = [REPOSITORY / root for root in PROJECT["tool"]["hatch"]["build"]["dev-mode-dirs"]]
PORTIONS = [folder for root in ROOTS for folder in sorted((root / "motet").iterdir()) if any(folder.glob("*.py"))]
ENTRY_POINTS: dict[str, dict[str, str]] = {
    "console_scripts": PROJECT["project"]["scripts"],
    **PROJECT["project"].get("entry-points", {}),
}
TARGETS = [(group, name, target) for group, entries in ENTRY_POINTS.items() for name, target in entries.items()]


def repository_files() -> list[Path]:
    """Everything that is, or would be, committed."""
    git = shutil.which("git")
    if git is None or not (REPOSITORY / ".git").exists():
        pytest.skip("needs git and a checkout")
    listed = subprocess.run(
        [git, "-C", str(REPOSITORY), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return [path for name in listed.split("\0") if name and (path := REPOSITORY / name).is_file()]


def sources() -> Iterator[Path]:
    """The Python files of the package, generated ones left out."""
    for portion in PORTIONS:
        yield from (path for path in sorted(portion.rglob("*.py")) if "_pb2" not in path.name)


def pins() -> dict[str, Version]:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def needed(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> Iterator[Requirement]:
    """Every requirement that installing ``name[extras]`` on this Python leads to."""
    key = (canonicalize_name(name), extras)
    if key in seen:
        return
    seen.add(key)
    for line in distribution(name).requires or []:
        requirement = Requirement(line)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": e}) for e in {"", *extras}):
            yield requirement
            yield from needed(requirement.name, frozenset(requirement.extras), seen)


def make_targets() -> set[str]:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))


class TestLayout:
    def test_motet_is_a_namespace_package(self) -> None:
        assert [path for root in ROOTS for path in root.glob("motet/__init__.py")] == []

    @pytest.mark.parametrize("portion", PORTIONS, ids=lambda portion: portion.name)
    def test_every_portion_is_typed(self, portion: Path) -> None:
        assert (portion / "py.typed").is_file()

    def test_every_portion_is_built_and_checked(self) -> None:
        names = [root.relative_to(REPOSITORY).as_posix() for root in ROOTS]
        assert PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == [f"{name}/motet" for name in names]
        assert set(names) <= set(PROJECT["tool"]["mypy"]["mypy_path"].split(":"))
        assert set(PROJECT["tool"]["importlinter"]["root_packages"]) == {f"motet.{folder.name}" for folder in PORTIONS}

    def test_modules_are_named_by_what_they_own(self) -> None:
        assert [
            path for path in sources() if path.stem in {"utils", "util", "helpers", "helper", "common", "misc"}
        ] == []

    def test_generated_code_has_its_proto_file(self) -> None:
        generated = (REPOSITORY / "proto").rglob("*_pb2*.py*")
        orphans = [path for path in generated if not path.with_name(path.name.split("_pb2")[0] + ".proto").is_file()]
        assert [path for path in orphans if "__pycache__" not in path.parts] == []


class TestEntryPoints:
    @pytest.mark.parametrize(("group", "name", "target"), TARGETS, ids=[f"{g}:{n}" for g, n, _ in TARGETS])
    def test_target_exists(self, group: str, name: str, target: str) -> None:
        module, _, attribute = target.partition(":")
        assert callable(getattr(importlib.import_module(module), attribute))

    def test_every_register_function_is_wired(self) -> None:
        written = {
            ".".join(path.relative_to(portion.parent.parent).with_suffix("").parts) + ":register"
            for portion in PORTIONS
            for path in portion.rglob("*.py")
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef) and node.name == "register" and node.args.args[0].arg == "subparsers"
        }
        assert written == set(ENTRY_POINTS.get("motet.commands", {}).values())

    def test_listing_the_commands_imports_nothing_heavy(self) -> None:
        heavy = "{'torch', 'transformers', 'numba', 'scipy', 'matplotlib'}"
        program = (
            "import sys\nfrom motet.client.command import main\n"
            "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
            f"sys.exit(', '.join(sorted({heavy} & set(sys.modules))) or 0)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        for command in ENTRY_POINTS["motet.commands"]:
            assert re.search(rf"\b{command}\b", done.stdout), f"`motet --help` does not list {command}"


class TestPins:
    def test_sorted_and_exact(self) -> None:
        lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
        entries = [line for line in lines if not line.startswith("#")]
        assert all(
            re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!]+", line) for line in entries
        )  # no local builds: "+cpu"
        names = [line.split("==")[0] for line in entries]
        assert names == sorted(names, key=str.lower)

    def test_everything_that_is_installed_is_pinned(self) -> None:
        names = {canonicalize_name(r.name) for r in needed("motet", frozenset({"dev"}), set())} - {"motet"}
        assert names - set(pins()) == set()

    def test_the_tests_run_with_the_pinned_versions(self) -> None:
        required = {canonicalize_name(r.name) for r in needed("motet", frozenset({"dev"}), set())} - {"motet"}
        installed = {name: Version(Version(distribution(name).version).public) for name in required}
        assert {name: found for name, found in installed.items() if pins().get(name) != found} == {}

    def test_the_pins_are_within_the_ranges(self) -> None:
        extras = PROJECT["project"]["optional-dependencies"]
        lines = [*PROJECT["project"]["dependencies"], *(line for name in extras for line in extras[name])]
        ranges = [Requirement(line) for line in lines]
        for requirement in ranges:
            pinned = pins().get(canonicalize_name(requirement.name))
            if requirement.name != "motet":
                assert pinned is not None
                assert pinned in requirement.specifier, f"{requirement} does not admit the pinned {pinned}"

    def test_the_light_install_is_two_packages(self) -> None:
        assert {Requirement(line).name for line in PROJECT["project"]["dependencies"]} == {"grpcio", "protobuf"}


class TestCommands:
    @pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
    def test_documented_make_commands_exist(self, document: str) -> None:
        text = (REPOSITORY / document).read_text(encoding="utf-8")
        mentioned = set(re.findall(r"`make ([a-z][a-z-]*)", text)) | set(re.findall(r"^make ([a-z-]+)", text, re.M))
        assert mentioned - make_targets() == set()

    @pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
    def test_documented_motet_commands_exist(self, document: str) -> None:
        text = (REPOSITORY / document).read_text(encoding="utf-8")
        mentioned = set(re.findall(r"^(?:\$ )?(?:\.venv/bin/)?motet ([a-z]+)", text, re.MULTILINE))
        assert mentioned - set(ENTRY_POINTS["motet.commands"]) == set()

    def test_continuous_integration_runs_the_readmes_command(self) -> None:
        assert {"demo", "test"} <= make_targets()
        assert (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1] == "make test"

    def test_make_test_leaves_no_check_out(self) -> None:
        makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
        line = re.search(r"^test: (.*?) +##", makefile, re.MULTILINE)
        assert line is not None
        assert set(line.group(1).split()) == {"setup"} | {name for name in make_targets() if name.startswith("check-")}
        assert line.group(1).split()[-1] == "check-tests"  # pytest's closing line ends the run


class TestContents:
    def test_no_weights_in_formats_that_run_code(self) -> None:
        unsafe = {".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt", ".joblib", ".npy", ".h5"}
        assert [path for path in repository_files() if path.suffix in unsafe] == []

    def test_nothing_unpickles(self) -> None:
        loads = re.compile(r"\bpickle\.load|\bimport pickle\b|\btorch\.load\(|allow_pickle=True|weights_only=False")
        # Published checkpoints are read as tensors alone, a vocabulary by a reader that calls nothing; and a farm talks
        # to the workers that it started.
        importer, reader = (REPOSITORY / "model/motet/model/text2midi" / name for name in ("importer.py", "pickled.py"))
        clap, farm = (REPOSITORY / "rewards/motet/rewards" / name for name in ("laion_clap.py", "farm.py"))
        found = {path for path in sources() if loads.search(path.read_text(encoding="utf-8"))}
        assert found == {importer, reader, clap, farm}
        for path in (importer, clap):
            text = path.read_text("utf-8")
            assert len(re.findall(r"\btorch\.load\([^\n]*weights_only=True", text)) == 1
            assert len(re.findall(r"\btorch\.load\(|\bpickle\.\w+\(", text)) == 1
        assert re.findall(r"\bpickle\.\w+", reader.read_text("utf-8")) == ["pickle.Unpickler"]
        assert set(re.findall(r"\bpickle\.\w+\([\w.]*", farm.read_text("utf-8"))) == {
            "pickle.dumps(",
            "pickle.dumps(plan",
            "pickle.loads(requests.get",
        }

    def test_fluidsynth_is_touched_in_one_file(self) -> None:
        touches = re.compile(r"^\s*(import|from) fluidsynth|import_module\(\"fluidsynth|CDLL\(", re.MULTILINE)
        found = {path.name for path in sources() if touches.search(path.read_text(encoding="utf-8"))}
        assert found <= {"render.py"}

    def test_no_path_of_one_machine(self) -> None:
        paths = re.compile(r"(?<![\w.])/(?:work|home|root|Users)/|\.\./shared|(?<![\w.])/tmp/")
        textual = {".py", ".md", ".toml", ".txt", ".proto", ".sh", ".json", ".yaml", ".yml", ""}
        found = [
            path
            for path in repository_files()
            if path.suffix in textual and path != Path(__file__) and paths.search(path.read_text(encoding="utf-8"))
        ]
        assert found == []

    def test_no_failure_is_swallowed(self) -> None:
        silent = [
            f"{path.relative_to(REPOSITORY)}:{node.lineno}"
            for path in sources()
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ExceptHandler) and (node.type is None or _is_blanket_and_empty(node))
        ]
        assert silent == []

    def test_no_file_is_too_large_to_review_or_to_clone(self) -> None:
        limit_bytes = 50_000_000
        assert [path for path in repository_files() if path.stat().st_size > limit_bytes] == []


def _is_blanket_and_empty(handler: ast.ExceptHandler) -> bool:
    blanket = isinstance(handler.type, ast.Name) and handler.type.id in {"Exception", "BaseException"}
    return blanket and all(isinstance(node, ast.Pass) for node in handler.body)


# What each contract of the import rules forbids: a line that breaks it, and where to put the line.
VIOLATIONS = {
    "Nothing imports upwards": ("music/motet/music/score.py", "import motet.search.tree"),
    "The client and the wire format stand alone": (
        "clients/python/motet/client/command.py",
        "import motet.music.score",
    ),
    "Nothing imports the client; only server and client speak motet.v1": (
        "training/motet/training/__init__.py",
        "import motet.v1.search_pb2",
    ),
    "The server and the wire format do not import the client": (
        "server/motet/server/__init__.py",
        "import motet.client.command",
    ),
    "Only server and client import gRPC": ("search/motet/search/__init__.py", "import grpc"),
    "No PyTorch in the domain, the client, the wire format and the kernels": (
        "search/motet/search/kernels.py",
        "import torch",
    ),
    "numba lives in files named kernels.py": ("search/motet/search/__init__.py", "import numba"),
    "What is searched for never sees the judge": ("search/motet/search/run.py", "import motet.rewards.judge"),
    "Only rewards.render touches FluidSynth": ("music/motet/music/midi.py", "import pretty_midi"),
}


class TestImportRules:
    def test_every_contract_is_tried(self) -> None:
        assert {contract["name"] for contract in PROJECT["tool"]["importlinter"]["contracts"]} == set(VIOLATIONS)

    @pytest.mark.parametrize("contract", VIOLATIONS)
    def test_contract_can_fail(self, contract: str, tmp_path: Path) -> None:
        for root in ROOTS:
            shutil.copytree(
                root,
                tmp_path / root.relative_to(REPOSITORY),
                ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"),
            )
        shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
        file, line = VIOLATIONS[contract]
        with (tmp_path / file).open("a", encoding="utf-8") as opened:
            opened.write(f"\n{line}\n")
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from importlinter.cli import lint_imports_command; lint_imports_command()",
                "--no-cache",
            ],
            cwd=tmp_path,
            env={"PYTHONPATH": ":".join(str(tmp_path / root.relative_to(REPOSITORY)) for root in ROOTS)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert f"{contract} BROKEN" in done.stdout, done.stdout + done.stderr
