from __future__ import annotations

import json
from typing import Any

from motet.client import Model, Offer, Setting, Strategy, command, strategies
from motet.search import spec
from tests.clients.conftest import Background


def test_the_strategies_of_a_server_are_listed(server: Background, capsys: Any) -> None:
    call = ("strategies", "--server", server.address)
    assert command.main(call, registrars=[strategies.register]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("fake@0123456789ab (default)\n\n  population (default)\n")
    assert command.main((*call, "--json"), registrars=[strategies.register]) == 0
    told = json.loads(capsys.readouterr().out)
    (model,) = told["models"]
    assert {strategy["name"] for strategy in model["strategy_details"]} == set(spec.names()) == set(model["strategies"])
    for strategy in model["strategy_details"]:
        assert f"  {strategy['name']}" in shown
        assert strategy["description"]
        given = {setting["name"]: setting["default"] for setting in strategy["settings"]}
        assert all(setting["description"] for setting in strategy["settings"]), strategy["name"]
        # What is listed can be typed, and changes nothing.
        typed = ",".join(f"{name}={value:g}" for name, value in given.items() if value is not None)
        spec.Spec.parse(f"{strategy['name']}:{typed}" if typed else strategy["name"]).make()


def test_settings_stand_below_each_other() -> None:
    settings = tuple(
        Setting(name=name, default=default, kind="NUMBER", description="what it does " * 12)
        for name, default in (("keep", 0.5), ("a_longer_name", None))
    )
    strategy = Strategy(name="s", description="Does.", default=False, settings=settings, keeps_plain_sample=True)
    model = Model(name="m", version="1", default=False, strategies=("s",), strategy_details=(strategy,))
    offer = Offer(models=(model,), reward_version="2", mutator="builtin", parallel_searches=4)
    lines = strategies.listing(offer).splitlines()
    assert lines[:4] == ["m@1", "", "  s", "    Does."]
    assert lines[4].startswith("      keep=0.5       what it does")
    columns = {line.index("what") for line in lines if ("it does" in line and "=" in line) or "a_longer" in line}
    assert len(columns) == 1
    assert max(map(len, lines)) <= 100
    assert lines[-1] == "captions are mutated by: builtin"
