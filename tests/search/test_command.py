import argparse
from pathlib import Path

import pytest

from motet.music.error import InvalidInputError
from motet.search import command


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.register(parser.add_subparsers())
    return parser.parse_args(("search", "pilot", *words))


def test_search_pilot_has_defaults() -> None:
    arguments = parse()
    assert arguments.run is command.search_pilot
    assert (arguments.samples, arguments.prefixes, arguments.branches, arguments.bars) == (16, 4, 3, 8)
    assert (arguments.out, arguments.dry_run, arguments.json, arguments.model) == (Path("pilot"), False, False, None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--samples", "1"), r"samples: must be a whole number from 4 to 256 \(received 1\)"),
        (("--prefixes", "17"), r"prefixes: must be a whole number from 2 to 16 \(received 17\)"),
        (("--bars", "2"), r"bars: must be a whole number from 4 to 64 \(received 2\)"),
        (("--limit", "1"), r"limit: must be at least 2 \(received 1\)"),
        (("--weights", "text"), r"weights: must be NAME=NUMBER"),
        (("--captions", "none.txt"), r"captions: must be a readable UTF-8 file"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(
    words: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    arguments = parse(*words, "--out", str(tmp_path / "out"))
    with pytest.raises(InvalidInputError, match=message):
        arguments.run(arguments)
    assert not (tmp_path / "out").exists()


def test_one_caption_twice_is_one_caption(tmp_path: Path) -> None:
    (tmp_path / "captions.txt").write_text("a waltz\na waltz\n")
    arguments = parse("--captions", str(tmp_path / "captions.txt"), "--out", str(tmp_path / "out"))
    with pytest.raises(InvalidInputError, match="captions: must be at least 2 different ones"):
        arguments.run(arguments)


def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    arguments = parse("--out", str(tmp_path / "file"))
    with pytest.raises(InvalidInputError, match="out: must be a folder to write to"):
        arguments.run(arguments)


def test_the_version_of_the_rewards_is_stable() -> None:
    assert command.reward_version() == command.reward_version()
    assert len(command.reward_version()) == 12
