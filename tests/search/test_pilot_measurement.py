from dataclasses import replace
from pathlib import Path

import pytest

from motet.music.error import InvalidInputError
from motet.rewards.composite import Weights
from motet.search.pilot.measurement import Measurement, Pilot, PilotConfig, read
from tests.fakes import CountingReward, FakeClock, FakeDecoder

CAPTIONS = ["a waltz in C major", "fast rock with drums", "a lullaby"]
CONFIG = PilotConfig(samples=5, prefixes=2, branches=2, bars=8, seed=3)


def pilot(
    config: PilotConfig = CONFIG, *, decoder: FakeDecoder | None = None, reward: CountingReward | None = None
) -> Pilot:
    return Pilot(decoder or FakeDecoder(), reward or CountingReward(), "tiny@1", config)


def listen(config: PilotConfig = CONFIG, captions: list[str] = CAPTIONS) -> list[Measurement]:
    return [heard for heard, _ in pilot(config).run(captions)]


def test_every_piece_is_heard_at_every_look() -> None:
    first = listen()[0]
    assert first.looks == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [len(first.terms["text"]), len(first.terms["text"][0])] == [5, 8]
    assert list(first.branches) == ["2", "4", "6"]
    assert [len(first.branches["2"]["text"]), len(first.branches["2"]["text"][0])] == [2, 3]
    assert first.heard == 5 * 8 + 3 * 2 * 2
    assert first.pieces == 5 + 2 * 2 * (0.75 + 0.5 + 0.25)
    assert first.tokens == round(first.pieces * 8) * 5  # a bar of the fake is five tokens


@pytest.mark.parametrize(("bars", "looks"), [(4, [1, 2, 3, 4]), (6, [1, 2, 3, 4, 5, 6]), (16, list(range(2, 17, 2)))])
def test_looks_are_at_bar_lines(bars: int, looks: list[int]) -> None:
    config = replace(CONFIG, bars=bars)
    assert config.looks == looks
    assert listen(config, CAPTIONS[:1])[0].looks == looks


def test_branches_do_not_disturb_the_samples() -> None:
    few, many = listen(), listen(replace(CONFIG, prefixes=5, branches=4))
    assert [one.terms for one in few] == [one.terms for one in many]
    assert [one.log_probability for one in few] == [one.log_probability for one in many]


def test_the_first_continuation_of_a_prefix_is_the_sample_itself_and_the_others_differ() -> None:
    for one in listen():
        for prefixes in one.branches.values():
            for row, continuations in enumerate(prefixes["text"]):
                assert continuations[0] == one.terms["text"][row][-1]
                assert len(set(continuations)) == len(continuations)


def test_a_caption_is_heard_alike_whatever_others_there_are() -> None:
    assert listen()[1].terms == listen(captions=CAPTIONS[1:2])[0].terms
    assert listen()[0].terms != listen(replace(CONFIG, seed=4))[0].terms


def test_pieces_may_end_early() -> None:
    decoder = FakeDecoder(early_end_share=0.3)
    reward = CountingReward()
    first = next(pilot(decoder=decoder, reward=reward).run(CAPTIONS))[0]
    assert [len(first.terms["text"]), len(first.terms["text"][0])] == [5, 8]
    assert set(reward.completes) == {True, False}
    assert decoder.closed == 1


def test_seconds_are_those_of_decoding_and_scoring() -> None:
    clock = FakeClock()
    decoder = FakeDecoder(clock=clock, seconds_per_bar=1.0)
    reward = CountingReward(clock=clock, seconds_per_score=10.0)
    first = next(Pilot(decoder, reward, "tiny@1", CONFIG, clock).run(CAPTIONS))[0]
    assert first.decoding_s == round(first.pieces * 8)
    assert first.scoring_s == 10.0 * first.heard


def test_what_was_heard_is_not_heard_again(tmp_path: Path) -> None:
    out = tmp_path / "new" / "rows.jsonl"
    first = [heard for heard, found in pilot().run(CAPTIONS[:2], out) if not found]
    decoder = FakeDecoder()
    again = list(pilot(decoder=decoder).run(CAPTIONS, out))
    assert [found for _, found in again] == [True, True, False]
    assert [heard for heard, _ in again][:2] == first
    assert len(decoder.opened) == 1
    assert len(read(out)) == 3


def test_other_settings_are_heard_anew_beside_the_old_ones(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    list(pilot().run(CAPTIONS[:1], out))
    others = (replace(CONFIG, seed=9), replace(CONFIG, branches=3), replace(CONFIG, weights=Weights(text=1)))
    for config in others:
        assert [found for _, found in pilot(config).run(CAPTIONS[:1], out)] == [False]
    assert len(read(out)) == 4


def test_an_interrupted_pilot_keeps_what_it_heard_and_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    calls = 0

    class Impatient(CountingReward):
        def score(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
            nonlocal calls
            calls += 1
            if calls == 30:
                raise KeyboardInterrupt
            return super().score(*args, **kwargs)  # type: ignore[arg-type]

    with pytest.raises(KeyboardInterrupt):
        list(pilot(reward=Impatient()).run(CAPTIONS, out))
    kept = len(read(out))
    assert 0 < kept < 3
    with out.open("a") as file:
        file.write('{"caption": "torn')
    assert [found for _, found in pilot().run(CAPTIONS, out)] == [True] * kept + [False] * (3 - kept)
    assert [heard.terms for heard in read(out).values()] == [heard.terms for heard in listen()]


def test_captions_are_checked_before_anything_is_decoded() -> None:
    decoder = FakeDecoder()
    with pytest.raises(InvalidInputError, match="caption"):
        list(pilot(decoder=decoder).run(["a waltz", "x" * 3000]))
    assert not decoder.opened


@pytest.mark.parametrize("line", ["nonsense", "{}", '{"caption": "a"}', "[]"])
def test_a_file_of_something_else_is_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(line + "\n")
    with pytest.raises(InvalidInputError, match="out: must hold rows of a pilot"):
        list(pilot().run(CAPTIONS, tmp_path / "rows.jsonl"))


def test_looks_and_terms_must_fit(tmp_path: Path) -> None:
    heard = listen(captions=CAPTIONS[:1])[0]
    assert Measurement.from_json(heard.to_json()) == heard
    with pytest.raises(InvalidInputError, match="looks and terms do not fit"):
        Measurement.from_json(replace(heard, looks=[1, 2]).to_json())
