"""`run_trio`: runs trio for a subcommand; raises single errors, not groups."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterator


def run_trio(main: Callable[[], Awaitable[None]]) -> None:
    """Run `main` in trio; raises its error, or KeyboardInterrupt if there is one among several.

    SIGTERM, which systems send to stop a service, cancels `main`. That is not a failure.
    """
    import trio

    try:
        trio.run(_until_terminated, main)
    except BaseException as error:
        found = list(_leaves(error))
        for each in found:
            if isinstance(each, KeyboardInterrupt):
                raise KeyboardInterrupt from None
        if len(found) == 1 and found[0] is not error:
            raise found[0] from None
        raise


async def _until_terminated(main: Callable[[], Awaitable[None]]) -> None:
    import trio

    async def wait() -> None:
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await main()
        nursery.cancel_scope.cancel()


def _leaves(error: BaseException) -> Iterator[BaseException]:
    inside: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    if not inside:
        yield error
    for each in inside:
        yield from _leaves(each)
