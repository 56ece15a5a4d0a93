"""`run_trio`: runs trio for a subcommand; raises single errors, not groups."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trio


def run_trio(main: Callable[[], Awaitable[None]], reload: Callable[[], None] | None = None) -> None:
    """Run `main` in trio; raises its error, or KeyboardInterrupt if there is one among several.

    SIGTERM, which systems send to stop a service, cancels `main`. That is not a failure. SIGINT
    cancels it too, and raises KeyboardInterrupt then; a second one does so wherever it arrives.
    SIGHUP calls `reload`, if there is one; if that fails, the error is printed.
    """
    import trio

    try:
        trio.run(_until_terminated, main, reload)
    except BaseException as error:
        found = list(_leaves(error))
        for each in found:
            if isinstance(each, KeyboardInterrupt):
                raise KeyboardInterrupt from None
        if len(found) == 1 and found[0] is not error:
            raise found[0] from None
        raise


async def _until_terminated(
    main: Callable[[], Awaitable[None]], reload: Callable[[], None] | None
) -> None:
    import trio

    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as in a shell's background
        # Python would raise KeyboardInterrupt in whatever task runs, and other packages lose it
        # now and then: the page of a simulation went on after Ctrl+C.
        numbers.append(signal.SIGINT)
    caught: list[int] = []

    async def wait() -> None:
        with trio.open_signal_receiver(*numbers) as signals:
            async for number in signals:
                caught.append(number)
                nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        if reload is not None and hasattr(signal, "SIGHUP"):
            await nursery.start(_reload_at_hangup, reload, nursery.cancel_scope)
        await main()
        nursery.cancel_scope.cancel()
    if signal.SIGINT in caught:
        raise KeyboardInterrupt


async def _reload_at_hangup(
    reload: Callable[[], None],
    scope: trio.CancelScope,
    task_status: trio.TaskStatus[None],
) -> None:
    """Call `reload` at each SIGHUP; end if it came because the terminal was closed."""
    import trio

    from .output import note

    has_terminal = _has_terminal()
    with trio.open_signal_receiver(signal.SIGHUP) as signals:
        task_status.started()
        async for _ in signals:
            if has_terminal and not _has_terminal():
                scope.cancel()
                return
            try:
                reload()
            except (OSError, ValueError) as error:
                note(f"modwire: nothing was reloaded: {error}")
            else:
                note("modwire: certificates and rights were reloaded")


def _has_terminal() -> bool:
    try:
        return os.isatty(0)
    except OSError:
        return False


def _leaves(error: BaseException) -> Iterator[BaseException]:
    inside: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    if not inside:
        yield error
    for each in inside:
        yield from _leaves(each)
