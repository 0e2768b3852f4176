"""Measures a scorer on held-out windows: hears them, and runs the proofs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from motet.model.text import TextEncoder
from motet.music import describe
from motet.music.caption import parse
from motet.music.score import Score
from motet.rewards.render import RenderConfig, Renderer
from motet.rewards.sound import Sound
from motet.rewards.text import TextTerm
from motet.rewards.text_audio import TextAudioScorer
from motet.training.corpus.shard import Shard
from motet.training.reward_bench.statistic import Estimate
from motet.training.swap import SWAPS, swaps
from motet.training.text_audio import proof
from motet.training.text_audio.clips import Clips, Font, name_of
from motet.training.text_audio.data import UNSEEN_SOUNDFONTS, Machine, sampled, songs_of, soundfonts, windows_of
from motet.training.text_audio.proof import Embedded, HeldOut, Samples, Swapped
from motet.training.text_audio.report import Report
from motet.training.text_audio.wording import audible, embedded_once

_REPEATED = 8  # pieces that are heard twice


class Exam:
    """Held-out windows of a split, rendered once for any number of scorers of the same spectrum.

    Args:
        corpus: folder of the corpus.
        split: "valid" or "test".
        count: windows at most.
        scorer: its spectrum is what is rendered for.
        encoder: of sentences.
        machine: does the work.
        fonts: first the default one; further ones are measured as well.
        seed: of swaps and intervals.
    """

    def __init__(
        self,
        corpus: Path,
        split: str,
        count: int,
        scorer: TextAudioScorer,
        encoder: TextEncoder,
        machine: Machine,
        *,
        fonts: Sequence[Font],
        seed: int,
    ) -> None:
        shard = Shard.open(corpus, split)
        self.windows, self._scores = windows_of(corpus, shard, count)
        self.shard = shard
        self.encoder = encoder
        self.machine = machine
        self.spectrum = scorer.spectrum.config
        self.fonts = list(fonts)
        self.seed = seed
        self.clips: Clips = machine.render(split, self._scores, self.spectrum, fonts, every=True, seed=seed)
        songs = songs_of(corpus, shard)
        self.songs = [songs[window] for window in self.windows]
        self.known = [shard.attributes(int(window)) for window in self.windows]
        self.captions = [shard.captions(int(window))[0] for window in self.windows]
        self.embed: Embedded = partial(
            embedded_once, encoder=encoder, folder=machine.folder / "sentences", progress=machine.progress
        )

    def held_out(self, scorer: TextAudioScorer) -> HeldOut:
        """The windows as a scorer hears them."""
        scorer.towers.eval()
        return HeldOut(
            known=self.known,
            captions=self.captions,
            songs=self.songs,
            vectors={
                name_of(font): proof.listen(scorer, self.clips, place, len(self.known))
                for place, font in enumerate(self.fonts)
            },
        )

    def swapped(self, scorer: TextAudioScorer) -> dict[str, Swapped]:
        """Proof 1."""
        pairs = {name: swaps(self.known, name, self.seed) for name in SWAPS}
        return proof.swapped(scorer, self.held_out(scorer), pairs, self.embed, self.seed)

    def report(self, scorer: TextAudioScorer, samples: int) -> Report:
        """All five proofs; the last on music that the shipped model writes for ``samples`` of the captions."""
        held = self.held_out(scorer)
        scores = [make() for make in self._scores]
        columns = {
            "length": np.log([max(score.duration_s, 0.1) for score in scores]),
            "loudness": np.bincount(self.clips.piece, self.clips.loudness[:, 0], len(scores))
            / np.maximum(np.bincount(self.clips.piece, minlength=len(scores)), 1),
            "number of notes": np.log1p([len(score) for score in scores]),
        }
        return Report(
            claims=scorer.claims,
            swaps=self.swapped(scorer),
            retrieval=self._retrieval(scorer, held),
            corruption=proof.corruption(scorer, held, self.embed, self.seed),
            explained=proof.explained(scorer, held, self.embed, columns),
            fonts=proof.agreement(scorer, held, self.embed, self.seed),
            repeats=self._repeats(scorer, scores[:_REPEATED]),
            transfer=self._transfer(scorer, samples) if samples else {},
        )

    def _retrieval(self, scorer: TextAudioScorer, held: HeldOut) -> dict[str, dict[str, Estimate]]:
        """By the captions of the corpus under every font, and by captions that say all that is known of a piece."""
        short = proof.read(scorer, [caption.text for caption in self.captions], self.embed)
        found = {font: proof.retrieval(vectors, short, self.songs, self.seed) for font, vectors in held.vectors.items()}
        full = proof.read(scorer, [describe.sentence(audible(known)) for known in self.known], self.embed)
        return found | {"default, all is said": proof.retrieval(held.heard, full, self.songs, self.seed)}

    def _repeats(self, scorer: TextAudioScorer, scores: Sequence[Score]) -> bool:
        """Whether new renderers and caches give the same numbers."""
        asked = [parse(caption.text) for caption in self.captions[: len(scores)]]
        found = []
        for order in (1, -1):  # in another order: what was heard before must not matter
            with Renderer(RenderConfig(rate_hz=self.spectrum.rate_hz)) as renderer:
                term = TextTerm(scorer, Sound(renderer, window_s=self.spectrum.window_s))
                pairs = list(zip(scores, asked, strict=True))[::order]
                found.append([term.judge([score], caption, complete=True) for score, caption in pairs][::order])
        return found[0] == found[1]

    def _transfer(self, scorer: TextAudioScorer, samples: int) -> dict[str, Estimate]:
        some = self.windows[np.linspace(0, len(self.windows) - 1, min(samples, len(self.windows))).astype(int)]
        made = sampled(self.shard, some, self.encoder, self.machine, "test", seed=self.seed)
        scores = [score for score, _ in made]
        makers: list[Callable[[], Score]] = [partial(_given, score) for score in scores]
        clips = self.machine.render("samples-test", makers, self.spectrum, ["default"], every=True, seed=self.seed)
        heard = Samples(
            scores=scores,
            captions=[caption for _, caption in made],
            vectors=proof.listen(scorer, clips, 0, len(scores)),
        )
        return proof.transfer(scorer, heard, self.embed, self.seed)


def fonts_to_measure(further: Sequence[Path]) -> list[Font]:
    """The fonts of training, those that are known to be unseen, and ``further`` ones."""
    unseen = [font for font in UNSEEN_SOUNDFONTS if font.is_file()]
    return [*soundfonts(), *dict.fromkeys([*unseen, *further])]


def _given(score: Score) -> Score:
    return score
