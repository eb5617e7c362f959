"""The text index of documents in PostgreSQL: written with them, block by block, and read by searches.

A block holds the texts that one transaction wrote. What is deleted or written again is noted as gone from its block, so
that counts are right at every moment; small blocks are put together by the writes that make them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mixpeek.db.pool import Connection, dict_rows, scalar
from mixpeek.documents import postings
from mixpeek.documents.port import Hit, Index
from mixpeek.documents.postings import Block, Ranked
from mixpeek.documents.surface import SURFACE
from mixpeek.documents.terms import terms_of, terms_of_query
from mixpeek.filters.model import Filter
from mixpeek.filters.sql import Fragment, compile_filter

# Blocks of fewer documents than this are small; so many of them are put together.
SMALL, TOGETHER = 64, 32
# So many candidates per result are tried on a filter at first.
TRIED_PER_RESULT = 8


def new_block(connection: Connection) -> int:
    """Return the number of the next block."""
    return int(scalar(connection, "SELECT nextval('text_blocks_block_seq')"))


def write_block(connection: Connection, index: Index, block: int, payloads: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the texts of documents by id, in their order; their keys name the block and the place already."""
    texts = [terms_of(payload) for payload in payloads.values()]
    connection.execute(
        "INSERT INTO text_blocks (block, collection_id, generation, document_ids, lengths) VALUES (%s, %s, %s, %s, %s)",
        [block, index.collection_id, index.generation, list(payloads), postings.lengths_of(texts)],
    )
    rows = postings.posting_rows(block, texts)
    if rows is not None:
        with connection.cursor() as cursor, cursor.copy("COPY text_postings FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(rows)


def write_again(connection: Connection, index: Index, payloads: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the texts of stored documents anew, in a block of their own."""
    if payloads:
        block = new_block(connection)
        move_keys(connection, index, list(payloads), block)
        write_block(connection, index, block, payloads)


def move_keys(
    connection: Connection, index: Index, document_ids: Sequence[str], block: int, segment: int | None = None
) -> None:
    """Have the keys of documents name another block, and their places in this order; perhaps another segment too."""
    place = {"collection": index.collection_id, "generation": index.generation, "ids": list(document_ids)}
    before = dict_rows(
        connection,
        "SELECT text_block, text_place FROM document_keys WHERE collection_id = %(collection)s"
        " AND generation = %(generation)s AND document_id = ANY(%(ids)s) AND text_block <> %(block)s"
        " ORDER BY document_id FOR UPDATE",
        {**place, "block": block},
    )
    connection.execute(
        "INSERT INTO text_gone SELECT * FROM unnest(%s::bigint[], %s::int[]) ON CONFLICT DO NOTHING",
        [[row["text_block"] for row in before], [row["text_place"] for row in before]],
    )
    connection.execute(
        "UPDATE document_keys k SET text_block = %(block)s, text_place = n.place - 1,"
        " segment = COALESCE(%(segment)s, k.segment)"
        " FROM unnest(%(ids)s::text[]) WITH ORDINALITY n (document_id, place) WHERE k.collection_id = %(collection)s"
        " AND k.generation = %(generation)s AND k.document_id = n.document_id"
        " AND k.text_block IS DISTINCT FROM %(block)s",
        {**place, "block": block, "segment": segment},
    )


def merge_small(connection: Connection, index: Index) -> None:
    """Put small blocks together if there are enough of them, and nobody else changes their documents meanwhile."""
    small = dict_rows(
        connection,
        "SELECT block, document_ids FROM text_blocks WHERE collection_id = %s AND generation = %s"
        " AND length(lengths) < %s FOR UPDATE SKIP LOCKED",
        [index.collection_id, index.generation, 2 * SMALL],
    )
    if len(small) < TOGETHER:
        return
    blocks = [row["block"] for row in small]
    ids = sorted({key for row in small for key in row["document_ids"]})
    rows = dict_rows(
        connection,
        "SELECT k.document_id, d.payload FROM document_keys k JOIN documents d USING (collection_id, generation,"
        " document_id) WHERE k.collection_id = %s AND k.generation = %s AND k.document_id = ANY(%s)"
        " AND k.text_block = ANY(%s) FOR UPDATE OF k SKIP LOCKED",
        [index.collection_id, index.generation, ids, blocks],
    )
    gone = scalar(connection, "SELECT count(*) FROM text_gone WHERE block = ANY(%s)", [blocks])
    if len(rows) + gone < sum(len(row["document_ids"]) for row in small):
        return
    write_again(connection, index, {row["document_id"]: row["payload"] for row in rows})
    connection.execute("DELETE FROM text_blocks WHERE block = ANY(%s)", [blocks])


def search(connection: Connection, indexes: Sequence[Index], query: str, k: int, where: Filter | None) -> list[Hit]:
    """See `DocumentStore.search_text`."""
    terms = terms_of_query(query)
    if not terms or not indexes:
        return []
    ranked = postings.rank(_blocks(connection, indexes, terms), terms)
    hits: list[Hit] = []
    for run in ranked.runs(k if where is None else max(TRIED_PER_RESULT * k, 100)):
        hits += _hits(connection, ranked, run, where)
        if len(hits) >= k:
            break
    return hits[:k]


def _blocks(connection: Connection, indexes: Sequence[Index], terms: Sequence[str]) -> list[Block]:
    # One statement, so that it all is of one moment.
    with connection.cursor(binary=True) as cursor:
        cursor.execute(
            "SELECT b.block, b.lengths, ARRAY(SELECT g.place FROM text_gone g WHERE g.block = b.block), p.* FROM"
            " (SELECT b.block, b.lengths FROM unnest(%s::text[], %s::int[]) i (collection_id, generation)"
            "  JOIN text_blocks b USING (collection_id, generation)) b"
            " CROSS JOIN LATERAL (SELECT COALESCE(array_agg(term ORDER BY term), '{}'),"
            "  COALESCE(array_agg(length(places) ORDER BY term), '{}'),"
            "  COALESCE(string_agg(places, '' ORDER BY term), ''), COALESCE(string_agg(counts, '' ORDER BY term), '')"
            "  FROM text_postings WHERE block = b.block AND term = ANY(%s)) p ORDER BY b.block",
            [
                [index.collection_id for index in indexes],
                [index.generation for index in indexes],
                sorted({postings.number_of(term) for term in terms}),
            ],
        )
        return [Block(*row) for row in cursor]


def _hits(connection: Connection, ranked: Ranked, run: slice, where: Filter | None) -> list[Hit]:
    """Return those of a run that pass, best first, ties by document id."""
    fragment = Fragment("true") if where is None else compile_filter(where, SURFACE)
    passing = (
        ""
        if where is None
        # By its whole key, and kept apart by OFFSET: the planner may take a collection that is being filled for empty.
        else " CROSS JOIN LATERAL (SELECT FROM documents d WHERE d.collection_id = b.collection_id"
        f" AND d.generation = b.generation AND d.document_id = b.document_ids[n.place + 1] AND {fragment.text}"
        " OFFSET 0) d"
    )
    rows = dict_rows(
        connection,
        "SELECT b.document_ids[n.place + 1] AS document_id, b.collection_id, n.score"
        " FROM unnest(%(blocks)s::bigint[], %(places)s::int[], %(scores)s::float8[]) n (block, place, score)"
        f" JOIN text_blocks b USING (block){passing}",
        {
            **fragment.params,
            "blocks": ranked.blocks[run].tolist(),
            "places": ranked.places[run].tolist(),
            "scores": ranked.scores[run].tolist(),
        },
    )
    return [
        Hit(row["document_id"], row["collection_id"], row["score"])
        for row in sorted(rows, key=lambda row: (-row["score"], row["document_id"], row["collection_id"]))
    ]
