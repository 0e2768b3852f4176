from __future__ import annotations

import pickle
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from motet.music import caption
from motet.music.error import InvalidInputError, NotFoundError, UnavailableError
from motet.rewards import reward
from motet.rewards.composite import Composite, Weights
from motet.rewards.render import Renderer
from motet.rewards.reward import GROUP, Judgement
from tests.fakes import fake_embed
from tests.rewards.pieces import song

ASKED = caption.parse("a piano piece")

PACKAGE = """
from motet.rewards.reward import Judgement

made = []


def short(score, caption):
    return 1 / (1 + len(score))


def picky(score, caption):
    return Judgement(value=1.0, details={"notes": len(score)}) if caption.attributes.drums else None


class Loud:
    def __init__(self, resources=None):
        made.append(self)

    def judge(self, scores, caption, *, complete):
        return [Judgement(value=float(score.velocity.mean()) / 127) for score in scores]


def make(resources):
    assert resources.sound.rate_hz == resources.renderer.config.rate_hz
    assert resources.embed(["a"]).shape == (1, 384)
    return Loud(resources)


def fails(resources):
    raise RuntimeError("no such file\\nand more")


def nothing(resources):
    return 3
"""

ENTRY_POINTS = """[motet.rewards]
short = outside_rewards:short
picky = outside_rewards:picky
loud = outside_rewards:make
louder = outside_rewards:Loud
fails = outside_rewards:fails
nothing = outside_rewards:nothing
absent = outside_rewards:absent
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of somebody else, installed beside ours; no line of ours knows of it."""
    (tmp_path / "outside_rewards.py").write_text(PACKAGE)
    metadata = tmp_path / "outside_rewards-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: outside-rewards\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "outside_rewards", raising=False)


@pytest.fixture
def composite(monkeypatch: pytest.MonkeyPatch) -> Composite:
    """The default one, with a built-in text reward that needs no weights."""
    found = entry_points(group=GROUP)
    others = [point for point in found if point.name != "text"]
    text = EntryPoint("text", "tests.rewards.test_reward:Half", GROUP)
    with monkeypatch.context() as patch:
        patch.setattr(
            reward, "entry_points", lambda group: [*others, text] if group == GROUP else entry_points(group=group)
        )
        with Renderer() as renderer:
            return Composite.default(fake_embed, renderer=renderer)


class Half:
    def judge(self, scores, caption, *, complete):
        return [Judgement(value=0.5) for _ in scores]


@pytest.mark.usefixtures("outside")
def test_a_package_of_somebody_else_brings_rewards_of_every_kind(composite: Composite):
    assert {"short", "picky", "loud", "louder", "text", "harmony", "adherence"} <= set(composite.names)
    assert "outside_rewards" not in sys.modules
    scores = [song(4), song(8)]
    weights = Weights(text=1, short=1, loud=2, louder=1, picky=1)
    one, two = composite.score(scores, ASKED, weights, complete=True)
    assert list(one.terms) == ["text", "loud", "louder", "short"]  # nobody asked for drums
    assert one.terms["short"] == 1 / (1 + len(scores[0]))
    assert one.terms["loud"] == one.terms["louder"] == pytest.approx(90 / 127)
    assert one.total == pytest.approx((0.5 + one.terms["short"] + 3 * 90 / 127) / 5)
    assert two.terms["short"] < one.terms["short"]
    [drummed] = composite.score(scores[:1], caption.parse("with drums"), weights, complete=True)
    assert drummed.details["picky.notes"] == len(scores[0])


@pytest.mark.usefixtures("outside")
def test_a_reward_is_loaded_once_and_only_when_it_has_a_weight(composite: Composite):
    composite.score([song(4)], ASKED, Weights(harmony=1, loud=0), complete=True)
    assert "outside_rewards" not in sys.modules
    for _ in range(2):
        composite.score([song(4)], ASKED, Weights(loud=1), complete=True)
    assert len(sys.modules["outside_rewards"].made) == 1


@pytest.mark.usefixtures("outside")
def test_rewards_travel_between_processes(composite: Composite):
    resources = composite._resources
    assert resources is not None
    for name, make in reward.registered(["short", "louder", "harmony", "adherence"]).items():
        made = make(resources)
        again = pickle.loads(pickle.dumps(made))  # noqa: S301
        assert again.judge([song(4)], ASKED, complete=True) == made.judge([song(4)], ASKED, complete=True), name


@pytest.mark.usefixtures("outside")
def test_missing_and_broken_rewards_are_one_clear_line(composite: Composite):
    with pytest.raises(
        InvalidInputError, match=r"weights: must name one of absent, adherence.*, text \(received 'no=1'"
    ):
        composite.score([song(4)], ASKED, Weights(no=1), complete=True)
    with pytest.raises(NotFoundError, match="no reward 'none'; installed: absent, adherence"):
        reward.registered(["none"])
    for name, why in (("fails", "no such file$"), ("nothing", "gives int, which has no method judge"), ("absent", "")):
        with pytest.raises(UnavailableError, match=f"{name!r} cannot be loaded from outside_rewards:{name}: .*{why}"):
            composite.score([song(4)], ASKED, Weights({name: 1.0}), complete=True)
    assert set(reward.registered(["harmony"])) == {"harmony"}
