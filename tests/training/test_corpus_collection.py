from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motet.music import midi
from motet.music.attributes import Attributes
from motet.music.error import InvalidInputError, NotFoundError
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.score import Score
from motet.training.corpus import survey, truth
from motet.training.corpus.collection import Collection


def music(notes: int = 40, velocity: int = 80) -> bytes:
    size = np.arange(notes)
    return midi.write(
        Score(
            480,
            size * 240,
            np.full(notes, 240),
            (60 + size % 7).astype(np.int16),
            np.full(notes, velocity, np.int16),
            np.full(notes, 40, np.int16),
            np.zeros(notes, np.int16),
        )
    )


@pytest.fixture
def lakh(tmp_path: Path) -> Path:
    """A folder laid out as the Lakh MIDI data set is."""
    for name in ("0/0aa.mid", "0/0bb.mid", "1/1cc.MID"):
        path = tmp_path / "lmd_full" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(music())
    (tmp_path / "loose.midi").write_bytes(music())
    (tmp_path / "notes.txt").write_text("no music")
    return tmp_path


def captions(folder: Path, rows: list[dict[str, Any]], *, as_list: bool = False) -> Path:
    path = folder / "train.json"
    path.write_text(json.dumps(rows) if as_list else "".join(json.dumps(row) + "\n" for row in rows))
    return path


MIDICAPS: dict[str, Any] = {
    "location": "lmd_full/0/0aa.mid",
    "caption": "A happy pop song in C# minor.",
    "genre": ["pop", "rock"],
    "genre_prob": [0.6, 0.4],
    "mood": ["happy", "melodic"],
    "key": "C# minor",
    "time_signature": "4/4",
    "tempo": 120,
    "instrument_summary": ["Violin"],
    "test_set": True,
}


def test_a_plain_folder_is_listed_by_its_files(lakh: Path) -> None:
    pieces = Collection(folder=lakh, licence="CC-BY-4.0").read()
    assert [piece.path for piece in pieces] == [
        "lmd_full/0/0aa.mid",
        "lmd_full/0/0bb.mid",
        "lmd_full/1/1cc.MID",
        "loose.midi",
    ]
    assert [piece.source for piece in pieces] == ["lmd_full"] * 3 + [lakh.name]
    assert {piece.licence for piece in pieces} == {"CC-BY-4.0"}
    assert Collection(folder=lakh).read()[0].licence == "unknown"
    assert len({piece.id for piece in pieces}) == 4


@pytest.mark.parametrize("below", ["", "lmd_full"])
@pytest.mark.parametrize("as_list", [False, True])
def test_midicaps_names_files_of_lakh(lakh: Path, below: str, as_list: bool) -> None:
    rows = [
        MIDICAPS,
        {"location": "lmd_full/1/1cc.MID", "caption": "x"},
        {"location": "lmd_full/9/9.mid", "caption": "y"},
    ]
    pieces = Collection(folder=lakh / below, captions=captions(lakh, rows, as_list=as_list)).read()
    assert len(pieces) == 2
    first = pieces[0]
    assert (first.genres, first.moods, first.key) == (("pop", "rock"), ("happy", "melodic"), Key(1, "minor"))
    assert (first.caption, first.source) == (MIDICAPS["caption"], "lmd_full")
    assert first.held_out
    assert not pieces[1].held_out


def test_captions_are_added_to_a_manifest(lakh: Path) -> None:
    row = {"id": "a", "path": "lmd_full/0/0aa.mid", "source": "lakh", "licence": "CC0-1.0"}
    (lakh / "manifest.jsonl").write_text(json.dumps(row) + "\n")
    assert Collection(folder=lakh, captions=captions(lakh, [MIDICAPS])).read()[0].caption == MIDICAPS["caption"]
    elsewhere = [MIDICAPS | {"location": "elsewhere.mid"}]
    with pytest.raises(InvalidInputError, match="files of the manifest"):
        Collection(folder=lakh, captions=captions(lakh, elsewhere)).read()


def test_what_is_missing_is_named(lakh: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="existing folder"):
        Collection(folder=lakh / "nowhere").read()
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match="MIDI files"):
        Collection(folder=tmp_path / "empty").read()
    with pytest.raises(NotFoundError, match="captions: must be an existing file"):
        Collection(folder=lakh, captions=lakh / "nothing.json").read()
    for location in ("lmd_full/9/9.mid", "../../etc/passwd", "/etc/passwd"):
        with pytest.raises(NotFoundError, match="none of the 1"):
            Collection(folder=lakh, captions=captions(lakh, [MIDICAPS | {"location": location}])).read()


@pytest.mark.parametrize(
    "text", ["{not json}\n", "[1, 2]", '{"location": "a.mid"}\n', '{"location": 3, "caption": "x"}', "[}"]
)
def test_captions_that_cannot_be_read_are_named(lakh: Path, text: str) -> None:
    (lakh / "bad.json").write_text(text)
    with pytest.raises(InvalidInputError, match="captions"):
        Collection(folder=lakh, captions=lakh / "bad.json").read()


def test_a_survey_counts_refuses_and_remembers(lakh: Path, tmp_path: Path) -> None:
    (lakh / "lmd_full/0/0bb.mid").write_bytes(b"MThd nothing good")
    (lakh / "lmd_full/1/1cc.MID").write_bytes(music(velocity=2))
    pieces = Collection(folder=lakh).read()
    (lakh / "loose.midi").unlink()
    cache = tmp_path / "cache" / "survey.npz"
    measured: list[int] = []
    found = survey.survey(pieces, lakh, map, cache, measured.append)
    assert [found[piece.id].refusal.split(":")[0] for piece in pieces] == ["", "broken", "empty", "file missing"]
    good = found[pieces[0].id]
    assert (good.notes, good.tracks, good.bars, good.programs, good.has_drums) == (40, 1, 5, (40,), False)
    assert good.has_tempo
    assert found[pieces[2].id].silent == 1
    described = survey.described(pieces[0], good)
    assert (described.notes, described.bars, described.programs) == (40, 5, (40,))
    assert measured == [3]
    again = survey.survey(pieces, lakh, map, cache, measured.append)
    assert measured == [3]  # nothing was measured anew
    assert again[pieces[0].id].digest == good.digest
    assert again[pieces[0].id].sketch.tolist() == good.sketch.tolist()
    cache.write_bytes(b"damaged")
    survey.survey(pieces, lakh, map, cache, measured.append)
    assert measured == [3, 3]


KNOWN = Attributes(
    tempo_bpm=120.0, tempo_word="moderate", key=Key(0, "major"), meter=Meter(4, 4), instruments=(0, 40), drums=False,
    genres=("pop",), moods=("happy",), bars=8,
)  # fmt: skip


def test_of_a_caption_of_somebody_else_the_true_sentences_are_kept() -> None:
    text = (
        "A happy pop song with piano and violin. It is in C major with a chord progression of C, F and G. "
        "The trumpet plays a solo. The tempo is 120 BPM. It lasts 228 seconds."
    )
    kept = truth.true_part(text, KNOWN)
    assert kept is not None
    assert kept.text == "A happy pop song with piano and violin. The tempo is 120 BPM."
    assert kept.stated == Attributes(tempo_bpm=120.0, instruments=(0, 40), genres=("pop",), moods=("happy",))


@pytest.mark.parametrize(
    "text", ["A sad rock song in D minor.", "Some music that somebody made.", " ", "The chord C major."]
)
def test_a_caption_of_which_nothing_stays_is_not_used(text: str) -> None:
    assert truth.true_part(text, KNOWN) is None
