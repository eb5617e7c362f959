"""diagrams/*.svg: the pictures of the pages on concepts."""

from __future__ import annotations

from scripts.reference.drawing import Arrow, Box, Drawing, Frame

DRAWINGS = {
    "plugin-to-answer": Drawing(
        "A plugin is published as a version, a version is deployed, a batch runs it over objects into documents, and a"
        " retriever searches those, asking the deployed version for the query's vector.",
        [
            Box("plugin", 0, 0, "Plugin", "your folder"),
            Box("version", 1, 0, "Version", "immutable, by hash"),
            Box("deployment", 2, 0, "Deployment", "blue and green", main=True),
            Box("answer", 3, 0, "Realtime answer"),
            Box("bucket", 0, 1, "Bucket", "objects"),
            Box("batch", 1, 1, "Batch", "chunks of rows", main=True),
            Box("documents", 2, 1, "Documents", "fields and vectors"),
            Box("retriever", 3, 1, "Retriever", "stages", main=True),
        ],
        [
            Arrow("plugin", "version", "publish"),
            Arrow("version", "deployment", "deploy"),
            Arrow("deployment", "answer", "infer"),
            Arrow("version", "batch", "runs in"),
            Arrow("bucket", "batch", "trigger"),
            Arrow("batch", "documents", "stores"),
            Arrow("documents", "retriever", "searched by"),
            Arrow("answer", "retriever", "query's vector"),
        ],
    ),
    "sandbox": Drawing(
        "API and worker read an archive without running it. Plugin code runs in a host, inside the sandbox, with one"
        " socket to be called on and one to ask on. What it returns is checked before it is stored.",
        [
            Box("archive", 0, 0, "Archive", "trusted with nothing"),
            Box("checks", 0, 1, "Reader and scan", "no code is run"),
            Box("platform", 1, 1, "API and worker", "trusted"),
            Box("store", 1, 0, "Stores", "PostgreSQL, objects"),
            Box("host", 2.35, 1, "Plugin host", "one per version", main=True),
            Box("broker", 1, 2, "Broker", "checks each question"),
            Box("code", 2.35, 2, "Plugin code", "trusted with nothing", main=True),
        ],
        [
            Arrow("archive", "checks"),
            Arrow("checks", "platform", "findings"),
            Arrow("platform", "store", is_back=True),
            Arrow("platform", "host", "calls, replies", is_back=True),
            Arrow("host", "code"),
            Arrow("code", "broker", "asks for files", is_back=True),
            Arrow("broker", "platform"),
        ],
        [Frame((2.35, 1), (2.35, 2), "sandbox: no network, no writing")],
    ),
    "rollout": Drawing(
        "A deployment is queued, its environment is built, it is tried in a host of its own, green hosts start, then it"
        " is live. Whatever fails before the switch leaves the version that is live as it was.",
        [
            Box("queued", 0, 0, "QUEUED"),
            Box("pending", 1, 0, "PENDING", "packages installed"),
            Box("progress", 2, 0, "IN_PROGRESS", "gate, then green hosts"),
            Box("deployed", 3, 0, "DEPLOYED", "answers", main=True),
            Box("failed", 2, 1, "FAILED", "nothing changed"),
            Box("ended", 3, 1, "NOT_DEPLOYED", "superseded, stopped"),
        ],
        [
            Arrow("queued", "pending"),
            Arrow("pending", "progress"),
            Arrow("progress", "deployed", "switch"),
            Arrow("pending", "failed", "does not build", falls_first=True),
            Arrow("progress", "failed", "gate says no"),
            Arrow("deployed", "ended", "the next switch"),
        ],
    ),
    "generations": Drawing(
        "A collection has one live generation that is searched. An upgrade builds another beside it; every write goes"
        " to both until one is dropped. A generation is made of segments, fresh ones scanned and full ones indexed.",
        [
            Box("writes", 0, 0.5, "Writes", "batches, edits"),
            Box("live", 1, 0, "Generation 1", "live: version 1.0.0", main=True),
            Box("next", 1, 1, "Generation 2", "building: version 2.0.0"),
            Box("full", 2, 0, "Full segments", "HNSW index"),
            Box("fresh", 2, 1, "Fresh segment", "scanned exactly"),
            Box("search", 3, 0, "Searches", "one generation each"),
        ],
        [
            Arrow("writes", "live", falls_first=True),
            Arrow("writes", "next", falls_first=True),
            Arrow("live", "full", "holds"),
            Arrow("full", "search", "merged"),
            Arrow("fresh", "search"),
        ],
        [Frame((2, 0), (2, 1), "segments of generation 1")],
    ),
    "rows": Drawing(
        "Every planned row of a batch ends as written, failed or skipped. A chunk's documents, vectors, outcomes and"
        " commit are one transaction, and the store is counted against the ledger at the end.",
        [
            Box("objects", 0, 1, "Objects", "planned rows"),
            Box("host", 1, 1, "Plugin host", "a chunk of rows"),
            Box("written", 2, 0, "written", "a document"),
            Box("failed", 2, 1, "failed", "cause and lines"),
            Box("skipped", 2, 2, "skipped", "cause"),
            Box("count", 3, 1, "Counted", "planned = all three", main=True),
        ],
        [
            Arrow("objects", "host"),
            Arrow("host", "written", falls_first=True),
            Arrow("host", "failed"),
            Arrow("host", "skipped", falls_first=True),
            Arrow("written", "count"),
            Arrow("failed", "count"),
            Arrow("skipped", "count"),
        ],
        [Frame((2, 0), (2, 2), "one transaction a chunk")],
    ),
}


def pages() -> dict[str, str]:
    """Return each picture's text by the name of its file."""
    return {f"diagrams/{name}.svg": drawing.svg() for name, drawing in DRAWINGS.items()}
