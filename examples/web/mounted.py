"""The page and REST of a pump in an application of one's own, in asyncio, until Ctrl+C.

The application is Starlette's, and FastAPI mounts pages in the same way: its own route is
http://127.0.0.1:8080/hello, the page is http://127.0.0.1:8080/pump/. It needs modwire-tools[web].
"""

import asyncio
from contextlib import suppress

from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from modwire import SequentialBlock, Unit, Units
from modwire_asyncio import TcpServer
from modwire_tools.web import UnitsView, page_app

units = Units({1: Unit(holding_registers=SequentialBlock(0, [15, 40]))})
view = UnitsView(units, title="Pump")
options = view.watched("tcp://127.0.0.1:5020")  # the page shows its clients


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def main() -> None:
    app = Starlette(routes=[Route("/hello", hello), Mount("/pump", page_app(view))])
    config = Config()
    config.bind = ["127.0.0.1:8080"]
    config.errorlog = None
    async with TcpServer(units, ("127.0.0.1", 5020), options=options):
        await serve(app, config)  # type: ignore[arg-type]  # it has types of its own for ASGI


with suppress(KeyboardInterrupt):
    asyncio.run(main())
