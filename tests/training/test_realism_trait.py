from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from motet.music.error import InvalidInputError
from motet.music.meter import Meter
from motet.music.score import DRUMS, Score
from motet.training.realism import decoy
from motet.training.realism.excerpt import Excerpt
from motet.training.realism.trait import SHARES, TRAITS, measure, pooled, shares, vectors
from tests.tiny import random_score

Note = tuple[float, float, int, int]  # quarters, quarters, pitch, program


def excerpt(notes: list[Note], bars: int, meter: Meter | None = None, ppq: int = 24) -> Excerpt:
    start, length, pitch, program = np.array(notes).T
    size = len(notes)
    return Excerpt(
        Score(
            ppq=ppq,
            onset=np.rint(start * ppq).astype(np.int64),
            duration=np.rint(length * ppq).astype(np.int64),
            pitch=pitch.astype(np.int16),
            velocity=np.linspace(60, 100, size).astype(np.int16),
            program=program.astype(np.int16),
            track=np.zeros(size, np.int16),
            meters=(meter or Meter(4, 4),),
        ),
        bars,
    )


BAR: list[Note] = [(0, 1, 60, 0), (1, 1, 64, 0), (2, 1, 67, 0), (3, 0.5, 65, 0), (3.5, 0.5, 62, 0)]


def later(notes: list[Note], bars: int, semitones: int = 0) -> list[Note]:
    return [(start + 4 * bars, length, pitch + semitones, program) for start, length, pitch, program in notes]


def approx(**values: float) -> dict[str, object]:
    return {name.replace("_", " "): pytest.approx(value) for name, value in values.items()}


def test_traits_of_a_bar() -> None:
    found = measure(excerpt(BAR, 1))
    assert found.keys() == TRAITS.keys()
    wanted = approx(
        mean_pitch=63.6,
        pitch_range=7,
        mean_interval=3.0,
        repeated_notes=0,
        steps=0.25,
        notes_a_bar=5,
        empty_bars=0,
        onsets_on_the_beat=0.8,
        onsets_between_eighths=0,
        mean_duration=0.8,
        mean_polyphony=1,
        greatest_polyphony=1,
        players=1,
        drum_strokes=0,
        bars_heard_before=0,
        mean_velocity=80,
    )
    assert {name: found[name] for name in wanted} == wanted
    assert found["pitch-class entropy"] == pytest.approx(math.log2(5))
    assert math.isnan(found["likeness 1 bar on"])
    assert math.isnan(found["groove consistency"])


def test_repetition_tells_rhythm_from_notes() -> None:
    found = measure(excerpt(BAR + later(BAR, 1, 3) + later(BAR, 2) + later(BAR, 4), 5))
    wanted = approx(
        empty_bars=0.2,
        notes_a_bar=4,
        bars_with_a_known_rhythm=0.75,
        bars_heard_before=0.5,
        likeness_1_bar_on=0,
        likeness_2_bars_on=2 / 3,
        likeness_4_bars_on=1,
    )
    assert {name: found[name] for name in wanted} == wanted
    # The two changes to and from the empty bar differ in five of 48 places, the other two in none.
    assert found["groove consistency"] == pytest.approx(1 - 0.5 * 5 / 48)


def test_polyphony_counts_what_sounds_at_once() -> None:
    chord: list[Note] = [(0, 2, 60, 0), (0, 2, 64, 0), (0, 1, 67, 0), (3, 1, 67, 0), (0, 4, 40, DRUMS)]
    found = measure(excerpt(chord, 1))
    assert found["mean polyphony"] == pytest.approx((3 + 2 + 1) / 3)
    assert found["greatest polyphony"] == 3
    assert found["drum strokes"] == pytest.approx(0.2)
    assert found["players"] == 2


def test_meters_of_eighths_count_eighths() -> None:
    jig: list[Note] = [(place / 2, 0.5, 60 + place, 0) for place in range(6)]
    found = measure(excerpt(jig, 1, Meter(6, 8)))
    assert found["onsets on the beat"] == 1
    assert shares(excerpt(jig, 1, Meter(6, 8)))["place in the beat"] == pytest.approx([1] + [0] * 11)


@pytest.mark.parametrize("seed", range(8))
def test_transposition_resolution_and_the_order_of_tracks_change_nothing_else(seed: int) -> None:
    score = random_score(seed)
    plain = measure(Excerpt(score, 4))
    moved = replace(score, pitch=np.where(score.program == DRUMS, score.pitch, score.pitch + 3))
    finer = replace(score, ppq=480, onset=score.onset * 20, duration=score.duration * 20)
    for other, change in ((moved, 3), (finer, 0)):
        found = measure(Excerpt(other, 4))
        assert found.pop("mean pitch") == pytest.approx(plain["mean pitch"] + change)
        assert found == pytest.approx({name: plain[name] for name in found}, nan_ok=True)


def test_silence_and_drums_have_the_traits_that_apply() -> None:
    silence = measure(Excerpt(Score.empty(), 4))
    assert {name for name, value in silence.items() if not math.isnan(value)} == {
        "notes a bar",
        "empty bars",
        "players",
    }
    assert silence["empty bars"] == 1
    beat = measure(excerpt([(place / 2, 0.5, 42, DRUMS) for place in range(16)], 2))
    assert beat["bars heard before"] == 0.5
    assert math.isnan(beat["mean pitch"])
    assert math.isnan(beat["mean interval"])


def test_vectors_are_rows_of_traits() -> None:
    rows = vectors([Excerpt(random_score(seed), 4) for seed in range(3)])
    assert rows.shape == (3, len(TRAITS))
    assert rows[1].tolist() == pytest.approx(list(measure(Excerpt(random_score(1), 4)).values()), nan_ok=True)
    assert vectors([]).shape == (0, len(TRAITS))


def test_shares_sum_to_one() -> None:
    for seed in range(8):
        divided = shares(Excerpt(random_score(seed), 4))
        assert {name: len(part) for name, part in divided.items() if part is not None} == SHARES
        assert all(part is None or part.sum() == pytest.approx(1) for part in divided.values())


def test_degrees_are_counted_from_the_tonic_and_intervals_have_a_direction() -> None:
    scale: list[Note] = [(place, 1, 62 + step, 0) for place, step in enumerate((0, 2, 4, 5, 7, 9, 11, 12))]
    divided = shares(excerpt(scale, 2))
    degree, interval = divided["degree"], divided["interval"]
    assert degree is not None
    assert interval is not None
    assert np.flatnonzero(degree).tolist() == [0, 2, 4, 5, 7, 9, 11]
    assert degree[0] == 0.25
    assert interval[[13, 14]].tolist() == pytest.approx([2 / 7, 5 / 7])


def test_every_excerpt_weighs_the_same() -> None:
    one, many = excerpt([(0, 1, 60, 40)], 1), excerpt([(place / 4, 0.25, 60, 73) for place in range(16)], 1)
    instrument = pooled([one, many, Excerpt(Score.empty(), 1)])["instrument"]
    assert instrument[[5, 9]].tolist() == [0.5, 0.5]
    assert pooled([])["degree"].tolist() == [0] * 12


def test_an_excerpt_has_its_bars_whether_or_not_they_sound() -> None:
    assert excerpt(BAR, 3).edges.tolist() == [0, 96, 192, 288]
    assert excerpt(BAR + later(BAR, 2), 2).edges.tolist() == [0, 96, 192]
    assert excerpt(BAR + later(BAR, 2), 2).bar.max() == 1
    with pytest.raises(InvalidInputError, match=r"excerpt\.bars"):
        Excerpt(Score.empty(), 0)


class TestDecoys:
    music = Excerpt(random_score(4), 4)

    def test_shuffled_bars_are_the_same_bars(self) -> None:
        shuffled = decoy.shuffled_bars(self.music, np.random.default_rng(2))
        assert sorted(np.bincount(shuffled.bar)) == sorted(np.bincount(self.music.bar))
        assert sorted(shuffled.place) == sorted(self.music.place)
        assert shuffled.score.onset.tolist() != self.music.score.onset.tolist()

    def test_shuffled_pitches_are_the_same_pitches(self) -> None:
        score, shuffled = self.music.score, decoy.shuffled_pitches(self.music, np.random.default_rng(1)).score
        assert np.bincount(shuffled.pitch).tolist() == np.bincount(score.pitch).tolist()
        assert shuffled.onset.tolist() == score.onset.tolist()
        drums = [each.pitch[each.program < 0].tolist() for each in (score, shuffled)]
        assert drums[0] == drums[1]
        assert shuffled.pitch.tolist() != score.pitch.tolist()

    def test_noise_has_the_players_and_the_length(self) -> None:
        noise = decoy.noise(self.music, np.random.default_rng(1))
        assert np.unique(noise.score.program).tolist() == np.unique(self.music.score.program).tolist()
        assert len(noise.score) == len(self.music.score)
        assert noise.score.onset.max() < self.music.edges[-1]
        assert noise.bars == self.music.bars
