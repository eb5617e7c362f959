# expect: security.network
import asyncio

asyncio.get_event_loop().create_connection(print, "10.0.0.1", 4444)
