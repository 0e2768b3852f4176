"""Chooses captions for `motet bench search`: of music that no model has learned from, spread evenly.

Candidates are all captions, of one line, of the windows of a corpus's split. Songs that stand in the training split of
any other corpus given are left out. Then every song gives one caption at most: sources take turns, those with the
fewest songs first, and each choice is of the least represented class by how much a caption states (1 or 2 attributes,
3 or 4, 5 or more), at random within it. The captions are printed in a random order, so that any beginning of the list
is as even.

    python benchmarks/held_out.py CORPUS_DIR --exclude OTHER_CORPUS_DIR > benchmarks/held_out.txt
"""

from __future__ import annotations

import argparse
import json
import lzma
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motet.training.corpus.shard import Shard

CLASSES = ("1 or 2 attributes", "3 or 4 attributes", "5 or more attributes")
FEWEST_BARS = 4  # a caption that asks for less is a wish for a fragment


@dataclass(frozen=True)
class Candidate:
    """One caption of one window."""

    text: str
    stated: int
    source: str
    song: str

    @property
    def kind(self) -> int:
        """Place in ``CLASSES``."""
        return min((self.stated - 1) // 2, len(CLASSES) - 1)


def songs(corpus: Path) -> dict[str, str]:
    """The song that each piece belongs to."""
    with lzma.open(corpus / "pieces.jsonl.xz", "rt", encoding="utf-8") as lines:
        return {row["id"]: row["song"] for row in map(json.loads, lines)}


def known(corpora: Sequence[Path], song_of: dict[str, str]) -> set[str]:
    """Songs with a piece in the training split of a corpus."""
    found: set[str] = set()
    for corpus in corpora:
        shard = Shard.open(corpus, "train")
        pieces = {shard.meta(window).piece for window in range(len(shard))}
        found |= {song_of.get(piece, piece) for piece in pieces}
    return found


def candidates(corpus: Path, split: str, excluded: Sequence[Path]) -> Iterator[Candidate]:
    """Captions that may be chosen."""
    shard, song_of = Shard.open(corpus, split), songs(corpus)
    refused = known(excluded, song_of)
    for window in range(len(shard)):
        meta = shard.meta(window)
        song = song_of[meta.piece]
        if song in refused or meta.infill:
            continue
        for caption in shard.captions(window):
            said = caption.stated
            named = (
                said.tempo_bpm or said.tempo_word, said.key, said.meter, said.drums is not None, said.density,
                said.bars or said.duration_s, *said.instruments, *said.genres, *said.moods,
            )  # fmt: skip
            stated = sum(1 for one in named if one)
            if stated and "\n" not in caption.text and (said.bars is None or said.bars >= FEWEST_BARS):
                yield Candidate(caption.text, stated, meta.source, song)


def choose(offered: Sequence[Candidate], count: int, rng: np.random.Generator) -> list[Candidate]:
    """At most ``count`` candidates, in a random order; see above."""
    offered = [offered[place] for place in rng.permutation(len(offered))]
    chosen: list[Candidate] = []
    while len(chosen) < count:
        used, texts = {one.song for one in chosen}, {one.text for one in chosen}
        left = [one for one in offered if one.song not in used and one.text not in texts]
        if not left:
            break
        kinds, taken = Counter(one.kind for one in chosen), Counter(one.source for one in chosen)
        room = Counter(source for source, _ in {(one.source, one.song) for one in left})
        source = min(room, key=lambda name: (taken[name], room[name], name))
        of_source = [one for one in left if one.source == source]
        chosen.append(min(of_source, key=lambda one: kinds[one.kind]))
    return [chosen[place] for place in rng.permutation(len(chosen))]


def main() -> int:
    """Prints the captions, below comments that say what they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, metavar="CORPUS_DIR")
    parser.add_argument("--split", choices=("valid", "test"), default="test")
    parser.add_argument("--exclude", type=Path, nargs="*", default=[], metavar="CORPUS_DIR")
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    offered = list(candidates(args.corpus, args.split, args.exclude))
    chosen = choose(offered, args.count, np.random.default_rng(args.seed))
    sources, kinds = Counter(one.source for one in chosen), Counter(CLASSES[one.kind] for one in chosen)
    sys.stdout.write(
        f"# {len(chosen)} captions of music that no model here has learned from: of the {args.split} split of the "
        "corpus, without songs\n# that other models were trained on; chosen by benchmarks/held_out.py "
        f"--seed {args.seed}. One caption a song, true of a window of it.\n"
        f"# Sources: {', '.join(f'{name} {many}' for name, many in sorted(sources.items()))}.\n"
        f"# They state: {', '.join(f'{name} {kinds[name]}' for name in CLASSES)}. "
        "One a line, # begins a comment.\n\n"
    )
    sys.stdout.writelines(f"{one.text}\n" for one in chosen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
