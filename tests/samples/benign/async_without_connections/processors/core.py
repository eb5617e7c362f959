import asyncio


async def score(text):
    await asyncio.sleep(0)
    return len(text)


async def score_all(texts):
    limit = asyncio.Semaphore(4)
    async with limit:
        return await asyncio.gather(*(score(text) for text in texts))

class Processor:
    """Scores without threads."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = asyncio.run(score_all([str(text) for text in batch["data"]]))
        return batch
