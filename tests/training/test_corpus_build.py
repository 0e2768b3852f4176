from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motet.model.tokenizer import Tokenizer
from motet.music import midi
from motet.music.error import InvalidInputError, NotFoundError
from motet.music.meter import Meter
from motet.music.score import DRUMS, Score
from motet.training.corpus import command, mix, split, truth
from motet.training.corpus.build import build
from motet.training.corpus.collection import Collection
from motet.training.corpus.config import BuildConfig
from motet.training.corpus.manifest import Piece
from motet.training.corpus.report import read
from motet.training.corpus.shard import Shard

VOCABULARY = 700
CONFIG = BuildConfig(tokens=12_000, held_out_windows=8, vocabulary=VOCABULARY, processes=1, seed=3)


def song(rng: np.random.Generator, meter: Meter) -> Score:
    """20 bars of random eighths in C major, a random bass note a bar and drums."""
    length = meter.bar_ticks(480)
    notes: list[tuple[int, int, int, int, int]] = []
    for start in range(0, 20 * length, length):
        melody = rng.choice([60, 62, 64, 65, 67, 69, 71], size=length // 240)
        notes += [(start + 240 * place, 240, int(pitch), 0, 0) for place, pitch in enumerate(melody)]
        notes.append((start, length, int(rng.choice([36, 40, 41, 43])), 33, 1))
        notes += [(start + tick, 60, 38, DRUMS, 2) for tick in range(0, length, 480)]
    onset, duration, pitch, program, track = np.array(notes).T
    return Score(
        480,
        onset,
        duration,
        pitch,
        np.full(len(notes), 80),
        program,
        track,
        tempo_bpm=np.array([float(rng.integers(80, 140))]),
        meters=(meter,),
        track_names=("Solo", "Bass", "Drums"),
    )


def names() -> list[str]:
    """Ids of which a few fall into each held-out split."""
    found: dict[str, list[str]] = {name: [] for name in split.SPLITS}
    wanted = {"train": 16, "valid": 3, "test": 3}
    number = 0
    while any(len(found[name]) < wanted[name] for name in wanted):
        name = f"piece-{number:03}"
        side = split.of_group(name)
        if len(found[side]) < wanted[side]:
            found[side].append(name)
        number += 1
    return sorted(found["train"] + found["valid"] + found["test"])


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("collection")
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for number, name in enumerate(names()):
        source = ("nottingham-band", "mma-synth")[number % 2]
        path = f"{source}/{name}.mid"
        (folder / source).mkdir(exist_ok=True)
        (folder / path).write_bytes(midi.write(song(rng, (Meter(4, 4), Meter(3, 4))[number % 2])))
        rows.append(
            {"id": name, "path": path, "source": source, "source_repo": "somewhere/else", "licence": "GPL-3.0",
             "genre": ["rock", "waltz"], "key": "C major", "n_notes": 300, "n_tracks": 3, "bars_est": 20,
             "tempo_source": ("score", "default (not in score)")[number % 2]}
        )  # fmt: skip
    damaged = rows[0] | {"id": "damaged", "path": "damaged.mid", "dup_cluster": "damaged"}
    (folder / "damaged.mid").write_bytes(b"MThd nothing good")
    tiny = rows[0] | {"id": "tiny", "n_notes": 3}
    # The same notes a tone higher, slower and louder, in a file that nothing else joins to the first.
    higher = midi.read(folder / rows[0]["path"])
    higher = replace(
        higher,
        pitch=np.where(higher.program == DRUMS, higher.pitch, higher.pitch + 2),
        velocity=np.full(len(higher), 100, np.int16),
        tempo_bpm=higher.tempo_bpm * 0.8,
    )
    (folder / "copy.mid").write_bytes(midi.write(higher))
    copy = rows[0] | {"id": "zz-copy", "path": "copy.mid", "key": "D major", "dup_cluster": "copy"}
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, damaged, tiny, copy]))
    return folder


@pytest.fixture(scope="module")
def built(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("shards")
    return out, build(Collection(folder=collection), out, CONFIG, tokenizer=None, progress=lambda line: None)


def test_splits_sizes_and_sources(built: tuple[Path, dict[str, Any]]) -> None:
    out, report = built
    assert report == read(out)
    assert report["overlap"] == {"pieces": 0, "songs": 0, "note_digests": 0, "windows": 0}
    assert 0.7 < report["splits"]["train"]["tokens"] / CONFIG.tokens < 1.3
    for name in ("valid", "test"):
        assert 4 <= report["splits"][name]["windows"] <= 12
    shares = report["splits"]["train"]["sources"]
    assert set(shares) == {"nottingham-band", "mma-synth"}
    assert abs(shares["nottingham-band"]["share"] - 0.40 / 0.48) < 0.1
    assert report["refused"]["pieces: fewer than 16 notes"] == 1
    assert report["refused"]["pieces: broken: no MIDI that can be read"] == 1
    assert report["refused"]["pieces: exact copies of another piece"] == 1
    sources = json.loads((out / "sources.json").read_text())
    assert {row["source"] for row in sources} == set(shares)
    assert sum(row["windows"] for row in sources) == report["splits"]["train"]["windows"]


def test_no_piece_is_in_two_splits_and_labels_are_true_of_the_tokens(built: tuple[Path, dict[str, Any]]) -> None:
    out, _ = built
    tokenizer = Tokenizer.load(out / "tokenizer")
    assert len(tokenizer) <= VOCABULARY
    seen: dict[str, str] = {}
    for name in split.SPLITS:
        shard = Shard.open(out, name)
        for index in range(len(shard)):
            meta, attributes, tokens = shard.meta(index), shard.attributes(index), shard.tokens(index)
            assert seen.setdefault(meta.piece, name) == name
            assert len(shard.captions(index)) == 3
            assert len(tokens) <= CONFIG.window.max_tokens
            bars = sum(base.startswith("Bar") for token in tokens for base in tokenizer.expansion(int(token)))
            assert bars == meta.bars or meta.infill
            assert meta.bars == attributes.bars
            assert not any(truth.read(caption.text, attributes)[1] for caption in shard.captions(index))
            score = tokenizer.decode([int(token) for token in tokens])
            assert score.meters[0] == attributes.meter
            assert set(score.program.tolist()) - {DRUMS} == set(attributes.instruments)
            assert attributes.drums is True
            assert attributes.genres == ("rock", "waltz")
            # The "Solo" of mma-synth is noise, and its tempo here a converter's default.
            assert (0 in attributes.instruments) == (meta.source == "nottingham-band")
            assert (attributes.tempo_bpm is None) == (meta.source == "mma-synth")
            if name != "train":
                assert meta.transposed == 0
            if attributes.tempo_bpm is not None:
                assert tokenizer.stands_for(float(score.tempo_bpm[0]), attributes.tempo_bpm)


def test_the_same_seed_gives_the_same_bytes(
    collection: Path, built: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    out, _ = built
    tokenizer = out / "tokenizer"
    build(Collection(folder=collection), tmp_path / "same", CONFIG, tokenizer=tokenizer, progress=lambda line: None)
    for name in split.SPLITS:
        for file in ("tokens.xz", "offsets.npy", "windows.jsonl.xz"):
            assert (tmp_path / "same" / name / file).read_bytes() == (out / name / file).read_bytes()
    other = BuildConfig(tokens=12_000, held_out_windows=8, vocabulary=VOCABULARY, processes=1, seed=4)
    build(Collection(folder=collection), tmp_path / "other", other, tokenizer=tokenizer, progress=lambda line: None)
    assert (tmp_path / "other/train/tokens.xz").read_bytes() != (out / "train/tokens.xz").read_bytes()
    assert {Shard.open(out, "test").meta(0).piece} <= {
        Shard.open(tmp_path / "other", "test").meta(index).piece
        for index in range(len(Shard.open(tmp_path / "other", "test")))
    }


def test_the_command_prints_a_table_or_json(
    collection: Path, built: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    command.register(parser.add_subparsers())
    call = ["corpus", "build", str(collection), str(tmp_path / "out"), "--tokens", "3000", "--held-out", "2"]
    call += ["--processes", "1", "--tokenizer", str(built[0] / "tokenizer")]
    arguments = parser.parse_args(call)
    assert arguments.run(arguments) == 0
    printed = capsys.readouterr()
    assert "train: " in printed.out
    assert "nottingham-band" in printed.out
    assert "corpus: " in printed.err
    arguments = parser.parse_args([*call, "--json"])
    assert arguments.run(arguments) == 0
    assert json.loads(capsys.readouterr().out)["splits"]["train"]["windows"] > 0


def test_missing_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="MIDI files"):
        build(Collection(folder=tmp_path), tmp_path / "out", CONFIG, tokenizer=None, progress=lambda line: None)


@pytest.mark.parametrize(
    "values", [{"tokens": 0}, {"processes": 0}, {"captions": 0}, {"vocabulary": 70_000}, {"seed": -1}]
)
def test_configuration_is_checked(values: dict[str, int]) -> None:
    with pytest.raises(InvalidInputError):
        BuildConfig(**values)  # type: ignore[arg-type]


def make(source: str, **values: Any) -> Piece:
    return Piece(id="a", path="a.mid", source=source, licence="l", group="a", **({"notes": 100} | values))


def test_early_choral_and_sacred_music_is_left_out() -> None:
    assert mix.refusal(make("polish", programs=(52,), year=1640)) is not None
    assert mix.refusal(make("polish", programs=(0,), genres=("sacred",))) is not None
    assert mix.refusal(make("polish", programs=(0,), year=1830)) is None
    assert mix.refusal(make("polish", programs=(0,))) is None
    assert mix.refusal(make("elsewhere")) is None
    assert mix.Mix(shares={"elsewhere": 0.0, "here": 1.0}).refusal(make("elsewhere")) == "source of share 0"
    assert mix.refusal(make("mutopia", notes=3)) is not None


def test_shares_sum_to_one_and_windows_are_allotted_exactly() -> None:
    assert sum(mix.SHARES.values()) == pytest.approx(1.0)
    shares = mix.Mix().of({"groove": 10.0, "polish": 60.0, "unknown": 20.0, "other": 10.0})
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["unknown"] == pytest.approx(0.2)  # as large as they are
    assert shares["other"] == pytest.approx(0.1)
    assert shares["polish"] == pytest.approx(2 * shares["groove"])  # as SHARES has it
    assert mix.Mix().of({"a": 30.0, "b": 10.0}) == pytest.approx({"a": 0.75, "b": 0.25})
    assert mix.Mix(shares={"a": 1.0, "b": 0.0}).of({"a": 1.0, "b": 1.0}) == pytest.approx({"a": 1.0})
    assert mix.Mix().of({}) == {}
    pieces = [make("mutopia", bars=bars) for bars in (8, 100, 3000)]
    counts = mix.allot(pieces, 101, np.random.default_rng(0))
    assert counts.sum() == 101
    assert counts[0] < counts[1] < counts[2]
    assert mix.allot([], 5, np.random.default_rng(0)).tolist() == []
    with pytest.raises(InvalidInputError, match="shares"):
        mix.Mix(shares={"groove": float("nan")})


@pytest.mark.parametrize(
    ("pitches", "programs", "reason"),
    [
        ([], [], "empty"),
        ([60, 62, 64], [0, 0, 0], "fewer than 16 notes"),
        ([60] * 40, [0] * 40, "different notes"),
        ([60, 62, 64, 65] * 10, [0] * 40, None),
        ([36, 38, 42, 46] * 10, [DRUMS] * 40, None),
        ([60, 62, 64, 65] * 20_000, [0] * 80_000, "over-long: more than 60 minutes"),
    ],
)
def test_files_of_no_use_are_refused_with_a_reason(pitches: list[int], programs: list[int], reason: str | None) -> None:
    size = len(pitches)
    score = Score(
        480,
        np.arange(size) * 240,
        np.full(size, 240),
        np.array(pitches, np.int16),
        np.full(size, 80, np.int16),
        np.array(programs, np.int16),
        np.zeros(size, np.int16),
    )
    found = mix.refusal_of_score(score)
    assert found is None if reason is None else reason in (found or "")
