from __future__ import annotations

from pathlib import Path

import pytest

from motet.training import snapshot


def write(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / snapshot.PROGRESS).write_text(text)


def read(run: Path) -> str:
    folder = snapshot.newest(run)
    assert folder is not None
    return (folder / snapshot.PROGRESS).read_text()


def names(run: Path) -> set[str]:
    return {path.name for path in run.iterdir()}


def test_an_empty_or_missing_run_has_none(tmp_path: Path) -> None:
    assert snapshot.newest(tmp_path) is None
    assert snapshot.newest(tmp_path / "missing") is None


def test_the_new_one_replaces_all_of_the_old_one(tmp_path: Path) -> None:
    run = tmp_path / "made" / "on the way"
    with snapshot.replacing(run) as folder:
        write(folder, "first")
        (folder / "only of the first").touch()
    assert snapshot.newest(run) == run / snapshot.FOLDER
    with snapshot.replacing(run) as folder:
        assert list(folder.iterdir()) == []
        write(folder, "second")
        assert read(run) == "first"
    assert read(run) == "second"
    assert names(run) == {snapshot.FOLDER}
    assert names(run / snapshot.FOLDER) == {snapshot.PROGRESS}


def test_an_error_while_writing_leaves_the_old_one(tmp_path: Path) -> None:
    with snapshot.replacing(tmp_path) as folder:
        write(folder, "first")

    def fail() -> None:
        with snapshot.replacing(tmp_path) as folder:
            write(folder, "second")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert read(tmp_path) == "first"
    with snapshot.replacing(tmp_path) as folder:
        assert list(folder.iterdir()) == []
        write(folder, "third")
    assert read(tmp_path) == "third"


@pytest.mark.parametrize("left", ["partial only", "previous and partial", "all three"])
def test_a_kill_at_any_moment_leaves_a_whole_one(tmp_path: Path, left: str) -> None:
    """The states in which a kill inside ``replacing`` can leave the folder."""
    write(tmp_path / "checkpoint.part", "new")
    if left == "partial only":
        assert snapshot.newest(tmp_path) is None
    else:
        write(tmp_path / "checkpoint.old", "older" if left == "all three" else "first")
        if left == "all three":
            write(tmp_path / snapshot.FOLDER, "first")
        assert read(tmp_path) == "first"
    with snapshot.replacing(tmp_path) as folder:
        write(folder, "next")
        assert snapshot.newest(tmp_path) is None or read(tmp_path) == "first"
    assert read(tmp_path) == "next"
    assert names(tmp_path) == {snapshot.FOLDER}


def test_the_plateau_is_a_copy(tmp_path: Path) -> None:
    assert snapshot.plateau(tmp_path) is None
    with snapshot.replacing(tmp_path) as folder:
        write(folder, "high")
    snapshot.keep_plateau(tmp_path)
    with snapshot.replacing(tmp_path) as folder:
        write(folder, "fallen")
    assert read(tmp_path) == "fallen"
    kept = snapshot.plateau(tmp_path)
    assert kept is not None
    assert (kept / snapshot.PROGRESS).read_text() == "high"
