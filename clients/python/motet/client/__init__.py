"""The Motet client: captions in, searched MIDI out, over ``motet.v1``.

>>> with Client("127.0.0.1:6683") as client:
...     result = client.search("A calm piano piece in D minor", seed=7)
...     Path("out.mid").write_bytes(result.best.midi)
"""

from motet.client.aio import AsyncClient
from motet.client.client import Client
from motet.client.controls import Controls, EffectiveControls
from motet.client.error import RequestError
from motet.client.local import LocalServer
from motet.client.offer import Model, Offer, Setting, Strategy
from motet.client.result import (
    Candidate,
    Judgement,
    Profile,
    Progress,
    Reward,
    SearchResult,
    TreeNode,
    Wav,
)

__all__ = [
    "AsyncClient",
    "Candidate",
    "Client",
    "Controls",
    "EffectiveControls",
    "Judgement",
    "LocalServer",
    "Model",
    "Offer",
    "Profile",
    "Progress",
    "RequestError",
    "Reward",
    "SearchResult",
    "Setting",
    "Strategy",
    "TreeNode",
    "Wav",
]
