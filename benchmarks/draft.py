"""symusic's built-in synthesizer as a player: what a draft of the sound would cost and be worth.

It is no part of the product: on some notes version 0.5.8 loops for ever, so it may only run where it can be killed.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray
from symusic import Note, Synthesizer, Track  # type: ignore[import-untyped]
from symusic import Score as SymusicScore

from motet.music.error import InvalidInputError, UnavailableError
from motet.music.score import DRUMS
from motet.rewards.plan import BLOCK, Plan
from motet.rewards.render import Player, RenderConfig

_QUALITY = 0  # of its envelopes: 1 to 4 sound no different and take longer, 5 and 6 are silent in symusic 0.5.8
_LEVEL = 0.53
"""Makes it as loud as FluidSynth: the median ratio of their root mean squares over 148 windows of real music."""


class Draft(Player):
    """symusic's synthesizer with the same soundfont, without effects; needs no system library.

    It plays only notes that this package built itself, never bytes from outside. Releases that overlap, exclusive
    classes and modulators are rougher than FluidSynth's.

    Raises InvalidInputError for effects, UnavailableError for a soundfont that symusic cannot read, and what
    ``RenderConfig.font`` raises.
    """

    synthesizer = "symusic"

    def __init__(self, config: RenderConfig | None = None) -> None:
        self.config = config or RenderConfig()
        if self.config.effects:
            raise InvalidInputError.of("render.effects", "must be off for the draft synthesizer", True)
        self._lock = threading.Lock()
        path = self.config.font
        try:
            self._synthesizer: Synthesizer | None = Synthesizer(str(path), self.config.rate_hz, _QUALITY)
            self.play(Plan.test_tone())  # the file is read only now
        except (RuntimeError, ValueError, OSError) as error:
            message = f"symusic cannot read the soundfont {path}"
            raise UnavailableError("SOUNDFONT_UNREADABLE", message, {"path": str(path)}) from error

    def play(self, plan: Plan) -> NDArray[np.float32]:
        """See ``Player.play``; the tail is always played out."""
        tail = int(plan.tail_s * self.config.rate_hz) // BLOCK
        audio = np.zeros(((plan.blocks + tail) * BLOCK, 2), np.float32)
        if plan.notes:
            score = self._score(plan, len(audio))
            with self._lock:
                if self._synthesizer is None:
                    raise UnavailableError("RENDERER_CLOSED", "the renderer is closed")
                sound = self._synthesizer.render(score, stereo=True).T[: len(audio)]
            np.multiply(sound, self.config.gain * _LEVEL, out=audio[: len(sound)])
        return audio

    def _score(self, plan: Plan, samples: int) -> SymusicScore:
        """The plan's notes in seconds, and a silent one at the end without which symusic would stop with the last."""
        score = SymusicScore(1, ttype="second")
        seconds = plan.block * (BLOCK / self.config.rate_hz)
        order = np.lexsort((np.arange(len(seconds)), plan.pitch, plan.program))
        begins, ends = order[plan.is_on[order]], order[~plan.is_on[order]]  # the first begun is the first to end
        for program in np.unique(plan.program):
            mine = plan.program[begins] == program
            first, last = begins[mine], ends[mine]
            track = Track("", max(int(program), 0), bool(program == DRUMS), ttype="second")
            track.notes = Note.from_numpy(
                seconds[first].astype(np.float32),
                (seconds[last] - seconds[first]).astype(np.float32),
                plan.pitch[first].astype(np.int8),
                plan.velocity[first].astype(np.int8),
                ttype="second",
            )
            score.tracks.append(track)
        end = Track("", 0, False, ttype="second")
        end.notes.append(Note(samples / self.config.rate_hz, 0.01, 0, 1, ttype="second"))
        score.tracks.append(end)
        return score

    def close(self) -> None:
        """See ``Player.close``."""
        with self._lock:
            self._synthesizer = None
