from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import numpy as np
import pytest

from motet.music import caption as captions
from motet.music.error import InvalidInputError, UnavailableError
from motet.music.instrument import SPOKEN_NAMES
from motet.search import mutators, prior, rewriting
from motet.search.gate import admits
from motet.search.mutators import GROUP, Mutator, Rewriters

parse = captions.parse


def shout(caption, random):
    return f"Please play {caption.text}"


def fail(caption, random):
    raise RuntimeError("out of ink\nand paper")


def install(monkeypatch, **values: str) -> None:
    others = [EntryPoint(name, value, GROUP) for name, value in values.items()]
    real = list(entry_points(group=GROUP))
    monkeypatch.setattr(mutators, "entry_points", lambda group: [*others, *real])


def test_the_built_in_ones_are_installed_in_their_order() -> None:
    assert mutators.installed() == mutators.ORDER
    assert all(mutator.__doc__ for mutator in mutators.registered().values())


def test_one_from_outside_is_picked_up(monkeypatch) -> None:
    install(monkeypatch, aloud=f"{__name__}:shout")
    assert mutators.installed().index("aloud") == mutators.ORDER.index("paraphrase")
    original = parse("rock at 120 bpm in E minor, 4/4, with drums")
    texts = [mutant.text for seed in range(4) for mutant in mutators.load().mutate(original, 4, seed=seed)]
    assert any("Please play" in text for text in texts)


@pytest.mark.parametrize("value", ["nowhere:nothing", f"{__name__}:parse.nothing", f"{__name__}:GROUP"])
def test_one_that_cannot_be_loaded_is_named(monkeypatch, value: str) -> None:
    install(monkeypatch, broken=value)
    with pytest.raises(UnavailableError, match="mutator: 'broken' failed") as caught:
        mutators.load()
    assert caught.value.metadata["field"] == "mutator"


def test_one_that_fails_is_named() -> None:
    proposals = Rewriters({"broken": fail}).propose(parse("a waltz"), 4, seed=0, settled=lambda stated: stated)
    with pytest.raises(UnavailableError, match=r"'broken' failed: out of ink$"):
        list(proposals)


@pytest.mark.parametrize("spec", ["", "x", "lm:", "http:", "builtin,", "ftp://x", "http:x", "http://", "http://u:p@h/"])
def test_a_wrong_specification_is_told(spec: str) -> None:
    with pytest.raises(InvalidInputError, match=r"^mutator: must be"):
        mutators.load(spec)


def test_parts_are_loaded_in_their_order(tmp_path: Path) -> None:
    kinds = [type(source).__name__ for source in mutators.load("http://h/v1#m, builtin,https:https://h").sources]
    assert kinds == ["HostedModel", "Rewriters", "HostedModel"]
    with pytest.raises(UnavailableError, match=r"there is no config\.json"):
        mutators.load(f"builtin,lm:{tmp_path}")


def apply(mutator: Mutator, text: str, seed: int) -> str | None:
    return mutator(parse(text), np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a waltz for flute", "The time signature is 3/4."),
        ("a string quartet", "It is played by violins, viola and cello."),
        ("a lullaby", "The tempo is slow."),
        ("an unaccompanied flute", "It is played without drums."),
    ],
)
def test_what_is_implied_is_said(text: str, told: str) -> None:
    mutants = [apply(rewriting.make_explicit, text, seed) for seed in range(8)]
    assert any(mutant is not None and told in mutant for mutant in mutants)
    assert all(admits(parse(text), parse(mutant)) for mutant in mutants if mutant)


def test_paraphrases_use_other_words() -> None:
    text = "A fast, happy rock song in A minor in 4/4 at 120 bpm, 8 bars, with saxophone and no drums."
    found = [mutant for seed in range(12) if (mutant := apply(rewriting.paraphrase, text, seed)) is not None]
    assert len(set(found)) > 8
    for part in ("the key of A minor", "4/4 time", "beats per minute", "measures", "joyful", "sax "):
        assert any(part in mutant for mutant in found), part
    assert all(admits(parse(text), parse(mutant)) for mutant in found)


def test_most_of_what_mutators_write_is_admitted() -> None:
    for name, mutator in mutators.registered().items():
        texts = (
            "A slow, sad piece in D minor with violin and piano.",
            "funk at 100 bpm. It has bass and drums.",
            "a jig",
        )
        pairs = [(text, apply(mutator, text, seed)) for text in texts for seed in range(5)]
        verdicts = [admits(parse(text), parse(mutant)) for text, mutant in pairs if mutant]
        assert sum(map(bool, verdicts)) >= 0.8 * len(verdicts), name


def test_instruments_and_drums_of_line_ups_are_understood() -> None:
    rows = [prior.table()["all"], *prior.table()["genres"].values()]
    for players in {tuple(players) for row in rows for players, _ in row["line_ups"]}:
        names = ["drums" if player == prior.DRUM_PLAYER else SPOKEN_NAMES[player] for player in players]
        said = parse(f"It is played by {', '.join(names)}.").attributes
        assert set(said.instruments) == set(players) - {prior.DRUM_PLAYER}
        assert bool(said.drums) == (prior.DRUM_PLAYER in players)


def test_the_prior_follows_the_genre_and_the_mood() -> None:
    random = np.random.default_rng(0)

    def asked(text: str):
        return parse(text).attributes

    tempi = {
        name: np.median([prior.tempo(asked(name), random) for _ in range(200)]) for name in ("lullaby", "jig", "ballad")
    }
    assert tempi["ballad"] < tempi["jig"]
    assert all(40 <= prior.tempo(asked("a slow jig"), random) <= 80 for _ in range(50))
    minors = {
        mood: np.mean([prior.key(asked(mood), random).mode == "minor" for _ in range(200)]) for mood in ("sad", "happy")
    }
    assert minors["sad"] > minors["happy"] + 0.3
    assert str(prior.meter(asked("a waltz"))) == "3/4"
    assert prior.meter(asked("a classical piece")) is None
    assert prior.players(asked("a jazz tune"), random)
    assert prior.players(asked("something"), random) == ()
