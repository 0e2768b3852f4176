from __future__ import annotations

import asyncio
import threading

from motet.server.mailbox import Mailbox


async def test_the_latest_message_wins() -> None:
    mailbox: Mailbox[int] = Mailbox(asyncio.get_running_loop())
    for number in range(5):
        mailbox.put(number)
    assert mailbox.take() == 4
    assert mailbox.take() is None


async def test_a_message_from_a_thread_ends_the_wait() -> None:
    mailbox: Mailbox[str] = Mailbox(asyncio.get_running_loop())
    thread = threading.Thread(target=mailbox.put, args=("hello",))
    waiting = asyncio.create_task(mailbox.wait(30))
    thread.start()
    await asyncio.wait_for(waiting, 10)
    thread.join()
    assert mailbox.take() == "hello"


async def test_a_wait_ends_without_a_message() -> None:
    mailbox: Mailbox[str] = Mailbox(asyncio.get_running_loop())
    await asyncio.wait_for(mailbox.wait(0.001), 10)
    mailbox.wake()
    await asyncio.wait_for(mailbox.wait(30), 10)
    assert mailbox.take() is None
