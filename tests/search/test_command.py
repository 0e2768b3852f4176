import argparse
from pathlib import Path

import pytest

from motet.music.error import InvalidInputError
from motet.search import command


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.register(parser.add_subparsers())
    return parser.parse_args(words)


def test_bench_search_has_defaults() -> None:
    arguments = parse("bench", "search", "--captions", "captions.txt")
    assert arguments.strategies == "sample,population"
    assert (arguments.seeds, arguments.limit, arguments.json, arguments.out) == (1, None, False, None)
    assert arguments.run is command.bench_search


@pytest.mark.parametrize("option", ["--seeds", "--limit"])
def test_counts_must_be_positive(option: str, tmp_path: Path) -> None:
    arguments = parse("bench", "search", "--captions", str(tmp_path / "captions.txt"), option, "0")
    with pytest.raises(InvalidInputError, match=r"must be at least 1 \(received 0\)"):
        arguments.run(arguments)


def test_the_captions_must_exist(tmp_path: Path) -> None:
    arguments = parse("bench", "search", "--captions", str(tmp_path / "none.txt"))
    with pytest.raises(InvalidInputError, match=r"captions: must be a readable UTF-8 file"):
        arguments.run(arguments)
