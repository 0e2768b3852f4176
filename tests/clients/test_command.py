from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from motet.client import command, connection, generate, render, score, table
from motet.client.error import RequestError
from motet.client.generate import parse_weights
from motet.client.interruption import Interruption
from motet.client.local import LocalServer
from motet.client.result import Reward
from motet.music import midi
from motet.music.error import InvalidInputError
from tests.clients.conftest import Background, wait_until
from tests.fakes import fake_score

REGISTRARS = (generate.register, score.register, render.register)
CAPTION = "A calm piano piece in C major"


def motet(*arguments: str) -> int:
    return command.main(arguments, registrars=REGISTRARS)


def raising(error: BaseException) -> Callable[[Any], None]:
    def run(_: argparse.Namespace) -> int:
        raise error

    def register(subparsers: Any) -> None:
        subparsers.add_parser("fail").set_defaults(run=run)

    return register


def test_generate_writes_the_same_bytes_for_the_same_seed(server: Background, tmp_path: Path, capsys: Any) -> None:
    first, again = tmp_path / "first.mid", tmp_path / "again.mid"
    for path in (first, again):
        assert motet("generate", CAPTION, "-o", str(path), "--seed", "7", "--server", server.address) == 0
    assert first.read_bytes() == again.read_bytes()
    assert len(midi.read(first)) > 0
    out, err = capsys.readouterr()
    assert "first sample  searched    change" in out
    assert f"wrote {first}" in out
    assert "best 0." in err


def test_generate_writes_everything_that_is_asked_for(server: Background, tmp_path: Path, capsys: Any) -> None:
    status = motet(
        *("generate", CAPTION, "-o", str(tmp_path / "x.mid"), "--wav", str(tmp_path / "x.wav")),
        *("--picture", str(tmp_path / "x.png"), "--results", "3", "--candidates", "4", "--json"),
        *("--weights", "text=1,harmony=.5", "--strategy", "best_of_n", "--server", server.address),
    )
    assert status == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["strategy"] == "best_of_n"
    assert set(figures["candidates"][0]["reward"]["terms"]) >= {"text", "harmony"}
    assert {path.name for path in tmp_path.iterdir()} == {"x.mid", "x-2.mid", "x-3.mid", "x.wav", "x.png"}
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_generate_takes_controls(server: Background, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "x.mid"
    assert motet(
        *("generate", CAPTION, "-o", str(out), "--bars", "2", "--json", "--server", server.address),
        *("--tempo", "96", "--key", "D minor", "--key-lock", "--time-signature", "3/4", "--only", "--no-drums"),
        *("--instrument", "piano", "--instrument", "alto sax", "--guidance", "1.5"),
    ) == 0  # fmt: skip
    told = json.loads(capsys.readouterr().out)["controls"]
    assert (told["tempo_bpm"], told["key"], told["key_lock"], told["time_signature"]) == (96.0, "D minor", True, "3/4")
    assert told["instruments"] == ["Acoustic Grand Piano", "Alto Sax"]
    assert (told["only_instruments"], told["drums"], told["guidance"], told["bars"]) == (True, False, 1.5, 2)

    again = ("generate", CAPTION, "-o", str(tmp_path / "y.mid"), "--seed-midi", str(out), "--server", server.address)
    assert motet(*again, "--bars", "3", "--json") == 0
    told = json.loads(capsys.readouterr().out)["controls"]
    assert (told["seed_bars"], told["bars"]) == (2, 5)
    assert motet(*again, "--rewrite-bars", "2", "--rewrite-instrument", "drums", "--drums", "--json") == 0
    told = json.loads(capsys.readouterr().out)["controls"]
    assert (told["seed_bars"], told["bars"], told["rewrite_bars"]) == (2, 2, [2, 2])
    assert (told["rewrite_instruments"], told["drums"]) == (["drums"], True)


def test_generate_takes_limits_and_explains_itself(server: Background, tmp_path: Path, capsys: Any) -> None:
    call = (
        "generate",
        CAPTION,
        "-o",
        str(tmp_path / "x.mid"),
        "--seed",
        "1",
        "--bars",
        "2",
        "--server",
        server.address,
    )
    assert motet(*call, "--rounds", "3", "--least-gain", "0", "--results", "2", "--explain") == 0
    out = capsys.readouterr().out
    assert "3 rounds" in out.splitlines()[0]
    assert "result 2: reward" in out
    assert "cost: " in out
    assert "in the tree" in out
    assert motet(*call, "--rounds", "all", "--tokens", "500") == 0
    out = capsys.readouterr().out
    assert "ended at the token limit" in out.splitlines()[0]
    assert "cost: " not in out
    assert motet(*call, "--json", "--strategy", "population:wide=2") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["strategy"], told["rounds"], told["near_copies"]) == ("population:wide=2", 1, told["near_copies"])
    assert told["profile"]["elapsed_s"] > 0


def test_generate_does_without_a_plain_sample(server: Background, tmp_path: Path, capsys: Any) -> None:
    call = ("generate", CAPTION, "-o", str(tmp_path / "x.mid"), "--bars", "2", "--server", server.address)
    assert motet(*call, "--strategy", "inferalign_paper", "--picture", str(tmp_path / "x.png")) == 0
    out = capsys.readouterr().out
    assert "first sample" not in out
    assert "harmony" in out
    assert (tmp_path / "x.png").exists()
    assert motet(*call, "--strategy", "inferalign_paper", "--json") == 0
    assert json.loads(capsys.readouterr().out)["plain_sample"] is None


def test_generate_says_why_fewer_pieces_came(server: Background, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(
        "motet.search.run.without_near_copies", lambda pieces, score, most: (pieces[:1], len(pieces) - 1)
    )
    call = ("generate", CAPTION, "-o", str(tmp_path / "x.mid"), "--bars", "2", "--server", server.address)
    assert motet(*call, "--results", "3") == 0
    out = capsys.readouterr().out
    assert "1 of 3 results: " in out
    assert "--strategy islands" in out
    assert {path.name for path in tmp_path.iterdir()} == {"x.mid"}


def test_score_and_render(server: Background, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "x.mid"
    file.write_bytes(midi.write(fake_score([0, 5, 6, 7, 8])))
    assert motet("score", str(file), "--caption", CAPTION, "--server", server.address) == 0
    assert "harmony" in capsys.readouterr().out
    assert motet("score", str(file), "--caption", CAPTION, "--bars", "--server", server.address) == 0
    assert capsys.readouterr().out.split()[-4:] == ["bar", "1", "harmony.notes", "4.000"]
    assert motet("score", str(file), "--caption", CAPTION, "--json", "--server", server.address) == 0
    assert 0 <= json.loads(capsys.readouterr().out)["reward"]["total"] <= 1
    assert motet("render", str(file), "--rate", "8000", "--json", "--server", server.address) == 0
    assert json.loads(capsys.readouterr().out)["rate_hz"] == 8000
    assert file.with_suffix(".wav").read_bytes().startswith(b"RIFF")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["generate", ""], "motet generate: caption: must not be empty (received '')"),
        (["generate", os.fsdecode(b"\xff")], r"motet generate: caption: must be UTF-8 (received b'\xff')"),
        (
            ["generate", "x", "--candidates", "-1"],
            "motet generate: candidate_count: must be a whole number from 1 to 64",
        ),
        (["generate", "x", "--weights", "text=nan"], "motet generate: reward_weights[0].weight: must be finite"),
        (["generate", "x", "--key", "H"], 'motet generate: controls.key: must look like "C# minor" or "Bb major"'),
        (
            ["generate", "x", "--instrument", "vioilin"],
            "motet generate: controls.instruments[0]: must be an instrument of General MIDI; near it are Violin, Viola",
        ),
        (["generate", "x", "--instrument", "drums", "--no-drums"], "motet generate: controls.drums: must not be off"),
        (["generate", "x", "--only"], "motet generate: controls.only_instruments: must come with instruments"),
        (["generate", "x", "--rewrite-bars", "2-3"], "motet generate: controls.rewrite_bars: must be absent without"),
        (["generate", "x", "--rewrite-bars", "b-c"], "motet generate: rewrite-bars: must be A-B, the first and the"),
        (["generate", "x", "--seed-midi", "/nowhere.mid"], "motet generate: /nowhere.mid: No such file or directory"),
        (["generate", "x", "--seed-midi", os.devnull], "motet generate: controls.seed_midi: must not be empty"),
        (
            ["generate", "x", "--seed-midi", __file__],
            "motet generate: controls.seed_midi: must be a Standard MIDI File",
        ),
        (["generate", "x", "--weights", "text"], "motet generate: weights: must be NAME=NUMBER"),
        (
            ["generate", "x", "--time-limit", "-3"],
            "motet generate: time_limit: must be above 0 seconds (received -3.0)",
        ),
        (["generate", "x", "--rounds", "some"], "motet generate: rounds: must be a whole number, or all (received"),
        (["generate", "x", "--rounds", "0"], "motet generate: round_count: must be a whole number from 1 to 10000"),
        (["generate", "x", "--rounds", "9" * 12], "motet generate: round_count: must be a whole number of 32 bits"),
        (["generate", "x", "--tokens", "0"], "motet generate: token_limit: must be a whole number from 1 to"),
        (["generate", "x", "--least-gain", "nan"], "motet generate: least_gain: must be from 0 to 1 (received nan)"),
        (["generate", "x", "--strategy", "population:x=1"], "motet generate: strategy.x: must be one of chunk_share"),
        (["generate", "x", "--strategy", "luck"], "motet generate: strategy: must be one of best_of_n"),
        (["generate", "x", "--model", "gpt"], "motet generate: model: must be one of fake, fake@0123456789ab"),
        (["generate", "x", "-o", "/nowhere/x.mid"], "motet generate: /nowhere: there is no such folder to write into"),
        (["score", "/nowhere.mid", "--caption", "x"], "motet score: /nowhere.mid: No such file or directory"),
        (["score", __file__, "--caption", "x"], "motet score: midi: must"),
        (["render", os.devnull, "-o", "x.wav"], "motet render: midi: must"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    server: Background, tmp_path: Path, monkeypatch: Any, capsys: Any, arguments: list[str], line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert motet(*arguments, "--server", server.address) == 2
    err = capsys.readouterr().err
    assert err.startswith(line)
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_server_that_does_not_answer_is_one_line(capsys: Any) -> None:
    assert motet("generate", "x", "--server", "127.0.0.1:1") == 2
    assert "no Motet server answers at 127.0.0.1:1" in capsys.readouterr().err
    assert motet("generate", "x", "--server", "nowhere") == 2
    assert "server: must be HOST:PORT" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InvalidInputError.of("bars", "must be above 0", -1), 2, "motet fail: bars: must be above 0 (received -1)\n"),
        (RequestError.of("x", "must be y", 1), 2, "motet fail: x: must be y (received 1)\n"),
        (KeyboardInterrupt(), 130, "motet fail: interrupted\n"),
        (PermissionError(13, "Permission denied", "f.mid"), 2, "motet fail: f.mid: Permission denied\n"),
        (
            ModuleNotFoundError(name="torch"),
            2,
            "motet fail: needs the Python package 'torch': pip install 'motet[server]'\n",
        ),
        (
            ModuleNotFoundError(name="matplotlib"),
            2,
            "motet fail: needs the Python package 'matplotlib': pip install 'motet[plot]'\n",
        ),
    ],
)
def test_a_failure_is_one_line(error: BaseException, status: int, line: str, capsys: Any) -> None:
    assert command.main(["fail"], registrars=[raising(error)]) == status
    assert capsys.readouterr().err == line


def test_a_defect_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        command.main(["fail"], registrars=[raising(ZeroDivisionError())])


def test_a_command_whose_packages_are_missing_says_so(monkeypatch: Any, capsys: Any) -> None:
    point = EntryPoint("serve", "no_such_module_of_ours:register", command.GROUP)
    monkeypatch.setattr(command, "entry_points", lambda group: [point])
    assert command.main(["serve", "--any", "option"]) == 2
    assert "needs the Python package 'no_such_module_of_ours'" in capsys.readouterr().err


def test_the_installed_command_has_its_subcommands_and_starts_fast() -> None:
    code = (
        "import sys; from motet.client import command\n"
        "try: command.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in ("generate", "score", "render", "serve", "strategies"):
        assert re.search(rf"^    {name}\s", done.stdout, re.MULTILINE)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_first_interruption_keeps_the_best_so_far(
    server: Background, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    server.decoder.pace_s = 0.005
    shown: list[str] = []

    def show(self: Any, text: str) -> None:
        shown.append(text)
        if "best 0" in text and len(shown) > 1:
            os.kill(os.getpid(), signal.SIGINT) if "sent" not in shown else None
            shown.append("sent")

    monkeypatch.setattr("motet.client.status.StatusLine.show", show)
    path = tmp_path / "x.mid"
    assert motet("generate", CAPTION, "--bars", "64", "-o", str(path), "--server", server.address) == 130
    assert len(midi.read(path)) > 0
    assert "stopped early" in capsys.readouterr().out


def test_the_second_interruption_gives_up() -> None:
    stopped: list[str] = []
    before = signal.getsignal(signal.SIGINT)

    def interrupt_twice() -> None:
        with Interruption(lambda: stopped.append("stop"), lambda: stopped.append("cancel")):
            signal.raise_signal(signal.SIGINT)
            wait_until(lambda: stopped)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        interrupt_twice()
    assert stopped == ["stop"]
    assert signal.getsignal(signal.SIGINT) is before


def test_bars_are_shown_in_blocks() -> None:
    values = tuple(index / 100 for index in range(13))
    text = table.bars(Reward(total=0.5, terms={}, details={}, bars={"harmony.in_key": values, "text.fit": values}))
    first, second = (block.splitlines() for block in text.strip("\n").split("\n\n"))
    assert first[0].split() == ["bar", *map(str, range(1, 13))]
    assert first[1].split() == ["harmony.in_key", *(f"{value:.3f}" for value in values[:12])]
    assert [line.split() for line in second] == [["bar", "13"], ["harmony.in_key", "0.120"], ["text.fit", "0.120"]]
    assert "nothing" in table.bars(Reward(total=0.5, terms={}, details={}))


def test_details_stand_below_their_own_term() -> None:
    details = {"text_twice.fit": 0.1, "text.fit": 0.2, "tempo.text": 0.3}
    lines = table.breakdown(Reward(total=0.5, terms={"text": 0.5, "text_twice": 0.4}, details=details)).splitlines()
    assert [line.split() for line in lines[:5]] == [
        ["text", "0.500"], ["fit", "0.200"], ["text_twice", "0.400"], ["fit", "0.100"], ["tempo.text", "0.300"]
    ]  # fmt: skip


def test_weights_are_read() -> None:
    assert parse_weights(None) is None
    assert parse_weights("text=.4, harmony=1e-1") == {"text": 0.4, "harmony": 0.1}
    for wrong in ("", "text", "text=", "=1", "text=x", "text=1,text=2"):
        with pytest.raises(RequestError, match="weights: must"):
            parse_weights(wrong)


def test_a_folder_as_model_gets_a_server_of_its_own(
    server: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    started: list[list[str]] = []

    class Private:
        target = server.address

        def __init__(self, options: list[str], **_: object) -> None:
            started.append(options)

        def __enter__(self) -> None:
            pass

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(connection, "LocalServer", Private)
    (tmp_path / "config.json").write_text("{}")
    assert motet("generate", CAPTION, "-o", str(tmp_path / "x.mid"), "--model", str(tmp_path)) == 0
    assert started == [["--model", str(tmp_path)]]
    # A server that is named chooses among its own models.
    assert motet("generate", CAPTION, "--model", str(tmp_path), "--server", server.address) != 0
    assert len(started) == 1


def test_a_local_server_that_cannot_start_says_why() -> None:
    waited: list[float] = []
    server = LocalServer(["--model", "/nowhere/model"], on_wait=waited.append)
    with pytest.raises(RequestError, match=r"the local server did not start: .*/nowhere/model"), server:
        pytest.fail("it must not start")
    assert waited
