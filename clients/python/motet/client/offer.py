"""What a server offers: its models, and the strategies that it searches with."""

from __future__ import annotations

from dataclasses import dataclass

from motet.v1 import search_service_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A number that a strategy can be told, as ``NAME:key=number``.

    Args:
        name: its key.
        default: what it is when a request does not say; None where that depends on what the description says.
        kind: of its values: ``"NUMBER"``, ``"WHOLE_NUMBER"``, or ``"FLAG"`` for 0 and 1.
        description: what it does and which values it takes.
    """

    name: str
    default: float | None
    kind: str
    description: str

    @classmethod
    def of(cls, message: search_service_pb2.StrategySetting) -> Setting:
        """From the wire."""
        return cls(
            name=message.name,
            default=message.default_value if message.HasField("default_value") else None,
            kind=_kind(message.kind),
            description=message.description,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """A search strategy.

    Args:
        name: for ``strategy`` of a search.
        description: what it does, in a sentence.
        default: whether a search that names none gets this one.
        settings: that it can be told.
        keeps_plain_sample: whether its results have a plain sample to compare with.
    """

    name: str
    description: str
    default: bool
    settings: tuple[Setting, ...]
    keeps_plain_sample: bool

    @classmethod
    def of(cls, message: search_service_pb2.Strategy) -> Strategy:
        """From the wire."""
        return cls(
            name=message.name,
            description=message.description,
            default=message.default,
            settings=tuple(Setting.of(setting) for setting in message.settings),
            keeps_plain_sample=message.keeps_plain_sample,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that the server can search with.

    Args:
        name: for ``model`` of a search.
        version: of its weights.
        default: whether a search that names none gets this one.
        strategies: names of the strategies that it can be used with.
        strategy_details: the same with their settings, the default one first.
    """

    name: str
    version: str
    default: bool
    strategies: tuple[str, ...]
    strategy_details: tuple[Strategy, ...] = ()

    @classmethod
    def of(cls, message: search_service_pb2.Model) -> Model:
        """From the wire."""
        return cls(
            name=message.name,
            version=message.version,
            default=message.default,
            strategies=tuple(message.strategies),
            strategy_details=tuple(Strategy.of(strategy) for strategy in message.strategy_details),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """All that a server offers.

    Args:
        models: the default one first.
        reward_version: rewards of different versions don't compare.
        mutator: what mutates captions.
        parallel_searches: that the server works on at once; others wait.
    """

    models: tuple[Model, ...]
    reward_version: str
    mutator: str
    parallel_searches: int

    @classmethod
    def of(cls, message: search_service_pb2.ListModelsResponse) -> Offer:
        """From the wire."""
        return cls(
            models=tuple(Model.of(model) for model in message.models),
            reward_version=message.reward_version,
            mutator=message.mutator,
            parallel_searches=message.parallel_search_count,
        )


def _kind(value: search_service_pb2.SettingKind.ValueType) -> str:
    names = {number: name for name, number in search_service_pb2.SettingKind.items()}
    return names.get(value, "SETTING_KIND_UNSPECIFIED").removeprefix("SETTING_KIND_")
