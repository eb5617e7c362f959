# expect: security.subprocess
import asyncio


async def call(protocol):
    loop = asyncio.get_running_loop()
    return await loop.subprocess_exec(protocol, "/bin/id")
