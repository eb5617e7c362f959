"""A retriever's stages held against its collections and inputs, before anything is executed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from mixpeek.errors import InvalidRequest
from mixpeek.retrieval.narrowing import read_filter
from mixpeek.retrieval.schemas import Recipe, Stage
from mixpeek.retrieval.stages import StageKind
from mixpeek.retrieval.targets import ANY_FEATURE, ANY_TEXT, Bound, Target, find_searched, targets_named
from mixpeek.retrieval.templates import REFERENCE, ReferenceMissing, inputs_named, names_input, render
from mixpeek.retrieval.wrong_shapes import kind_named
from mixpeek.wire import WireModel

_NULLABLE = frozenset(
    (
        *("feature_address", "stratify_by", "diversity_feature_uri", "sort_by", "retriever_id", "output_field"),
        "response_path",
    )
)
_PLACEHOLDERS: dict[str, Any] = {
    "number": 1.5, "float": 1.5, "integer": 1, "boolean": True, "array": [1.0], "object": {}, "json": {},
    "date": "2026-01-31", "datetime": "2026-01-31T00:00:00Z",
}  # fmt: skip


def check_recipe(recipe: Recipe, targets: Sequence[Target], bound: Bound = None) -> list[dict[str, Any]]:
    """Return the stages as they are kept: each with its type, fit for these targets.

    Args: bound: see `find_searched`.

    Raises: InvalidRequest: an unknown stage, a parameter that does not fit, a feature that no collection has, a
    template that names an input there is not, a filter that cannot be read.
    """
    samples = {name: _sample(field.model_dump()) for name, field in recipe.input_schema.items()}
    kept = []
    for place, stage in enumerate(recipe.stages):
        where = f"stages[{place}].config"
        kind = kind_named(stage.config.stage_id, where)
        if stage.stage_type not in (None, kind.category):
            raise InvalidRequest(
                f"stages[{place}]: {kind.stage_id} is of the type {kind.category!r}, not {stage.stage_type!r}",
                hint="Leave out `stage_type`; it follows from the stage",
            )
        stage.config.parameters = _without_nothing(stage.config.parameters)
        _check_inputs_named(stage, recipe, where)
        _check_stage(kind, stage, targets, bound, samples, where)
        _check_filter_only(kind, stage, is_first=place == 0, where=where)
        kept.append({**stage.model_dump(exclude_none=True), "stage_type": kind.category})
        kept[-1]["config"]["parameters"] = stage.config.parameters
    return kept


def bound_features(
    stages: Sequence[Mapping[str, Any]], targets: Sequence[Target], before: Bound
) -> dict[str, list[str]]:
    """Return which collections have each feature address that the stages search, by id."""
    bound: dict[str, list[str]] = {}
    for stage in stages:
        parameters = stage["config"].get("parameters") or {}
        of_stage = parameters.get("collection_identifiers")
        for search in parameters.get("searches") or ():
            uri = search["feature_uri"]
            if "{{" in uri or uri in (ANY_FEATURE, ANY_TEXT):
                continue
            named = search.get("collection_identifiers") or of_stage
            found = find_searched(uri, targets_named(targets, named), before).targets
            bound[uri] = list(dict.fromkeys([*bound.get(uri, ()), *(target.collection_id for target in found)]))
    return bound


def read_parameters(kind: StageKind, given: Mapping[str, Any], where: str) -> Any:
    """Return a stage's parameters as its model.

    Raises: InvalidRequest: with every fault under `validation_errors`.
    """
    try:
        return kind.parameters.model_validate(dict(given))
    except ValidationError as error:
        raise _refusal(kind, error.errors(include_url=False), where) from error


def check_inputs(declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of an execution with defaults filled in.

    Raises: InvalidRequest: a required input is missing, one is not declared, or one has another type.
    """
    unknown = sorted(set(given) - set(declared)) if declared else []
    if unknown:
        raise InvalidRequest(
            f"This retriever takes no input {unknown[0]!r}", hint=f"It takes: {', '.join(sorted(declared))}"
        )
    filled = {name: field["default"] for name, field in declared.items() if field.get("default") is not None}
    filled |= {name: value for name, value in given.items() if value is not None or name not in filled}
    missing = [name for name, field in declared.items() if field.get("required") and filled.get(name) is None]
    if missing:
        raise InvalidRequest(f"Input {missing[0]!r} is required", hint="Send it under `inputs`")
    for name, value in filled.items():
        fault = _fault_of(declared.get(name, {}), value)
        if fault is not None:
            raise InvalidRequest(f"Input {name!r} {fault}", hint="The retriever's `input_schema` says what it takes")
    return filled


def _check_stage(
    kind: StageKind, stage: Stage, targets: Sequence[Target], bound: Bound, samples: Mapping[str, Any], where: str
) -> None:
    raw = stage.config.parameters
    shared = {name: value for name, value in raw.items() if name not in kind.per_document}
    sampled = {**raw, **_with_samples(shared, samples)}
    try:
        parameters = kind.parameters.model_validate(sampled)
    except ValidationError as error:
        # What a sample stood for is judged when the input is there.
        faults = [fault for fault in error.errors(include_url=False) if not _is_of_sample(fault["loc"], raw)]
        if faults:
            raise _refusal(kind, faults, f"{where}.parameters") from error
    else:
        try:
            kind.check(parameters, targets, bound)
        except InvalidRequest as error:
            # What an input brings is judged when it is there.
            if error.code in ("filter.invalid", ReferenceMissing.code) and names_input(raw):
                return
            raise
    for name in ("pre_filters", "post_filters"):
        _check_filter(getattr(stage.config, name))
    if kind.stage_id == "feature_search":
        _check_filter(raw.get("pre_filters"))
        for search in raw.get("searches") or ():
            _check_filter(search.get("filters"))


def _without_nothing(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return parameters without those that are null, which means their default; a compared value may be null.

    A client writes the word "null" for it.
    """
    return {
        name: value
        for name, value in parameters.items()
        if name == "value" or (value is not None and not (value == "null" and name in _NULLABLE))
    }


def _check_filter(data: Any) -> None:
    # A value that an input brings is judged when it is there.
    if data is not None and not names_input(data):
        read_filter(data, {})


def _check_inputs_named(stage: Stage, recipe: Recipe, where: str) -> None:
    named = inputs_named(stage.config.model_dump())
    unknown = sorted(named - set(recipe.input_schema))
    if recipe.input_schema and unknown:
        raise InvalidRequest(
            f"{where}: a template names the input {unknown[0]!r}, which `input_schema` does not declare",
            hint=f'Declare it: "input_schema": {{"{unknown[0]}": {{"type": "text"}}}};'
            f" there are: {', '.join(sorted(recipe.input_schema))}",
        )


def _check_filter_only(kind: StageKind, stage: Stage, *, is_first: bool, where: str) -> None:
    parameters = stage.config.parameters
    if kind.stage_id != "feature_search" or parameters.get("searches") or not is_first:
        return
    if not stage.config.pre_filters and not parameters.get("pre_filters"):
        raise InvalidRequest(
            f"{where}.parameters: a search without `searches` needs `pre_filters`, else it looks for nothing",
            hint='Write "searches": [{"feature_uri": …, "query": …}], or "pre_filters" beside `parameters`',
        )


def _with_samples(value: Any, samples: Mapping[str, Any]) -> Any:
    """Return a value with a sample in place of each reference to an input, and texts in place of other templates."""
    if isinstance(value, dict):
        return {key: _with_samples(item, samples) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_samples(item, samples) for item in value]
    if isinstance(value, str) and REFERENCE.match(value):
        try:
            return render(value, samples)
        except ReferenceMissing:
            return "x"
    return value


def _is_of_sample(location: Sequence[int | str], raw: Any) -> bool:
    """Tell whether what stands at a location, or in all of it, comes from an input that is not there yet."""
    for step in location:
        if isinstance(raw, dict):
            raw = raw.get(step, raw)
        elif isinstance(raw, list) and isinstance(step, int) and step < len(raw):
            raw = raw[step]
    if isinstance(raw, str):
        return "{{" in raw
    # A fault of the whole, such as two numbers that do not fit, may lie in what is given as a number.
    return any(REFERENCE.match(text) for name, text in _named_texts(raw) if name.endswith("top_k"))


def _named_texts(value: Any, name: str = "") -> list[tuple[str, str]]:
    if isinstance(value, str):
        return [(name, value)]
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in _named_texts(item, key)]
    if isinstance(value, list):
        return [pair for item in value for pair in _named_texts(item, name)]
    return []


def _sample(field: Mapping[str, Any]) -> Any:
    if field.get("default") is not None:
        return field["default"]
    for name in ("examples", "enum"):
        if field.get(name):
            return field[name][0]
    return _PLACEHOLDERS.get(field["type"], "x")


def _fault_of(declared: Mapping[str, Any], value: Any) -> str | None:
    """Return why a value is none of a declared input, None if it is one."""
    if value is None or not declared:
        return None
    kind, allowed = declared.get("type", "text"), declared.get("enum")
    if allowed and value not in allowed:
        return f"is one of {', '.join(map(str, allowed))}, not {value!r}"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "number": is_number,
        "float": is_number,
        "integer": is_number and (isinstance(value, int) or value.is_integer()),
        "boolean": isinstance(value, bool),
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
        "text": isinstance(value, str),
        "string": isinstance(value, str),
    }
    return None if fits.get(kind, True) else f"is of the type {kind!r}, and {str(value)[:80]!r} is none"


def _refusal(kind: StageKind, faults: Sequence[Any], where: str) -> InvalidRequest:
    lines = [{"type": each["type"], "location": [where, *each["loc"]], "message": each["msg"]} for each in faults]
    place = ".".join(str(part) for part in lines[0]["location"])
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return InvalidRequest(
        f"{place}: {lines[0]['message']}{more}",
        hint=f"{kind.stage_id} takes: {', '.join(_own_keys(kind.parameters))}; GET /v1/retrievers/stages shows how",
        validation_errors=lines,
    )


def _own_keys(model: type[WireModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]
