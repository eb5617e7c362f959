"""Executing retrievers: stage after stage, each measured, over the live generations as they were at the beginning."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from pydantic import ValidationError

from mixpeek.db.pool import Database, new_id
from mixpeek.db.time_limit import FilterTimedOut
from mixpeek.documents.port import DocumentStore, Premise
from mixpeek.errors import InvalidRequest, MixpeekError, NotFound
from mixpeek.retrieval import queries
from mixpeek.retrieval.context import Context, OverBudget, Reading, Tools
from mixpeek.retrieval.explaining import Timings
from mixpeek.retrieval.models import Retriever
from mixpeek.retrieval.narrowing import narrow, read_filter
from mixpeek.retrieval.pagination import Fingerprint, Shown, page_of, results_from_rows, rows_from_results
from mixpeek.retrieval.queries import WithTargets
from mixpeek.retrieval.recipes import check_inputs, check_recipe, read_parameters
from mixpeek.retrieval.results import Flow, Result, Scan
from mixpeek.retrieval.schemas import Execute, ExecuteAdHoc, ExecuteOptions, Pagination
from mixpeek.retrieval.service import get_targets
from mixpeek.retrieval.stages import STAGES
from mixpeek.retrieval.targets import Bound
from mixpeek.retrieval.templates import render
from mixpeek.retrieval.wrong_shapes import kind_named

# Which scroll, how many of its results were shown, and how many make a page.
_SCROLL_MARKER = re.compile(r"(?P<scroll>\w+):(?P<place>[0-9]{1,9}):(?P<size>[1-9][0-9]{0,2}|1000)", re.ASCII)
Event = dict[str, Any]
Shape = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Recipe:
    """What is executed: a retriever that is kept, or one that came with the request."""

    stages: list[dict[str, Any]]
    input_schema: dict[str, Any]
    collection_ids: list[str]
    max_time_ms: int | None
    bound: Bound = None
    retriever_id: str | None = None
    retriever_name: str | None = None


def recipe_of(retriever: Retriever) -> Recipe:
    """Return a kept retriever as it is executed."""
    limits = retriever.budget_limits or {}
    return Recipe(
        retriever.stages,
        retriever.input_schema,
        retriever.collection_ids,
        limits.get("max_time_ms"),
        # One that was made before this was kept is bound to whatever has the feature.
        retriever.dependencies or None,
        retriever.retriever_id,
        retriever.retriever_name,
    )


class Executor:
    """Executes retrievers with what one process has at hand."""

    def __init__(self, database: Database, documents: DocumentStore, tools: Tools, timings: Timings) -> None:
        self._database = database
        self._documents = documents
        self._tools = tools
        self._timings = timings

    def execute(
        self,
        namespace_id: str,
        identifier: str,
        body: Execute,
        *,
        vectors: bool = False,
        shape: Shape | None = None,
    ) -> dict[str, Any]:
        """Return the documented answer of a kept retriever, by what is remembered of it where that is still so."""
        known = self._tools.retrievers.recall(namespace_id, identifier)
        outcome = None if known is None else self._by_memory(namespace_id, known, body, vectors, shape)
        if outcome is not None and outcome.is_confirmed:
            return outcome.result()
        reading = Reading(self._database)
        with _closed_on_error(reading):
            found = self._look_up(reading, namespace_id, identifier)
            if known is not None and outcome is not None and found.premise == known.premise:
                reading.release()
                return outcome.result()
            execution = self._kept(namespace_id, found, reading, body, vectors, shape, None)
        return execution.run()

    def _by_memory(
        self, namespace_id: str, known: WithTargets, body: Execute, vectors: bool, shape: Shape | None
    ) -> _Outcome:
        """Return what comes of a retriever as it is remembered."""
        reading, execution = Reading(self._database), None
        try:
            with _closed_on_error(reading):
                execution = self._kept(namespace_id, known, reading, body, vectors, shape, None, known.premise)
            return _Outcome(execution.run(), is_confirmed=execution.context.is_confirmed)
        except MixpeekError as error:
            return _Outcome(error, is_confirmed=execution is not None and execution.context.is_confirmed)

    def _look_up(self, reading: Reading, namespace_id: str, identifier: str) -> WithTargets:
        """Return a retriever as it is now, and remember it; raise NotFound."""
        found = queries.find_with_targets(reading.connection, namespace_id, identifier)
        if found is None:
            self._tools.retrievers.forget(namespace_id, identifier)
            raise NotFound("retriever", identifier)
        self._tools.retrievers.note(namespace_id, identifier, found)
        return found

    def prepare(
        self,
        namespace_id: str,
        identifier: str,
        body: Execute,
        *,
        vectors: bool = False,
        shape: Shape | None = None,
        parent: Context | None = None,
    ) -> Execution:
        """Return the execution of a kept retriever, ready to run; raise NotFound or InvalidRequest.

        Args: parent: the execution that it is a part of.
        """
        reading = Reading(self._database)
        with _closed_on_error(reading):
            found = self._look_up(reading, namespace_id, identifier)
            return self._kept(namespace_id, found, reading, body, vectors, shape, parent)

    def _kept(
        self,
        namespace_id: str,
        found: WithTargets,
        reading: Reading,
        body: Execute,
        vectors: bool,
        shape: Shape | None,
        parent: Context | None,
        premise: Premise | None = None,
    ) -> Execution:
        recipe, targets = recipe_of(found.retriever), found.targets
        warnings = body.ignored()
        gone = set(recipe.collection_ids) - {target.collection_id for target in targets}
        if gone and not targets:
            raise NotFound("collection", min(gone), hint="The retriever's collections are gone; clone it with others")
        warnings += [f"Collection {each} is gone; it was not searched" for each in sorted(gone)]
        return self._execution(namespace_id, recipe, reading, targets, body, warnings, vectors, shape, parent, premise)

    def prepare_ad_hoc(
        self,
        namespace_id: str,
        body: ExecuteAdHoc,
        *,
        vectors: bool = False,
        shape: Shape | None = None,
        parent: Context | None = None,
    ) -> Execution:
        """Return the execution of a recipe that is not kept; raise NotFound or InvalidRequest."""
        reading = Reading(self._database)
        with _closed_on_error(reading):
            targets = get_targets(reading.connection, namespace_id, body.collection_identifiers)
            recipe = Recipe(
                check_recipe(body, targets),
                {name: declared.model_dump() for name, declared in body.input_schema.items()},
                [target.collection_id for target in targets],
                body.budget_limits.max_time_ms if body.budget_limits else None,
            )
            return self._execution(namespace_id, recipe, reading, targets, body, [], vectors, shape, parent)

    def _execution(
        self,
        namespace_id: str,
        recipe: Recipe,
        reading: Reading,
        targets: list[Any],
        options: ExecuteOptions,
        warnings: list[str],
        vectors: bool,
        shape: Shape | None,
        parent: Context | None,
        premise: Premise | None = None,
    ) -> Execution:
        began = time.perf_counter()
        execution_id = new_id("exec")
        own = began + recipe.max_time_ms / 1000 if recipe.max_time_ms is not None else None
        deadlines = [at for at in (own, parent.deadline if parent else None) if at is not None]
        reading.deadline = min(deadlines, default=None)
        reading.limit()
        context = Context(
            namespace_id=namespace_id,
            about={"namespace_id": namespace_id, "retriever_id": recipe.retriever_id, "execution_id": execution_id},
            reading=reading,
            store=self._documents,
            tools=self._tools,
            targets=targets,
            bound=recipe.bound,
            inputs=check_inputs(recipe.input_schema, options.inputs),
            nested=self._nested,
            deadline=reading.deadline,
            depth=parent.depth + 1 if parent else 0,
            premise=premise,
            warnings=warnings,
        )
        return Execution(recipe, context, options, self._timings, began, vectors, shape or (lambda document: document))

    def _nested(self, parent: Context, named: Any, inputs: dict[str, Any]) -> dict[str, Any] | None:
        """Return the best document that another retriever finds, as it is answered; its warnings are the parent's."""
        parent.reading.release()
        best = {"inputs": inputs, "pagination": {"limit": 1}}
        if isinstance(named, str):
            execution = self.prepare(parent.namespace_id, named, Execute.model_validate(best), parent=parent)
        else:
            try:
                body = ExecuteAdHoc.model_validate({**named, **best})
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                place = ".".join(str(part) for part in first["loc"])
                raise InvalidRequest(f"retriever_config.{place}: {first['msg']}") from error
            execution = self.prepare_ad_hoc(parent.namespace_id, body, parent=parent)
        answer = execution.run()
        for warning in answer["warnings"]:
            parent.warn(f"{parent.stage_name}: {warning}")
        return answer["documents"][0] if answer["documents"] else None


@dataclass(frozen=True)
class _Outcome:
    """What came of a retriever that was remembered, and whether a search has confirmed that it is still so."""

    told: dict[str, Any] | MixpeekError
    is_confirmed: bool

    def result(self) -> dict[str, Any]:
        if isinstance(self.told, MixpeekError):
            raise self.told
        return self.told


@dataclass
class Execution:
    """One run of a recipe, prepared: its inputs are checked and its collections found."""

    recipe: Recipe
    context: Context
    options: ExecuteOptions
    timings: Timings
    began: float
    vectors: bool
    shape: Shape

    def run(self) -> dict[str, Any]:
        """Run to the end and return the documented answer."""
        answer: dict[str, Any] = {}
        with self.context.reading:
            for event in self._events():
                answer = event
        return answer["execution"]  # type: ignore[no-any-return]

    def stream(self) -> Iterator[Event]:
        """Yield an event when a stage begins and ends, and one with the answer; an error is the last event."""
        self.context.reading.release()  # whoever reads the stream may take their time to begin
        try:
            with self.context.reading:
                for event in self._events():
                    if event["event_type"] == "execution_complete":
                        yield {"event_type": "execution_complete", **event["execution"]}
                    else:
                        yield event
        except MixpeekError as error:
            yield {
                "event_type": "execution_error",
                "execution_id": self.context.about["execution_id"],
                "status": "failed",
                "error": error.wire(),
                "stage_statistics": {"stages": self.context.statistics},
            }

    def _events(self) -> Iterator[Event]:
        context, wanted = self.context, self.options.pagination
        stages = self.recipe.stages
        fingerprint = Fingerprint(self.recipe.retriever_id, self.recipe.collection_ids, stages, context.inputs)
        if wanted is not None and wanted.method == "scroll" and wanted.scroll_id is not None:
            answer = self._answered(lambda: self._scrolled(fingerprint))
            yield {"event_type": "execution_complete", "execution": answer}
            return
        flow: Flow = Scan()
        for place, stage in enumerate(stages):
            about = {
                "execution_id": context.about["execution_id"],
                "stage_name": stage["stage_name"],
                "stage_index": place,
                "total_stages": len(stages),
            }
            yield {"event_type": "stage_start", **about}
            try:
                flow = self._stage(stage, flow, is_last=place == len(stages) - 1)
            except MixpeekError as error:
                error.details.setdefault("stage", stage["stage_name"])
                yield {"event_type": "stage_error", **about, "error": error.wire()}
                raise
            yield {
                "event_type": "stage_complete",
                **about,
                "statistics": context.statistics[stage["stage_name"]],
            }
        assert isinstance(flow, list), "the last stage leaves nothing to the store"
        found, is_scroll = flow, wanted is not None and wanted.method == "scroll"
        answer = self._answered(
            lambda: self._opened_scroll(found, fingerprint) if is_scroll else page_of(found, wanted, fingerprint)
        )
        yield {"event_type": "execution_complete", "execution": answer}

    def _stage(self, stage: dict[str, Any], flow: Flow, *, is_last: bool) -> Flow:
        context, config = self.context, stage["config"]
        began, hits = time.perf_counter(), context.cache_hits
        context.stage_name, context.metadata = stage["stage_name"], {}
        context.check_time()
        before = len(flow) if isinstance(flow, list) else 0
        where = f"stage {stage['stage_name']!r}: parameters"
        kind = kind_named(config["stage_id"])
        try:
            filled = self._filled(stage, where)
            flow = narrow(context, flow, read_filter(config.get("pre_filters"), context.inputs))
            flow = kind.run(read_parameters(kind, filled, where), context, flow)
            flow = narrow(context, flow, read_filter(config.get("post_filters"), context.inputs))
            if is_last and isinstance(flow, Scan):
                flow = context.results_of(flow)
                context.metadata["left_to_store"] = True
            context.check_time()
        except psycopg.errors.QueryCanceled as error:
            if context.deadline is not None:
                raise OverBudget(stage=stage["stage_name"]) from error
            raise FilterTimedOut(f"Stage {stage['stage_name']!r} took the database too long") from error
        except FilterTimedOut:
            context.check_time()  # which may have been over before
            raise
        except OverflowError as error:
            raise InvalidRequest(
                f"Stage {stage['stage_name']!r} met numbers that are too large to compute with",
                hint="Filter out the documents that hold them",
            ) from error
        after = len(flow) if isinstance(flow, list) else 0
        if isinstance(flow, Scan):
            context.metadata["left_to_store"] = True
        duration_ms = (time.perf_counter() - began) * 1000
        context.statistics[stage["stage_name"]] = {
            "input_count": before,
            "output_count": after,
            "duration_ms": duration_ms,
            "efficiency": after / before if before else 0,
            "cache_hit": context.cache_hits > hits,
            "error": None,
            "metadata": context.metadata,
        }
        self.timings.note(self.recipe.retriever_id, stage["stage_name"], duration_ms, before, after)
        return flow

    def _filled(self, stage: dict[str, Any], where: str) -> dict[str, Any]:
        """Return a stage's parameters with their templates filled in, but for those that each document fills."""
        context, config = self.context, stage["config"]
        kind = STAGES[config["stage_id"]]
        raw = config.get("parameters") or {}
        roots = {"context": context.about, "stage": context.statistics}
        if kind.stage_id == "feature_search":
            raw = {**raw, "searches": [self._with_query(search) for search in raw.get("searches") or ()]}
        filled = {
            name: value if name in kind.per_document else render(value, context.inputs, **roots)
            for name, value in raw.items()
        }
        if not isinstance(filled, dict):
            raise InvalidRequest(f"{where} are no object")
        return filled

    def _with_query(self, search: dict[str, Any]) -> dict[str, Any]:
        """Return a search whose query is empty where it names an input that was not given and may be left out."""
        if search.get("on_empty") not in ("skip", "random"):
            return search
        try:
            # Filled in once: an input is never read as a template.
            render(search.get("query"), self.context.inputs)
        except InvalidRequest:
            return {**search, "query": {"input_mode": "text", "value": ""}}
        return search

    def _answered(self, show: Callable[[], Shown]) -> dict[str, Any]:
        """Return the answer with what is shown; raise OverBudget if there is no time left to read it."""
        try:
            return self._answer(show())
        except psycopg.errors.QueryCanceled as error:
            raise OverBudget from error

    def _answer(self, shown: Shown) -> dict[str, Any]:
        context = self.context
        loaded = context.load([each for each in shown.results if not each.bare], vectors=self.vectors)
        known = {id(each) for each in loaded}
        documents = [self.shape(each.wire()) for each in shown.results if each.bare or id(each) in known]
        elapsed = (time.perf_counter() - self.began) * 1000
        left = [name for name, each in context.statistics.items() if each["metadata"].get("left_to_store")]
        return {
            "execution_id": context.about["execution_id"],
            "retriever_id": self.recipe.retriever_id,
            "status": "completed",
            "documents": documents,
            "results": documents,
            "warnings": context.warnings,
            "pagination": shown.wire,
            "facets": context.facets or None,
            "groups": context.groups,
            "aggregations": context.aggregations or None,
            "stage_statistics": {"stages": context.statistics, "total_time_ms": elapsed, "credits_used": 0},
            "budget": {"credits_used": 0, "credits_remaining": None, "time_used_ms": elapsed},
            "error": None,
            "optimization_applied": bool(left),
            "optimization_summary": {"left_to_store": left} if left else None,
        }

    def _opened_scroll(self, results: list[Result], fingerprint: Fingerprint) -> Shown:
        """Return the first page of a scroll, and keep the rest if there is more."""
        wanted = self.options.pagination
        assert wanted is not None
        shown = page_of(results, _first_page(wanted, wanted.size), fingerprint)
        if not shown.wire["has_next"]:
            return Shown(shown.results, {**shown.wire, "method": "scroll"})
        scroll_id = new_id("scroll", 24)
        queries.insert_scroll(
            self.context.reading.connection,
            {
                "scroll_id": scroll_id,
                "namespace_id": self.context.namespace_id,
                "fingerprint": fingerprint.text,
                "results": rows_from_results(results),
                "generations": {target.collection_id: target.generation for target in self.context.targets},
            },
            wanted.scroll_ttl,
        )
        wire = {**shown.wire, "method": "scroll", "scroll_id": _scroll_marker(scroll_id, wanted.size, wanted.size)}
        return Shown(shown.results, wire)

    def _scrolled(self, fingerprint: Fingerprint) -> Shown:
        """Return the next page of a scroll, from the generations that it began with."""
        wanted, context = self.options.pagination, self.context
        assert wanted is not None
        assert wanted.scroll_id is not None
        marker = _SCROLL_MARKER.fullmatch(wanted.scroll_id)
        found = marker and queries.find_scroll(
            context.reading.connection, context.namespace_id, marker["scroll"], wanted.scroll_ttl
        )
        if not marker or not found or found["fingerprint"] != fingerprint.text:
            raise InvalidRequest(
                "There is no such scroll for this retriever and these inputs, or its time is over",
                hint='Begin anew: "pagination": {"method": "scroll", "limit": 100}',
            )
        # What was found is shown as it was, even if a collection has been switched to another generation meanwhile.
        context.targets = [
            replace(target, generation=found["generations"].get(target.collection_id, target.generation))
            for target in context.targets
        ]
        # A page is as large as the one before, unless another size is asked for.
        size = wanted.limit or wanted.page_size or int(marker["size"])
        results, start = results_from_rows(found["results"]), int(marker["place"])
        shown, end = results[start : start + size], start + size
        first = page_of(results, _first_page(wanted, size), fingerprint)
        has_next = end < len(results)
        wire = {
            **first.wire,
            "method": "scroll",
            "page": start // size + 1 if start % size == 0 else None,
            "has_next": has_next,
            "next_cursor": None,
            "scroll_id": _scroll_marker(marker["scroll"], end, size) if has_next else None,
        }
        return Shown(shown, wire)


def _scroll_marker(scroll_id: str, place: int, size: int) -> str:
    return f"{scroll_id}:{place}:{size}"


def _first_page(wanted: Pagination, size: int) -> Pagination:
    """Return a wish for the first page of this size, by number."""
    first = {"method": "offset", "offset": 0, "page_number": 1, "limit": size, "page_size": None}
    return wanted.model_copy(update=first)


class _closed_on_error:  # noqa: N801 - reads as what it does
    """Gives a reading's connection back if what is prepared with it fails."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def __enter__(self) -> None:
        pass

    def __exit__(self, *raised: Any) -> None:
        if raised[0] is not None:
            self._reading.__exit__(*raised)
