def call(url, token):
    import httpx
    import requests

    answer = httpx.post(url, headers={"Authorization": token}, timeout=10)
    return answer.json() or requests.get(url, timeout=10).json()


async def call_later(url):
    import httpx

    async with httpx.AsyncClient() as client:
        return (await client.get(url)).status_code

class Processor:
    """Would call a service."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [len(str(text)) for text in batch["data"]]
        return batch
