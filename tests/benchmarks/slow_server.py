"""A server that answers each verb after a while, as one far away does; it takes verbs in groups (RFC 2920).

``python -m tests.benchmarks.slow_server MILLISECONDS``: prints its port, and at the end the number of mails taken.
"""

from __future__ import annotations

import asyncio
import sys

from tests.benchmarks.processes import get_ready, tell


class SlowServer:
    def __init__(self, delay: float) -> None:
        self._delay = delay
        self.mails = 0

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(writer, b"220 slow.example ESMTP")
            while line := await reader.readline():
                verb = line.strip().upper()
                if verb.startswith(b"EHLO"):
                    await self._answer(
                        writer, b"250-slow.example\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES"
                    )
                elif verb == b"DATA":
                    await self._take_mail(reader, writer)
                elif verb == b"QUIT":
                    await self._answer(writer, b"221 2.0.0 Bye")
                    break
                else:
                    await self._answer(writer, b"250 2.0.0 Ok")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _take_mail(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._answer(writer, b"354 Go ahead")
        await reader.readuntil(b"\r\n.\r\n")
        self.mails += 1
        await self._answer(writer, b"250 2.0.0 Taken")

    async def _answer(self, writer: asyncio.StreamWriter, reply: bytes) -> None:
        await asyncio.sleep(self._delay)
        writer.write(reply + b"\r\n")
        await writer.drain()


async def main(milliseconds: float) -> None:
    slow = SlowServer(milliseconds / 1000)
    server = await asyncio.start_server(slow.converse, "127.0.0.1", 0, limit=2**20)
    tell(port=server.sockets[0].getsockname()[1])
    # The line that it waits for says that the measurement is over.
    await asyncio.get_running_loop().run_in_executor(None, get_ready)
    tell(mails=slow.mails)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
