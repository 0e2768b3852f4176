from __future__ import annotations

import asyncio

import pytest

from motet.music.error import InvalidInputError, UnavailableError
from motet.server.admission import Admission, draining
from motet.server.errors import ExhaustedError


async def test_exactly_the_limit_gets_in() -> None:
    admission = Admission(2, retry_after_s=0.5)
    admission.open()
    with admission.admit(), admission.admit():
        assert admission.inside == 2
        with pytest.raises(ExhaustedError, match="2 of 2") as caught, admission.admit():
            pytest.fail("there is no room")
        assert caught.value.retry_after_s == 0.5
    with admission.admit():
        assert admission.inside == 1
    assert admission.inside == 0


async def test_a_failure_inside_gives_the_place_back() -> None:
    admission = Admission(1)
    admission.open()
    with pytest.raises(RuntimeError), admission.admit():
        raise RuntimeError
    assert admission.inside == 0


async def test_it_starts_closed_and_can_be_closed_again() -> None:
    admission = Admission(1)
    with pytest.raises(UnavailableError, match="loading"), admission.admit():
        pytest.fail("it is closed")
    admission.open()
    with admission.admit():
        admission.close(draining)
        with pytest.raises(UnavailableError, match="shutting down"), admission.admit():
            pytest.fail("it is closed")
        waiting = asyncio.create_task(admission.drained())
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting


async def test_an_empty_room_is_drained() -> None:
    await Admission(1).drained()


def test_the_limit_is_checked() -> None:
    with pytest.raises(InvalidInputError, match="limit"):
        Admission(0)
