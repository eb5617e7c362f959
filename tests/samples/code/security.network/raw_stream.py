# expect: security.network
import asyncio


async def send(text):
    reader, writer = await asyncio.open_connection("10.0.0.1", 4444)
    writer.write(text)
