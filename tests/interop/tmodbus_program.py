"""A client and a server of tmodbus over TLS: obeys lines of JSON; see `TlsProgram`.

It needs Python 3.12. {"serve": ...} begins a server that lets the role "operator" write and all
others read, and is answered with its port. {"port": ...} makes a client take the `steps`, and is
answered with a list of their results, such as [7, 7], {"exception": 1} or {"refused": text}.
"""

import asyncio
import json
import ssl
import sys
import traceback
from contextlib import suppress

from tmodbus import create_async_tcp_client
from tmodbus.exceptions import IllegalFunctionError, ModbusConnectionError, ModbusResponseError
from tmodbus.pdu import ReadHoldingRegistersPDU, WriteSingleRegisterPDU
from tmodbus.server import AsyncTcpServer, ModbusRequestRouter, extract_modbus_role

VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
TIMEOUT = 20.0


def context_of(task, purpose):
    context = ssl.SSLContext(purpose)
    context.minimum_version = context.maximum_version = VERSIONS[task["version"]]
    context.load_verify_locations(task["ca"])
    if task["certificate"]:
        context.load_cert_chain(task["certificate"], task["key"])
    return context


async def take(task):
    client = create_async_tcp_client(
        "127.0.0.1",
        task["port"],
        unit_id=1,
        timeout=TIMEOUT,
        connect_timeout=TIMEOUT,
        auto_reconnect=False,
        ssl=context_of(task, ssl.PROTOCOL_TLS_CLIENT),
    )
    found = []
    try:
        await client.connect()
        for name, *arguments in task["steps"]:
            try:
                if name == "read":
                    found.append(list(await client.read_holding_registers(*arguments)))
                else:
                    found.append(await client.write_single_register(*arguments))
            except ModbusResponseError as error:
                found.append({"exception": error.error_code})
    except (ModbusConnectionError, OSError, TimeoutError) as error:
        found.append({"refused": "".join(traceback.format_exception(error))})
    with suppress(ModbusConnectionError, OSError):
        await client.disconnect()
    return found


async def serve(task):
    context = context_of(task, ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    registers, router = [7] * 200, ModbusRequestRouter()

    @router.register(ReadHoldingRegistersPDU)
    async def read(unit, request):
        return registers[request.start_address : request.start_address + request.quantity]

    @router.register(WriteSingleRegisterPDU)
    async def write(unit, request, about):
        if extract_modbus_role(about.client_cert) != "operator":
            raise IllegalFunctionError(request.function_code)
        registers[request.address] = request.value
        return request.value

    server = AsyncTcpServer("127.0.0.1", router, port=0, ssl_context=context)
    await server.start()
    return server._server.sockets[0].getsockname()[1]


async def main():
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        task = json.loads(line)
        print(json.dumps(await (serve if "serve" in task else take)(task)), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
