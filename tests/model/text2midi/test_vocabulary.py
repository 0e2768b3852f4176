"""Tokens become the score that miditok makes of them."""

import numpy as np
import pytest
from miditok import TokSequence  # type: ignore[import-untyped]

from motet.model.text2midi.vocabulary import Vocabulary
from motet.model.tokenizer import _from_symusic
from motet.music.error import InvalidInputError, NotFoundError
from motet.music.meter import Meter
from motet.music.score import DRUMS
from tests.model.text2midi.published import imported, remi


def vocabulary() -> Vocabulary:
    return Vocabulary.load(imported(64, "train"))


def piece(seed: int) -> list[str]:
    """Six bars that follow one another as in training: meters and tempi change, notes come together or apart."""
    rng = np.random.default_rng(seed)
    names = vocabulary().names

    def one(kind: str) -> str:
        return str(rng.choice([name for name in names if name.startswith(f"{kind}_")]))

    result = []
    for bar in range(6):
        meter = one("TimeSig")
        result += ["Bar_None", meter]
        beats = int(meter.partition("_")[2].partition("/")[0])
        for index, position in enumerate(sorted(rng.choice(12 * beats, 4, replace=False).tolist())):
            result.append("Position_0" if bar == index == 0 else f"Position_{position}")
            if (bar, index) == (0, 0) or rng.random() < 0.2:
                result.append(one("Tempo"))
            for _ in range(int(rng.integers(0, 3))):
                drums = rng.random() < 0.3
                result += ["Program_-1", one("PitchDrum")] if drums else [f"Program_{rng.integers(128)}", one("Pitch")]
                result += [one("Velocity"), one("Duration")]
    return result


@pytest.mark.parametrize("seed", range(8))
def test_a_piece_decodes_as_miditok_decodes_it(seed: int) -> None:
    tokens = vocabulary()
    names = piece(seed)
    ours = tokens.decode([1, *(tokens.names.index(name) for name in names), 2, 0, 0])
    reference = remi()
    theirs = _from_symusic(reference.decode(TokSequence(tokens=names, ids=reference._tokens_to_ids(names))))
    assert ours.ppq == theirs.ppq == 24

    def notes(score: object) -> list[tuple[int, ...]]:
        columns = ("onset", "duration", "pitch", "velocity", "program")
        return sorted(zip(*(getattr(score, name).tolist() for name in columns), strict=True))

    assert notes(ours) == notes(theirs)
    # MIDI files, and symusic with them, hold whole microseconds a quarter note.
    np.testing.assert_allclose(ours.seconds(ours.onset), theirs.seconds(theirs.onset), rtol=2e-6)
    assert (ours.meter_tick.tolist(), ours.meters) == (theirs.meter_tick.tolist(), theirs.meters)


def test_drums_meters_and_tempo_are_read() -> None:
    tokens = vocabulary()
    names = "Bar_None TimeSig_6/8 Position_0 Tempo_100.97 Program_-1 PitchDrum_36 Velocity_127 Duration_0.6.12"
    names += " Position_60 Program_40 Pitch_60 Velocity_63 Duration_2.0.2 Bar_None TimeSig_6/8"
    names += " Position_12 Program_40 Pitch_62 Velocity_63"  # its duration has not been said yet
    score = tokens.decode([tokens.names.index(name) for name in names.split()])
    assert score.meters == (Meter(6, 8),)
    assert score.tempo_bpm.tolist() == [100.97]
    assert score.program.tolist() == [DRUMS, 40]
    assert score.onset.tolist() == [0, 60]  # five eighths of 12 ticks
    assert score.duration.tolist() == [6, 24]


def test_what_the_vocabulary_can_say() -> None:
    tokens = vocabulary()
    assert (tokens.pad_id, tokens.begin_id, tokens.end_id) == (0, 1, 2)
    assert len(tokens.tempos_bpm) == 32
    assert tokens.tempos_bpm[0] == 40
    assert tokens.supports(Meter(6, 8))
    assert tokens.supports(Meter(2, 2))  # written as 4/4
    assert not tokens.supports(Meter(7, 8))
    assert tokens.expansion(4) == ("Bar_None",)
    for bpm in np.linspace(40, 250, 500):
        nearest = min(tokens.tempos_bpm, key=lambda written: abs(np.log(written / bpm)))
        assert tokens.stands_for(nearest, bpm)
    assert not tokens.stands_for(100.97, 110)


def test_unknown_tokens_and_missing_files_are_refused(tmp_path) -> None:
    names = list(vocabulary().names)
    for wrong in ("Chord_maj", "Pitch_x", "Pitch_60"):  # the last one twice
        with pytest.raises(InvalidInputError):
            Vocabulary([*names, wrong])
    with pytest.raises(InvalidInputError):
        Vocabulary([name for name in names if name != "Bar_None"])
    with pytest.raises(NotFoundError):
        Vocabulary.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"config": {}}')
    with pytest.raises(InvalidInputError, match="type"):
        Vocabulary.load(tmp_path)
