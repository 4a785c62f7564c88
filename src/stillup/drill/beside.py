"""Does something beside a block, for as long as the block runs."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager


@asynccontextmanager
async def beside(job: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Have a job done while the block runs, and end it with the block.

    Not a ``TaskGroup``: what the block raises stays what it is, alone.

    Raises:
        Exception: What the job failed with, when the block has ended.
    """
    task = asyncio.create_task(job)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()
