from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from motet.music.error import InternalError, InvalidInputError, NotFoundError, UnavailableError
from motet.music.score import DRUMS, Score
from motet.rewards.farm import Farm
from motet.rewards.render import RenderConfig, Renderer
from tests.rewards.pieces import drums, score_of, song, together
from tests.rewards.players import (
    CLUMSY,
    DEADLY,
    DEADLY_ONCE,
    HANGING,
    HARMLESS,
    WAITING,
    Fragile,
    deadly_to_open,
    plan_of,
    without_library,
)

CONFIG = RenderConfig(rate_hz=8000)


@pytest.fixture(scope="module")
def farm() -> Iterator[Farm]:
    with Farm(CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer(CONFIG) as loaded:
        yield loaded


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "mark"


@pytest.fixture
def fragile(mark: Path) -> Iterator[Farm]:
    with Farm(CONFIG, workers=1, open_player=partial(Fragile, mark=mark)) as running:
        yield running


def appears(path: Path) -> str:
    while not path.exists():
        time.sleep(0.01)
    return path.read_text()


def test_plays_as_a_renderer_does_in_order_and_bit_by_bit(farm: Farm, renderer: Renderer):
    plans = [renderer.plan(song(4, seed=seed), 0, 2 + seed) for seed in range(5)]
    for audio, plan in zip(farm.plays(plans), plans, strict=True):
        np.testing.assert_array_equal(audio, renderer.play(plan))
    np.testing.assert_array_equal(farm.render(song(2)), renderer.render(song(2)))
    assert farm.plays([]) == []
    assert farm.version == renderer.version


def test_threads_share_a_farm(farm: Farm, renderer: Renderer):
    plans = [renderer.plan(song(2, seed=seed), 0, 2) for seed in range(4)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda place: farm.plays(plans[place:]), range(4)))
    for place, audios in enumerate(found):
        for audio, plan in zip(audios, plans[place:], strict=True):
            np.testing.assert_array_equal(audio, renderer.play(plan))


def test_a_worker_killed_between_plans_is_replaced(farm: Farm, renderer: Renderer):
    before = farm.processes
    for process in before:
        os.kill(process, signal.SIGKILL)
    plans = [renderer.plan(song(2, seed=seed), 0, 2) for seed in range(4)]
    for audio, plan in zip(farm.plays(plans), plans, strict=True):
        np.testing.assert_array_equal(audio, renderer.play(plan))
    assert farm.processes != before


def test_a_worker_killed_in_the_middle_of_a_plan_costs_nothing(fragile: Farm, mark: Path):
    found: list[np.ndarray] = []
    request = threading.Thread(target=lambda: found.append(fragile.play(plan_of(WAITING))))
    request.start()
    os.kill(int(appears(mark)), signal.SIGKILL)
    request.join()
    assert [audio.max() for audio in found] == [WAITING]


def test_a_crash_that_does_not_come_back_is_not_noticed(fragile: Farm):
    audios = fragile.plays([plan_of(HARMLESS), plan_of(DEADLY_ONCE), plan_of(HARMLESS)])
    assert [audio.max() for audio in audios] == [HARMLESS, DEADLY_ONCE, HARMLESS]


def test_a_plan_that_always_kills_its_worker_is_told_and_the_next_is_fine(fragile: Farm):
    with pytest.raises(InternalError, match=rf"2 render workers.* a plan of {DEADLY} notes.*killed by SIGKILL"):
        fragile.play(plan_of(DEADLY))
    assert fragile.play(plan_of(HARMLESS)).max() == HARMLESS


def test_a_plan_that_hangs_is_told_and_the_next_is_fine(mark: Path):
    with Farm(CONFIG, workers=1, open_player=partial(Fragile, mark=mark), patience_s=0.2) as running:
        with pytest.raises(InternalError, match="no answer within"):
            running.play(plan_of(HANGING))
        running._patience_s = 60.0
        assert running.play(plan_of(HARMLESS)).max() == HARMLESS


def test_an_error_in_a_worker_comes_back_as_it_is(fragile: Farm):
    before = fragile.processes
    with pytest.raises(InternalError, match="a render worker failed: ValueError: clumsy"):
        fragile.play(plan_of(CLUMSY))
    assert fragile.play(plan_of(HARMLESS)).max() == HARMLESS
    assert fragile.processes == before


def test_closing_ends_the_processes_and_what_they_play(mark: Path):
    running = Farm(CONFIG, workers=1, open_player=partial(Fragile, mark=mark))
    errors: list[UnavailableError] = []

    def ask(notes: int) -> None:
        try:
            running.play(plan_of(notes))
        except UnavailableError as error:
            errors.append(error)

    requests = [threading.Thread(target=ask, args=(notes,)) for notes in (WAITING, HARMLESS)]
    requests[0].start()
    process = int(appears(mark))
    requests[1].start()
    running.close()
    running.close()
    for request in requests:
        request.join()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    with pytest.raises(UnavailableError, match="closed"):
        running.play(plan_of(HARMLESS))
    assert [error.reason for error in errors] == ["RENDERER_CLOSED"] * 2


def test_workers_end_with_a_parent_that_is_killed(mark: Path):
    code = f"""
import os, signal, sys, threading
sys.path[:] = {sys.path!r}
from functools import partial
from pathlib import Path
from motet.rewards.farm import Farm
from tests.rewards.players import WAITING, Fragile, plan_of
mark = Path({str(mark)!r})
farm = Farm(workers=2, open_player=partial(Fragile, mark=mark))
threading.Thread(target=farm.play, args=(plan_of(WAITING),)).start()
while not mark.exists():
    pass
os.kill(os.getpid(), signal.SIGKILL)
"""
    # The workers hold the other end of stderr: it ends when they do.
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def test_what_a_worker_imports_brings_no_torch():
    code = "import sys; from motet.rewards import farm; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("config", "open_player", "error", "says"),
    [
        (RenderConfig(soundfont=Path(__file__)), Renderer, UnavailableError, "cannot read the soundfont"),
        (RenderConfig(soundfont=Path("none.sf2")), Renderer, NotFoundError, "no soundfont at none.sf2"),
        (CONFIG, without_library, UnavailableError, "apt-get install libfluidsynth3"),
        (CONFIG, deadly_to_open, UnavailableError, "lost while it started: .* killed by SIGSEGV"),
    ],
)
def test_what_a_worker_cannot_open_is_one_clear_line(
    config: RenderConfig, open_player: Callable[[RenderConfig], Renderer], error: type[Exception], says: str
):
    with pytest.raises(error, match=says) as told:
        Farm(config, workers=1, open_player=open_player)
    assert "\n" not in str(told.value)


def test_extreme_pieces(farm: Farm, renderer: Renderer):
    many = together(*[score_of([(k % 8, 1, 30 + k % 60)], program=k % 128) for k in range(200)])
    pieces = [
        drums(2),
        score_of([(0, 1, 60)]),
        many,
        Score.empty(),
        _at_tempo(song(1), 10.0),
        _at_tempo(song(8), 999.0),
        score_of([(0, 1, 60), (1199, 1, 64)]),  # ten minutes
        score_of([(0, 1, 127)], program=127),
        score_of([(0, 0.001, 0)], program=DRUMS),
    ]
    for piece in pieces:
        audio = farm.render(piece)
        np.testing.assert_array_equal(audio, renderer.render(piece))
        assert np.all(np.isfinite(audio))
        assert len(audio) >= piece.duration_s * CONFIG.rate_hz - 64
    with pytest.raises(InvalidInputError, match="1200 seconds"):
        farm.render(score_of([(2500, 1, 60)]))


def _at_tempo(score: Score, bpm: float) -> Score:
    return Score(
        score.ppq,
        score.onset,
        score.duration,
        score.pitch,
        score.velocity,
        score.program,
        score.track,
        tempo_bpm=np.array([bpm]),
    )


def test_bad_settings_are_refused():
    for name, value in (("workers", 0), ("workers", 65), ("patience_s", 0.0), ("patience_s", float("nan"))):
        with pytest.raises(InvalidInputError, match=name):
            Farm(CONFIG, **{name: value})  # type: ignore[arg-type]
