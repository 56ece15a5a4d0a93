"""Running trio for a command: its errors come out alone, not in groups."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator


def run_trio(main: Callable[[], Awaitable[None]]) -> None:
    """Run `main` in trio; raises what it raises, KeyboardInterrupt if that is among it."""
    import trio

    try:
        trio.run(main)
    except BaseException as error:
        found = list(_leaves(error))
        for each in found:
            if isinstance(each, KeyboardInterrupt):
                raise KeyboardInterrupt from None
        if len(found) == 1 and found[0] is not error:
            raise found[0] from None
        raise


def _leaves(error: BaseException) -> Iterator[BaseException]:
    inside: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    if not inside:
        yield error
    for each in inside:
        yield from _leaves(each)
