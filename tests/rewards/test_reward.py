from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from motet.music import caption
from motet.music.error import NotFoundError, UnavailableError
from motet.rewards import reward
from motet.rewards.composite import Composite, Weights
from motet.rewards.render import Renderer
from motet.rewards.reward import GROUP, Judgement, Resources
from tests.fakes import fake_embed
from tests.rewards.pieces import song


class Short:
    """A reward as a user would add it: the fewer notes the better."""

    def judge(self, scores, caption, *, complete):
        return [Judgement(value=1 / (1 + len(score))) for score in scores]


def short(resources: Resources) -> Short:
    assert resources.sound.rate_hz == resources.renderer.config.rate_hz
    assert resources.embed(["a"]).shape == (1, 384)
    return Short()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {
        "harmony": "motet.rewards.composite:harmony",
        "adherence": "motet.rewards.composite:attribute_adherence",
        "text": f"{__name__}:short",
        "short": f"{__name__}:short",
        "broken": "motet.rewards.composite:nothing",
    }
    found = [EntryPoint(name, value, GROUP) for name, value in points.items()]
    monkeypatch.setattr(reward, "entry_points", lambda group: found if group == GROUP else [])


@pytest.mark.usefixtures("installed")
def test_rewards_come_by_entry_points_and_a_user_can_add_one():
    with Renderer() as renderer:
        plain = Composite.default(fake_embed, renderer=renderer)
        more = Composite.default(fake_embed, renderer=renderer, extra_weights={"short": 1.0})
    asked = caption.parse("a piano piece")
    [without] = plain.score([song(4)], asked, Weights(), complete=True)
    [with_] = more.score([song(4)], asked, Weights(), complete=True)
    assert set(with_.terms) - set(without.terms) == {"short"}
    assert with_.total < without.total


@pytest.mark.usefixtures("installed")
def test_missing_and_broken_rewards_are_one_clear_line():
    with pytest.raises(NotFoundError, match="no reward 'none'; installed: adherence, broken"):
        reward.registered(["none"])
    with pytest.raises(UnavailableError, match="'broken' cannot be loaded"):
        reward.registered(["broken"])
    assert set(reward.registered(["harmony"])) == {"harmony"}
