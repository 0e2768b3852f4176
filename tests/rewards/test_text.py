from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from motet.music import caption
from motet.music.caption import Caption
from motet.music.error import InvalidInputError, UnavailableError
from motet.music.score import Score
from motet.rewards import text
from motet.rewards.calibration import Calibration
from motet.rewards.render import Renderer
from motet.rewards.reward import Resources
from motet.rewards.sound import Sound, Window
from motet.rewards.text import TextTerm
from tests.fakes import fake_embed
from tests.rewards.pieces import drums, score_of, song, together
from tests.tiny_clap import clap_folder

CALIBRATION = Calibration(matched=(-0.2, 0.5, 1.0), mismatched=(-1.0, 0.0, 0.6))
ASKED = caption.parse("a calm flute piece")


class Loudness:
    """A backend of two dimensions: captions point along the first, sounds turn to the second as they grow louder."""

    rate_hz = 22050
    window_s = 2.0
    calibration = CALIBRATION

    def __init__(self) -> None:
        self.heard = 0

    def audio_vector(self, audio: np.ndarray) -> np.ndarray:
        self.heard += 1
        angle = min(10 * float(np.abs(audio).mean()), np.pi / 2)
        return np.array([np.cos(angle), np.sin(angle)], np.float32)

    def text_vector(self, caption: Caption) -> np.ndarray:
        return np.array([1, 0], np.float32)


@pytest.fixture(scope="module")
def renderer():
    with Renderer() as loaded:
        yield loaded


def test_only_what_is_new_is_rendered_and_heard(renderer: Renderer):
    sound, backend = Sound(renderer, window_s=2.0), Loudness()
    term = TextTerm(backend, sound)
    long = song(8, seed=3)
    beginning = long.between(0, int(long.bar_ticks()[4]))
    [first] = term.judge([beginning], ASKED, complete=False)
    rendered_s, heard = sound.rendered_s, backend.heard
    [second, again, twice] = term.judge([long, beginning, long], ASKED, complete=True)
    assert sound.rendered_s < 2.5 * rendered_s
    assert backend.heard < 2 * heard + 1
    assert again == first != second == twice
    assert 0 <= first.value <= 1
    assert first.value == CALIBRATION(first.details["cosine"])


def test_a_score_has_the_same_value_in_any_company_and_in_any_order(renderer: Renderer):
    pieces = [song(2, seed=seed) for seed in range(3)]
    together = TextTerm(Loudness(), Sound(renderer, window_s=2.0)).judge(pieces, ASKED, complete=True)
    term = TextTerm(Loudness(), Sound(renderer, window_s=2.0))
    assert [term.judge([piece], ASKED, complete=True)[0] for piece in reversed(pieces)] == together[::-1]


def test_bars_tell_where_the_music_fits(renderer: Renderer):
    sound = Sound(renderer, window_s=2.0)
    term = TextTerm(Loudness(), sound)
    quiet = replace(song(4, seed=1), velocity=np.full(len(song(4, seed=1)), 20, np.int16))
    loud = song(4, seed=1)
    gap = int(loud.bar_ticks()[4])
    later = replace(loud, onset=loud.onset + 3 * gap, velocity=np.full(len(loud), 127, np.int16))
    piece = quiet.plus(later)
    [judgement] = term.judge([piece], ASKED, complete=True)
    fit = judgement.bars["fit"]
    assert len(fit) == len(piece.bar_ticks()) - 1 == 16
    assert min(fit[:4]) > max(fit[12:])
    assert fit[4:7] == [fit[3]] * 3  # silent bars have the nearest sound
    assert fit[9:12] == [fit[12]] * 3
    assert min(fit) < judgement.value < max(fit)
    [short] = term.judge([song(1)], ASKED, complete=True)  # 2 s at 120 BPM: one bar, one window
    assert short.bars["fit"] == [short.value]


def test_pieces_too_long_to_be_heard_whole_have_no_bars(renderer: Renderer):
    term = TextTerm(Loudness(), Sound(renderer, window_s=2.0, most_windows=3))
    [judgement] = term.judge([song(8)], ASKED, complete=True)
    assert judgement.bars == {}
    assert 0 <= judgement.value <= 1


def test_many_windows_are_rendered_a_few_at_a_time(renderer: Renderer, monkeypatch: pytest.MonkeyPatch):
    sound = Sound(renderer, window_s=2.0)
    asked: list[int] = []
    audios = sound.audios

    def counted(windows: Sequence[Window]) -> list[np.ndarray]:
        asked.append(len(windows))
        return audios(windows)

    monkeypatch.setattr(sound, "audios", counted)
    monkeypatch.setattr(text, "_AT_ONCE", 3)
    TextTerm(Loudness(), sound).judge([song(4, seed=seed) for seed in range(2)], ASKED, complete=True)
    assert asked == [3, 3, 2]


def crowd(tracks: int) -> Score:
    """As many tracks, each of a program of its own as long as there are some left."""
    return together(*(score_of([(0, 4, 40 + track % 50)], program=track % 128) for track in range(tracks)))


EXTREMES = {
    "drums only": drums(2),
    "one note": score_of([(0, 1, 60)]),
    "a note shorter than a block": score_of([(0, 0.001, 60)]),
    "200 tracks": crowd(200),
    "10 minutes": score_of([(beat, 1, 60 + beat % 12) for beat in range(1200)]),
    "a rest of 10 minutes": score_of([(0, 1, 60), (1200, 1, 60)]),
    "10 BPM": replace(song(1), tempo_bpm=np.array([10.0])),
    "999 BPM": replace(song(8), tempo_bpm=np.array([999.0])),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_strange_music_has_a_value_and_a_fit_for_each_bar(renderer: Renderer, name: str):
    piece = EXTREMES[name]
    [judgement] = TextTerm(Loudness(), Sound(renderer, window_s=2.0)).judge([piece], ASKED, complete=True)
    assert 0 <= judgement.value <= 1
    for fit in judgement.bars.values():
        assert len(fit) == len(piece.bar_ticks()) - 1
        assert all(0 <= one <= 1 for one in fit)


def test_silence_is_worth_nothing(renderer: Renderer):
    term = TextTerm(Loudness(), Sound(renderer, window_s=2.0))
    assert term.judge([Score.empty()], ASKED, complete=True)[0].value == 0
    assert term.judge([], ASKED, complete=True) == []


def test_the_sound_must_be_what_the_backend_hears(renderer: Renderer):
    with pytest.raises(InvalidInputError, match="windows of 2"):
        TextTerm(Loudness(), Sound(renderer, window_s=4.0))


@pytest.mark.parametrize("spec", ["", "clap", "clap:", "builtin:", "mert:folder", ":x"])
def test_a_specification_names_a_kind_and_a_place(spec: str):
    with pytest.raises(InvalidInputError, match="must be builtin, builtin:FOLDER, clap:FOLDER or laion-clap:FILE"):
        text.open(spec, fake_embed)


def test_a_backend_is_opened_by_its_specification(tmp_path: Path):
    shipped = text.open("builtin", fake_embed)
    shipped.save(tmp_path)  # type: ignore[attr-defined]
    again = text.open(f"builtin:{tmp_path}", fake_embed)
    np.testing.assert_array_equal(shipped.text_vector(ASKED), again.text_vector(ASKED))
    with pytest.raises(UnavailableError, match="motet train text-audio"):
        text.open("builtin:/nowhere", fake_embed)
    for spec in ("clap:/nowhere", "laion-clap:/nowhere/a.pt"):
        with pytest.raises(UnavailableError, match="download"):
            text.open(spec, fake_embed)


def test_an_external_backend_must_be_calibrated_first(tmp_path: Path):
    folder = clap_folder(tmp_path / "clap")
    spec = f"clap:{folder}"
    with pytest.raises(UnavailableError, match=f"motet calibrate text --backend {spec} CORPUS_DIR") as error:
        text.open(spec, fake_embed)
    assert "\n" not in error.value.message
    assert text.open(spec, fake_embed, calibration=CALIBRATION).calibration == CALIBRATION
    path = text.calibration_path(spec)
    assert path is not None
    CALIBRATION.write(path)
    assert text.open(spec, fake_embed).calibration == CALIBRATION
    for damage in ("{}", "no JSON", '{"format": 2}', '{"format": 1, "matched": [1, 0], "mismatched": [0, 1]}'):
        path.write_text(damage)
        with pytest.raises(InvalidInputError, match="calibration"):
            text.open(spec, fake_embed)
    assert text.calibration_path("builtin") is None
    assert text.calibration_path("laion-clap:a/b.pt") == Path("a/b.pt.calibration.json")


def test_the_term_brings_the_sound_that_its_backend_hears(renderer: Renderer):
    shared = Sound(renderer, window_s=2.0)
    resources = Resources(renderer=renderer, sound=shared, embed=fake_embed)
    term = text.text_consistency(resources)  # the shipped one hears windows of 8 s
    [judgement] = term.judge([song(2)], ASKED, complete=True)
    assert 0 < judgement.value < 1
    assert shared.rendered_s == 0
    fitting = Resources(renderer=renderer, sound=Sound(renderer), embed=fake_embed)
    assert text.text_consistency(fitting).judge([song(2)], ASKED, complete=True) == [judgement]
    assert fitting.sound.rendered_s > 0
    chosen = Resources(renderer=renderer, sound=shared, embed=fake_embed, text=Loudness())
    assert text.text_consistency(chosen).judge([song(2)], ASKED, complete=True) != [judgement]
    assert shared.rendered_s > 0
