"""What it costs to score one candidate: ours part by part, against InferAlign's way on the same piece in the same run.

InferAlign scores a beam by writing a MIDI file, running the fluidsynth command on the whole of it, loading the WAV file
at 48 kHz with librosa, asking CLAP about ten seconds of it and about the caption, and searching the key in Python over
24 keys, all sixteenths and all 128 pitches. Here that is done with the default soundfont, with a CLAP of the size of
laion/larger_clap_music_and_speech (its weights are random: they cost the same), and with loops written as theirs are.
Two candidates are scored: a piece of ten seconds of which nothing was heard before, and a piece of a minute of which
the last ten seconds are new. Both ways take turns; medians of CPU seconds are printed, those of child processes
included, and ratios between them. What is done once for a request, our caption's vector, is on a line of its own.

    python benchmarks/score.py [--text-backend SPEC] [--rounds 5] [--no-clap]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pretty_midi  # type: ignore[import-untyped]
import soundfile  # type: ignore[import-untyped]
import torch
from numpy.typing import NDArray
from scipy.signal import resample_poly
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

from motet.model.text import TextEncoder
from motet.music import caption, midi
from motet.music.caption import Caption
from motet.music.score import DRUMS, Score
from motet.rewards import adherence, text
from motet.rewards.harmony import HarmonyReward
from motet.rewards.render import Player, RenderConfig, Renderer
from motet.rewards.sound import Sound
from motet.rewards.text import TextTerm
from motet.rewards.text_audio import TextAudioScorer
from motet.rewards.text_backend import TextBackend

CAPTION = "A cheerful pop song in C major at 120 BPM in 4/4 with piano, strings, bass and drums."
ONE_PROCESS = """
import sys
from pathlib import Path
from motet.music import midi
from motet.rewards.render import RenderConfig, Renderer, wav
audio = Renderer(RenderConfig(rate_hz=44100, effects=True)).render(midi.read(Path(sys.argv[1])))
Path(sys.argv[2]).write_bytes(wav(audio, 44100))
"""
OURS, THEIRS = "ours", "InferAlign"
WHOLE = "whole candidate"
WORDS = 24  # tokens of the caption, as RoBERTa's vocabulary would have it
PITCH_TO_FIFTHS = [0, -5, 2, -3, 4, -1, -6, 1, -4, 3, -2, 5]
MAJORS = [0, 7, 2, 9, 4, 11, 5, 10, 3, 8, 1, 6]


def piece(bars: int) -> Score:
    """Four tracks at 120 BPM by rule: strings, bass, a melody in quavers, drums; a bar lasts two seconds."""
    rng = np.random.default_rng(0)
    rows: list[tuple[float, ...]] = []  # onset and length in quarters, pitch, program, track
    for bar in range(bars):
        root, third = ((0, 4), (9, 3), (5, 4), (7, 4))[bar % 4]
        rows += [(bar * 4, 4, 60 + root + step, 48, 0) for step in (0, third, 7)]
        rows += [(bar * 4 + beat, 1, 36 + root + 7 * (beat % 2), 33, 1) for beat in range(4)]
        rows += [(bar * 4 + k / 2, 0.5, 72 + root + int(rng.choice([0, third, 7, 12])), 0, 2) for k in range(8)]
        rows += [(bar * 4 + k / 2, 0.25, (36, 42, 38, 42)[k % 4], DRUMS, 3) for k in range(8)]
    notes = np.array(rows, float)
    ticks = np.rint(notes[:, :2] * 480).astype(int)
    pitch, program, track = notes[:, 2:].astype(int).T
    return Score(480, ticks[:, 0], ticks[:, 1], pitch, np.full(len(notes), 90), program, track)


class Stopwatch:
    """CPU seconds of this process and its children by the names of parts, over many turns."""

    def __init__(self) -> None:
        self.turns: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Adds the time of its block to the present turn of a part."""
        before = self._now()
        yield
        self.turns[name].append(self._now() - before)

    def medians(self) -> dict[str, float]:
        """Median seconds of each part."""
        return {name: median(several) for name, several in self.turns.items()}

    @staticmethod
    def _now() -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in used)


def ours(
    score: Score, heard: Score | None, asked: Caption, backend: TextBackend, player: Player, watch: Stopwatch
) -> None:
    """One turn of our way, part by part; what ``heard`` is part of is in the caches before."""
    part, whole = Sound(player, window_s=backend.window_s), Sound(player, window_s=backend.window_s)
    term = TextTerm(backend, whole)
    kept = set()
    if heard is not None:
        before = part.windows(heard)
        part.audios(before)
        kept = {window.digest for window in before}
        term.judge([heard], asked, complete=False)
    with watch.part("plan windows"):
        windows = part.windows(score)
    with watch.part("render"):
        audios = part.audios([window for window in windows if window.digest not in kept])
    if isinstance(backend, TextAudioScorer):
        with watch.part("spectrum"), torch.inference_mode():
            images = [backend.spectrum(torch.from_numpy(audio.copy())[None]) for audio in audios]
        with watch.part("audio tower"), torch.inference_mode():
            for image in images:
                backend.towers.audio_vectors(*image)
    else:
        with watch.part("audio tower"):
            for audio in audios:
                backend.audio_vector(audio)
    with watch.part("harmony"):
        HARMONY.judge(score, asked.attributes.key)
    with watch.part("adherence"):
        adherence.judge(score, asked.attributes, complete=False)
    with watch.part(WHOLE):
        term.judge([score], asked, complete=False)
        HARMONY.judge(score, asked.attributes.key)
        adherence.judge(score, asked.attributes, complete=False)
    with watch.part("the same, heard before"):
        term.judge([score], asked, complete=False)
        HARMONY.judge(score, asked.attributes.key)
        adherence.judge(score, asked.attributes, complete=False)


HARMONY = HarmonyReward()


def theirs(score: Score, clap: Clap | None, watch: Stopwatch) -> None:
    """One turn of InferAlign's way, part by part."""
    with tempfile.TemporaryDirectory() as folder:
        file, sound = Path(folder) / "beam.mid", Path(folder) / "beam.wav"
        with watch.part("write MIDI file"):
            file.write_bytes(midi.write(score))
        with watch.part(RENDERING):
            render(file, sound)
        with watch.part(LOADING):
            audio = load(sound)
        if clap is not None:
            with watch.part("CLAP features"):
                features = clap.features(audio)
            with watch.part("CLAP, sound and caption"):
                clap.logit(features)
        with watch.part("key search in Python"):
            find_key(file)


FLUIDSYNTH = shutil.which("fluidsynth")
RENDERING = "fluidsynth -F, whole piece" if FLUIDSYNTH else "one process, whole piece (no fluidsynth command)"
LIBROSA = importlib.util.find_spec("librosa") is not None
LOADING = "librosa.load at 48 kHz" if LIBROSA else "load, resample_poly to 48 kHz (no librosa)"


def render(file: Path, target: Path) -> None:
    """The command as InferAlign runs it; without it, a process of its own that plays through the library."""
    if FLUIDSYNTH:
        font = str(RenderConfig().font)
        line = [FLUIDSYNTH, "-ni", "-F", str(target), "-r", "44100", font, str(file)]
    else:
        line = [sys.executable, "-c", ONE_PROCESS, str(file), str(target)]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def load(file: Path) -> NDArray[np.float32]:
    """A WAV file as mono sound at 48 kHz."""
    if LIBROSA:
        import librosa  # type: ignore[import-not-found, unused-ignore]

        return np.asarray(librosa.load(file, sr=48000)[0], np.float32)
    audio, rate = soundfile.read(file, dtype="float32")
    return np.asarray(resample_poly(audio.mean(axis=1), 48000, rate), np.float32)


class Clap:
    """A CLAP of the size of laion/larger_clap_music_and_speech, with random weights."""

    def __init__(self) -> None:
        config = ClapConfig(
            text_config={"vocab_size": 50265},
            audio_config={
                "patch_embeds_hidden_size": 128,
                "depths": [2, 2, 12, 2],
                "num_attention_heads": [4, 8, 16, 32],
                "hidden_size": 1024,
            },
        )
        model: Any = ClapModel(config)
        self._model = model.eval()
        self._extractor: Any = ClapFeatureExtractor(truncation="rand_trunc")
        self._words = torch.randint(4, 50265, (1, WORDS), generator=torch.Generator().manual_seed(0))
        self.parameters = sum(parameter.numel() for parameter in self._model.parameters())

    def features(self, audio: NDArray[np.float32]) -> Any:
        """What the model sees of ten seconds at random."""
        return self._extractor(audio, sampling_rate=48000, return_tensors="pt")

    def logit(self, features: Any) -> float:
        """The raw logit, the caption read anew as InferAlign does each time."""
        with torch.no_grad():
            return float(self._model(input_ids=self._words, **features).logits_per_audio[0])


def find_key(file: Path) -> tuple[int, bool]:
    """The tonic and whether it is major, by loops over keys, sixteenths and pitches: a point is made for each cell."""
    music = pretty_midi.PrettyMIDI(str(file))
    music.instruments = [one for one in music.instruments if not one.is_drum]
    beats = music.get_beats()
    quarters = [(start, (end - start) / 4) for start, end in pairwise(beats)]
    steps = [start + length * part for start, length in quarters for part in range(4)]
    roll = music.get_piano_roll(times=np.array([*steps, beats[-1]])) > 0
    homes = {True: major_key(0), False: minor_key(3)}
    best, nearest = (0, True), float("inf")
    for major in (True, False):
        for home in MAJORS:
            total, count = np.zeros(3), 0
            for step in range(int(roll.shape[1] * 0.5)):
                for pitch in range(128):
                    if roll[pitch, step]:
                        total += point(PITCH_TO_FIFTHS[(pitch - home) % 12])
                        count += 1
            distance = float(np.linalg.norm(total / max(count, 1) - homes[major]))
            if distance < nearest:
                best, nearest = (home if major else (home + 9) % 12, major), distance
    return best


def point(fifths: int) -> NDArray[np.float64]:
    """A pitch on the spiral."""
    place = np.zeros(3)
    turn = fifths % 4
    if turn in (0, 2):
        place[1] = 1 - turn
    else:
        place[0] = 2 - turn
    place[2] = 0.4 * fifths
    return place


def triad(root: int, *, major: bool) -> NDArray[np.float64]:
    """A chord on the spiral."""
    return 0.536 * point(root) + 0.274 * point(root + 1) + 0.19 * point(root + (4 if major else -3))


def major_key(tonic: int) -> NDArray[np.float64]:
    """A major key on the spiral."""
    return 0.536 * triad(tonic, major=True) + 0.274 * triad(tonic + 1, major=True) + 0.19 * triad(tonic - 1, major=True)


def minor_key(tonic: int) -> NDArray[np.float64]:
    """A minor key on the spiral."""
    fifth = 0.75 * triad(tonic + 1, major=True) + 0.25 * triad(tonic + 1, major=False)
    fourth = 0.75 * triad(tonic - 1, major=False) + 0.25 * triad(tonic - 1, major=True)
    return 0.536 * triad(tonic, major=False) + 0.274 * fifth + 0.19 * fourth


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text-backend", default="builtin", metavar="SPEC", help="ours, default %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="turns of both ways, default %(default)s")
    parser.add_argument("--no-clap", action="store_true", help="leave CLAP out of InferAlign's way")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    args = parser.parse_args()
    torch.set_num_threads(1)
    encoder = TextEncoder.load()

    def embed(captions: Sequence[str]) -> NDArray[np.float32]:
        return encoder.pooled(captions).numpy()

    backend = text.open(args.text_backend, embed)
    asked = caption.parse(CAPTION)
    backend.text_vector(caption.parse("Something else."))
    once = Stopwatch()
    with once.part("caption"):
        backend.text_vector(asked)
    clap = None if args.no_clap else Clap()
    minute = piece(30)
    cases: dict[str, tuple[Score, Score | None]] = {
        "10 s, all new": (piece(5), None),
        "60 s, last 10 s new": (minute, minute.between(0, int(minute.bar_ticks()[25]))),
    }
    config = RenderConfig(rate_hz=backend.rate_hz)
    with Renderer(config) as renderer:
        for name, (score, heard) in cases.items():
            turns: dict[str, Callable[[Stopwatch], None]] = {
                OURS: partial(ours, score, heard, asked, backend, renderer),
                THEIRS: partial(theirs, score, clap),
            }
            watches = {way: Stopwatch() for way in turns}
            for turn in turns.values():
                turn(Stopwatch())  # compiles, opens files for the first time
            for _ in range(args.rounds):
                for way, turn in turns.items():
                    turn(watches[way])
            report(name, {way: watch.medians() for way, watch in watches.items()}, as_json=args.json)
    size = "" if clap is None else f"; CLAP of {clap.parameters / 1e6:.0f} M parameters"
    line = f"once a request: the caption's vector, {1000 * once.medians()['caption']:.1f} ms{size}"
    print(json.dumps({"caption_s": once.medians()["caption"]}) if args.json else line)
    return 0


def report(case: str, ways: dict[str, dict[str, float]], *, as_json: bool) -> None:
    """Prints the parts of all ways and the ratios."""
    theirs = sum(ways[THEIRS].values())
    bare = sum(seconds for part, seconds in ways[THEIRS].items() if not part.startswith("CLAP"))
    if not as_json:
        print(f"{case:54} CPU ms")
    for way, parts in ways.items():
        whole = parts.get(WHOLE, theirs)
        ratios = {"times": theirs / whole, "times_without_clap": bare / whole}
        if as_json:
            print(json.dumps({"case": case, "way": way, "parts": parts, **ratios}), flush=True)
            continue
        for part, seconds in parts.items():
            print(f"  {way:10} {part:38} {1000 * seconds:8.1f}")
        if way == THEIRS:
            print(f"  {way:10} {WHOLE:38} {1000 * theirs:8.1f}\n", flush=True)
        else:
            told = f"{theirs / whole:.1f} times faster than InferAlign's way; {bare / whole:.1f} times without its CLAP"
            print(f"  {way:10} {told}")


if __name__ == "__main__":
    sys.exit(main())
