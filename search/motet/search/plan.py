"""Plans: what a request comes to when its controls are laid over what its caption states."""

from __future__ import annotations

from dataclasses import dataclass, replace

from motet.model.controls import Controls, players_asked
from motet.model.header import DRUM_PLAYER, players_of
from motet.music.attributes import Attributes
from motet.music.caption import Caption
from motet.music.describe import describe
from motet.music.score import DRUMS
from motet.search.request import DEFAULT_BARS, SearchRequest, stated_bars


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """What holds for every piece of a search; made by ``of``.

    Args:
        request: as received.
        caption: the original words, with the attributes that pieces are judged against: the controls win over the
            words, and a seed counts as stated.
        bars: how many are written.
        first_bar: bars of a seed before the first one that is written.
        length_bars: of the whole piece.
        seeded: attributes of the seed, empty without one.
    """

    request: SearchRequest
    caption: Caption
    bars: int
    first_bar: int
    length_bars: int
    seeded: Attributes

    @classmethod
    def of(cls, request: SearchRequest) -> Plan:
        """The plan of a request; without a length of its own it gets that of the caption, else 8 bars."""
        caption = request.parsed()
        seed = request.controls.seed
        seeded = Attributes() if seed is None else describe(seed.score)
        open_ = cls(request=request, caption=caption, bars=0, first_bar=0, length_bars=0, seeded=seeded)
        asked = open_._laid_over(caption.attributes)
        bars = request.bars or stated_bars(asked) or DEFAULT_BARS
        first_bar, length_bars = 0, bars
        if seed is not None and seed.continues:
            first_bar, length_bars = seed.length_bars, seed.length_bars + bars
        elif seed is not None:
            length_bars = seed.length_bars
            first, last = seed.bars or (1, length_bars)
            first_bar, bars = first - 1, last - first + 1
        plan = replace(open_, bars=bars, first_bar=first_bar, length_bars=length_bars)
        return replace(plan, caption=Caption(caption.text, plan.settled(caption.attributes)))

    def piece_bars(self, written: int) -> int:
        """Bars of a piece of which ``written`` are written."""
        seed = self.request.controls.seed
        return self.length_bars if seed is not None and not seed.continues else self.first_bar + written

    def settled(self, stated: Attributes) -> Attributes:
        """What is asked of a whole piece by words that state ``stated``."""
        asked, seed = self._laid_over(stated), self.request.controls.seed
        if seed is None:
            return asked
        written = tuple(player for player in seed.players if player != DRUM_PLAYER) or asked.instruments
        drums = True if DRUM_PLAYER in seed.players else asked.drums
        if drums is False and (seed.kept.program == DRUMS).any():
            drums = None  # what is kept is nobody's fault
        measured = seed.continues and asked.bars is not None
        return replace(
            asked,
            tempo_bpm=self.seeded.tempo_bpm,
            tempo_word=None,
            key=asked.key or self.seeded.key,
            meter=self.seeded.meter,
            instruments=tuple(dict.fromkeys((*self.seeded.instruments, *written))),
            drums=drums,
            bars=self.length_bars if measured else None,
            duration_s=None,
        )

    def controls(self, stated: Attributes) -> Controls:
        """What holds while a row is decoded for words that state ``stated``."""
        request, asked = self.request, self._laid_over(stated)
        seed, only = request.controls.seed, request.controls.only_instruments
        others: dict[str, object] = {}
        required = players_asked(asked)
        if seed is not None and seed.players:
            # Nobody else is written anyway.
            others |= {"required": seed.players, "allowed": None}
        elif only:
            others["allowed"] = required
        elif request.controls.instruments or seed is not None:
            others["allowed"] = tuple(range(DRUM_PLAYER)) if asked.drums is False else None
        if seed is not None and not seed.continues and not seed.players:
            # Whoever loses notes plays again, unless ruled out: a hole must not stay empty.
            allowed = others["allowed"]
            others["required"] = tuple(
                player
                for player in dict.fromkeys((*required, *self._silenced()))
                if not isinstance(allowed, tuple) or player in allowed
            )
        return Controls.of(
            replace(asked, key=self.settled(stated).key),
            bars=self.length_bars,
            scale=request.controls.key_lock,
            seed=seed,
            temperature=request.temperature,
            top_p=request.top_p,
            guidance=request.guidance,
            **others,
        )

    def _silenced(self) -> tuple[int, ...]:
        """Players of the seed who lose notes to what is written anew."""
        seed = self.request.controls.seed
        assert seed is not None  # noqa: S101 (asked only then)
        first, last = seed.bars or (1, seed.length_bars)
        return players_of(seed.score.between((first - 1) * seed.bar_ticks, last * seed.bar_ticks))

    def _laid_over(self, stated: Attributes) -> Attributes:
        """The controls, without the seed, laid over what words state."""
        request, controls = self.request, self.request.controls
        wins: dict[str, object] = {}
        if controls.tempo_bpm is not None:
            wins |= {"tempo_bpm": controls.tempo_bpm, "tempo_word": None}
        if controls.key is not None:
            wins["key"] = controls.key
        if controls.meter is not None:
            wins["meter"] = controls.meter
        if controls.instruments:
            wins["instruments"] = controls.programs
        elif controls.only_instruments:  # those of the original: no mutant may let others in
            original = request.parsed().attributes
            wins |= {"instruments": original.instruments, "drums": bool(original.drums)}
        if controls.drums_asked is not None:
            wins["drums"] = controls.drums_asked
        if request.bars is not None:
            wins |= {"bars": request.bars, "duration_s": None}
        return replace(stated, **wins)  # type: ignore[arg-type]
