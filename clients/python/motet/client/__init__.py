"""The Motet client: captions in, searched MIDI out, over ``motet.v1``.

>>> with Client("127.0.0.1:6683") as client:
...     result = client.search("A calm piano piece in D minor", seed=7)
...     Path("out.mid").write_bytes(result.best.midi)
"""

from motet.client.aio import AsyncClient
from motet.client.client import Client
from motet.client.controls import Controls
from motet.client.error import RequestError
from motet.client.local import LocalServer
from motet.client.result import (
    Candidate,
    EffectiveControls,
    Judgement,
    Model,
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
    "Progress",
    "RequestError",
    "Reward",
    "SearchResult",
    "TreeNode",
    "Wav",
]
