"""How fast is rendering: ours, alone and on a farm, against the ways that other projects go.

All ways play the same pieces at the same rate into an array of samples, taking turns round by round, because a shared
machine is not equally fast twice; medians over the rounds are printed. CPU seconds count the processes that a way
starts; ratios are between CPU times. Ours play what scoring hears, which ends with the piece; the others let it ring
for the one to five seconds that they always do.

    python benchmarks/render.py                               # a built-in piece of four tracks
    python benchmarks/render.py --midi FOLDER                 # pieces of four tracks or more found there
    python benchmarks/render.py --growth                      # what a chunk of 4 bars costs as the piece grows
    python benchmarks/render.py --draft CORPUS [--samples F]  # does symusic rank as FluidSynth does?
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pretty_midi  # type: ignore[import-untyped]
import soundfile  # type: ignore[import-untyped]
from draft import Draft  # type: ignore[import-not-found]  # beside this file
from numpy.typing import NDArray
from scipy.signal import resample_poly
from scipy.stats import spearmanr

from motet.music import caption, midi
from motet.music.error import InternalError, MotetError
from motet.music.score import DRUMS, Score
from motet.rewards.farm import Farm
from motet.rewards.plan import Plan
from motet.rewards.render import Player, RenderConfig, Renderer
from motet.rewards.sound import Sound

_HUNG_S = 5.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
COMMAND_RATE_HZ = 44_100
ONE_PROCESS = """
import sys
from pathlib import Path
from motet.music import midi
from motet.rewards.render import RenderConfig, Renderer, wav
rate = int(sys.argv[3])
Path(sys.argv[2]).write_bytes(wav(Renderer(RenderConfig(rate_hz=rate)).render(midi.read(Path(sys.argv[1]))), rate))
"""

Way = Callable[[], object]


def built_in_piece(bars: int = 64) -> Score:
    """A piece by rule at 120 BPM: chords, bass, a melody in quavers and drums, each on a track."""
    notes: list[tuple[float, float, int, int, int]] = []  # onset and length in quarters, pitch, program, track
    for bar in range(bars):
        root = (0, 9, 5, 7)[bar % 4]
        third = 3 if root == 9 else 4
        notes += [(bar * 4, 4, 60 + root + step, 48, 0) for step in (0, third, 7)]
        notes += [(bar * 4 + beat, 1, 36 + root + (0, 7)[beat % 2], 33, 1) for beat in range(4)]
        notes += [
            (bar * 4 + k / 2, 0.5, 72 + root + (0, 7, third, 12)[(k * (bar % 3 + 1)) % 4], 0, 2) for k in range(8)
        ]
        notes += [(bar * 4 + k / 2, 0.25, (36, 42, 38, 42)[k % 4], DRUMS, 3) for k in range(8)]
    rows = np.array(notes, float)
    return Score(
        ppq=480,
        onset=np.rint(rows[:, 0] * 480).astype(int),
        duration=np.rint(rows[:, 1] * 480).astype(int),
        pitch=rows[:, 2].astype(int),
        velocity=np.full(len(rows), 90),
        program=rows[:, 3].astype(int),
        track=rows[:, 4].astype(int),
    )


def found_pieces(folder: Path, count: int, *, bars: int) -> list[Score]:
    """Pieces of at least four tracks and ``bars`` bars below a folder, evenly spread over its files by name."""
    files = sorted([*folder.rglob("*.mid"), *folder.rglob("*.midi")])
    pieces: list[Score] = []
    for place in np.random.default_rng(0).permutation(len(files)):
        if len(pieces) == count:
            break
        try:
            score = midi.read(files[place])
        except MotetError:
            continue
        if len(np.unique(score.track)) >= 4 and len(score.bar_ticks()) > bars and score.duration_s < 600:
            pieces.append(score)
    if not pieces:
        raise SystemExit(f"--midi: no piece of four tracks and {bars} bars below {folder}")
    return pieces


def beginning(score: Score, seconds: float) -> Score:
    """The bars of a piece that end within ``seconds``, at least one."""
    lines = score.bar_ticks()
    last = max(1, int(np.searchsorted(score.seconds(lines), seconds, side="right")) - 1)
    return score.between(0, int(lines[last]))


def cpu_s(processes: Sequence[int] = ()) -> float:
    """CPU seconds of this process, of the children that it has waited for, and of the given ones that still run."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    total = sum(one.ru_utime + one.ru_stime for one in used)
    for process in processes:
        fields = Path(f"/proc/{process}/stat").read_text("ascii").rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    return total


def read_wav(path: Path, rate_hz: int) -> NDArray[np.float32]:
    """The samples of a WAV file at the rate wanted."""
    audio, rate = soundfile.read(path, dtype="float32")
    return np.asarray(audio if rate == rate_hz else resample_poly(audio, rate_hz, rate), np.float32)


def of_command(files: Sequence[Path], font: Path, rate_hz: int, *, plain: bool) -> Way:
    """The fluidsynth command, a file and a process for each piece; not plain: as it comes, 44,100 Hz with effects."""
    command = shutil.which("fluidsynth")
    options = ["-R", "0", "-C", "0", "-r", str(rate_hz)] if plain else ["-r", str(COMMAND_RATE_HZ)]

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "out.wav"
            for file in files:
                line = [str(command), "-ni", "-g", "0.5", *options, "-F", str(target), str(font), str(file)]
                subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                read_wav(target, rate_hz)

    return run


def of_processes(files: Sequence[Path], rate_hz: int) -> Way:
    """Ours, but with a new process and a WAV file for each piece."""

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "out.wav"
            for file in files:
                subprocess.run([sys.executable, "-c", ONE_PROCESS, str(file), str(target), str(rate_hz)], check=True)
                read_wav(target, rate_hz)

    return run


def whole(player: Player, piece: Score) -> Plan:
    """All of a piece, as scoring hears it."""
    return player.plan(piece, 0.0, piece.duration_s)


def speed(pieces: Sequence[Score], rate_hz: int, rounds: int) -> list[dict[str, Any]]:
    """One row for each way."""
    config = RenderConfig(rate_hz=rate_hz)
    music_s = sum(piece.duration_s for piece in pieces)
    with (
        tempfile.TemporaryDirectory() as folder,
        Farm(config) as farm,
        Renderer(config) as ours,
        Draft(config) as draft,
    ):
        files = [Path(folder) / f"{place}.mid" for place in range(len(pieces))]
        for file, piece in zip(files, pieces, strict=True):
            file.write_bytes(midi.write(piece))
        read = [pretty_midi.PrettyMIDI(str(file)) for file in files]
        ways: dict[str, Way] = {}
        if shutil.which("fluidsynth"):
            ways["fluidsynth -F, 44.1 kHz, effects"] = of_command(files, config.font, rate_hz, plain=False)
            ways["fluidsynth -F"] = of_command(files, config.font, rate_hz, plain=True)
        else:
            print("no row for the fluidsynth command: `apt-get install fluidsynth` brings it", file=sys.stderr)
        ways["one process per file, ours"] = of_processes(files, rate_hz)
        ways["pretty_midi.fluidsynth"] = lambda: [one.fluidsynth(fs=rate_hz) for one in read]
        ways["Renderer"] = lambda: ours.plays([whole(ours, piece) for piece in pieces])
        if Path("/proc/self/stat").exists():
            ways["Farm, 2 workers"] = lambda: farm.plays([whole(farm, piece) for piece in pieces])
        else:
            print("no row for the farm: the CPU time of its workers is read from /proc", file=sys.stderr)
        ways["symusic"] = lambda: draft.plays([whole(draft, piece) for piece in pieces])
        taken: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for _ in range(rounds):
            for name, way in ways.items():
                workers = farm.processes if name.startswith("Farm") else ()
                wall, cpu = time.perf_counter(), cpu_s(workers)
                way()
                taken[name].append((time.perf_counter() - wall, cpu_s(workers) - cpu))
    rows: list[dict[str, Any]] = []
    for name, several in taken.items():
        wall, cpu = (median(one[kind] for one in several) for kind in (0, 1))
        rows.append({"way": name, "music_s": music_s, "wall_s": wall, "cpu_s": cpu, "music_s_per_cpu_s": music_s / cpu})
    for row in rows:
        for base in ("fluidsynth -F", "fluidsynth -F, 44.1 kHz, effects", "pretty_midi.fluidsynth"):
            slower = [other["cpu_s"] for other in rows if other["way"] == base]
            row[f"times {base}"] = slower[0] / row["cpu_s"] if slower else None
    return rows


def growth(pieces: Sequence[Score], rate_hz: int, chunk: int, bars: int) -> list[dict[str, Any]]:
    """For each chunk of bars: what it costs to hear a beginning anew, and when what was heard before is kept."""
    rows = []
    with Renderer(RenderConfig(rate_hz=rate_hz)) as player:
        kept: list[tuple[Sound, set[bytes]]] = [(Sound(player), set()) for _ in pieces]
        for end in range(chunk, bars + 1, chunk):
            row = {"bars": end, "new_s": 0.0, "anew_cpu_s": 0.0, "kept_cpu_s": 0.0, "played_s": 0.0}
            for (sound, heard), piece in zip(kept, pieces, strict=True):
                lines = piece.bar_ticks()
                part = piece.between(0, int(lines[end]))
                start_s, end_s = piece.seconds(lines[[end - chunk, end]])
                before, rendered_s = time.process_time(), sound.rendered_s
                new = [window for window in sound.windows(part) if window.digest not in heard]
                sound.audios(new)
                heard |= {window.digest for window in new}
                between = time.process_time()
                anew = Sound(player)
                anew.audios(anew.windows(part))
                row["anew_cpu_s"] += (time.process_time() - between) / len(pieces)
                row["kept_cpu_s"] += (between - before) / len(pieces)
                row["new_s"] += (end_s - start_s) / len(pieces)
                row["played_s"] += (sound.rendered_s - rendered_s) / len(pieces)
            rows.append(row)
    return rows


def ranking(corpus: Path, samples: Path | None, count: int, progress: Callable[[str], None]) -> dict[str, float]:
    """Rank correlations between the text reward of first windows as FluidSynth and as symusic play them."""
    import torch

    from motet.model.text import TextEncoder
    from motet.model.tokenizer import Tokenizer
    from motet.rewards.text_audio import TextAudioScorer
    from motet.training.corpus.shard import Shard

    torch.set_num_threads(1)
    encoder = TextEncoder.load()
    scorer = TextAudioScorer.load(embed=lambda captions: encoder.pooled(captions).numpy())
    tokenizer = Tokenizer.load(corpus / "tokenizer")
    texts: list[NDArray[np.float32]] = []
    vectors: list[list[NDArray[np.float32]]] = []
    groups: dict[str, list[list[float]]] = defaultdict(list)
    hung = 0
    with Renderer() as fluidsynth, Farm(workers=1, open_player=Draft, patience_s=_HUNG_S) as symusic:
        sounds = Sound(fluidsynth), Sound(symusic)

        def heard(score: Score) -> list[NDArray[np.float32]] | None:
            """The vectors of the first window by both; None where it has no notes or symusic hangs."""
            nonlocal hung
            try:
                pairs = [(sound, sound.windows(score)[:1]) for sound in sounds]
                return [
                    scorer.audio_vector(sound.audio(window)) for sound, windows in pairs for window in windows
                ] or None
            except InternalError as error:
                progress(error.message)
                hung += 1
                return None

        for split in ("test", "valid"):
            shard = Shard.open(corpus, split)
            for place in np.random.default_rng(0).permutation(len(shard)).tolist():
                if len(vectors) == count:
                    break
                if (pair := heard(tokenizer.decode(shard.tokens(place).tolist()))) is not None:
                    vectors.append(pair)
                    texts.append(scorer.text_vector(caption.parse(shard.captions(place)[0].text)))
                    if len(vectors) % 50 == 0:
                        progress(f"{len(vectors)} of {count} windows")
        for line in [] if samples is None else samples.read_text("utf-8").splitlines()[:count]:
            sample = json.loads(line)
            if samples is not None and (pair := heard(midi.read(samples.parent / sample["midi"]))) is not None:
                asked = scorer.text_vector(caption.parse(sample["caption"]))
                groups[sample["caption"]].append([float(vector @ asked) for vector in pair])
    sure, draft = (np.array([pair[which] for pair in vectors]) for which in (0, 1))
    text = np.array(texts)
    apiece = [float(spearmanr(sure @ one, draft @ one)[0]) for one in text]
    result = {
        "windows": float(len(vectors)),
        "windows on which symusic hangs": float(hung),
        "Spearman, each with its own caption": float(
            spearmanr((sure * text).sum(axis=1), (draft * text).sum(axis=1))[0]
        ),
        "Spearman, all windows for one caption: mean": float(np.mean(apiece)),
        "Spearman, all windows for one caption: 5th percentile": float(np.quantile(apiece, 0.05)),
    }
    several = [np.array(rows) for rows in groups.values() if len(rows) >= 3]
    if several:
        together = np.concatenate(several)
        ranks = [spearmanr(rows[:, 0], rows[:, 1])[0] for rows in several]
        best = [rows[:, 0].argmax() == rows[:, 1].argmax() for rows in several]
        result["samples"] = float(len(together))
        result["Spearman, all samples"] = float(spearmanr(together[:, 0], together[:, 1])[0])
        result["Spearman, samples of one caption: mean"] = float(np.mean(ranks))
        result["share of captions with the same best sample"] = float(np.mean(best))
    return result


def main() -> int:
    """Prints the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--midi", type=Path, help="folder of MIDI files (default: one built-in piece)")
    parser.add_argument("--pieces", type=int, default=8, help="how many of them, default %(default)s")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each piece, default %(default)s")
    parser.add_argument("--rate", type=int, default=22050, help="samples a second, default %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="turns of every way, default %(default)s")
    parser.add_argument("--growth", action="store_true", help="print the cost of a chunk by the length of the piece")
    parser.add_argument("--draft", type=Path, metavar="CORPUS", help="compare rankings on windows of a corpus")
    parser.add_argument("--windows", type=int, default=500, help="how many of them, and samples, default %(default)s")
    parser.add_argument("--samples", type=Path, help="JSON lines with a caption and a MIDI path, several a caption")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    args = parser.parse_args()
    if args.draft is not None:
        result = ranking(args.draft, args.samples, args.windows, lambda line: print(line, file=sys.stderr, flush=True))
        print(json.dumps(result) if args.json else "\n".join(f"{value:9.3f}  {name}" for name, value in result.items()))
        return 0
    bars = 64 if args.growth else 4
    pieces = [built_in_piece()] if args.midi is None else found_pieces(args.midi, args.pieces, bars=bars)
    if args.growth:
        rows = growth(pieces, args.rate, 4, 64)
        if not args.json:
            print("bars  new seconds  seconds played  CPU ms for the chunk  CPU ms anew")
        for row in rows:
            shown = "{bars:4}  {new_s:11.1f}  {played_s:14.1f}  {kept:20.1f}  {anew:11.1f}".format(
                **row, kept=1000 * row["kept_cpu_s"], anew=1000 * row["anew_cpu_s"]
            )
            print(json.dumps(row) if args.json else shown)
        return 0
    parts = [beginning(piece, args.seconds) for piece in pieces]
    rows = speed(parts, args.rate, args.rounds)
    if not args.json:
        length = sum(piece.duration_s for piece in parts)
        print(f"{len(parts)} pieces, {sum(map(len, parts))} notes, {length:.0f} s of music at {args.rate} Hz")
        print(f"{'way':33} music s/CPU s  CPU ms  times -F  times -F 44.1 kHz  times pretty_midi")
    for row in rows:
        ratios = "  ".join(
            f"{'-' if row[name] is None else format(row[name], '.1f'):>{width}}"
            for name, width in (
                ("times fluidsynth -F", 8),
                ("times fluidsynth -F, 44.1 kHz, effects", 17),
                ("times pretty_midi.fluidsynth", 17),
            )
        )
        shown = f"{row['way']:33} {row['music_s_per_cpu_s']:13.0f}  {1000 * row['cpu_s']:6.0f}  {ratios}"
        print(json.dumps(row) if args.json else shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
