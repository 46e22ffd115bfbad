"""A seed without any thought: what an honest peer waits for it, it waits for this machine.

python yardstick.py CONTENT
"""

import asyncio
import struct
import sys
from pathlib import Path

from tests.faults.rigs import wire
from tests.faults.rigs.torrent import PIECE


async def main(content: bytes) -> None:
    """Answer requests until the input ends."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(wire.HANDSHAKE_LENGTH) + wire.message(wire.UNCHOKE))
        await reader.readexactly(len(wire.message(wire.INTERESTED)))
        while True:
            try:
                _, _, piece, begin, length = struct.unpack(">IBIII", await reader.readexactly(17))
            except asyncio.IncompleteReadError:
                writer.close()
                return
            at = piece * PIECE + begin
            writer.write(wire.message(wire.PIECE, struct.pack(">II", piece, begin) + content[at : at + length]))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).read_bytes()))
