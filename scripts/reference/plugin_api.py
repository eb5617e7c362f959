"""plugin-api.md: every name plugin code may import, by the module it is imported from, and what is handed to it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from pydantic import BaseModel
from scripts.reference.markdown import anchor, code, heading, table, written
from scripts.reference.python import members_of, signature_of, words_of

import engine
import shared
from mixpeek.contract import columns, container, manifest, progress

WORDS = """What plugin code may rely on. The modules `engine` and `shared` come with `pip install mixpeek` and are there
in the sandbox; both are typed, so an editor completes them. How the parts fit together is told in the
[tutorial](../tutorial.md) and in [what a plugin may use](../howto/what-a-plugin-may-use.md)."""
HANDED = {
    container: (container.Container, container.Secrets, container.Llm, container.Generated),
    progress: (progress.ProgressActor,),
}
ERRORS = (container.SecretUnavailable, container.LlmUnavailable, container.InferenceUnavailable)
DECLARED = (manifest.Manifest, manifest.Feature, manifest.ComputeProfile, manifest.ServeConfig)
FRAME = {
    "data": columns.DATA,
    "document_id": columns.DOCUMENT_ID,
}
# What each system column holds; one that is added has to be described here.
COLUMNS = {
    "data": "Text, or the address of a stored file (open it with `open_asset`); never bytes.",
    "document_id": "Id of the row; a processor that returns rows keeps it.",
    "object_id": "Object the row comes from.",
    "blob_id": "Blob the row comes from.",
    "blob_property": "Property of the bucket's schema the blob belongs to.",
    "blob_type": "`text`, `image`, `audio`, `video`, `pdf`, …, as the schema declares it.",
    "collection_id": "Collection the batch fills.",
    "feature_extractor_id": "Plugin and version that run.",
    "mime_type": "MIME type, by the file's content where it is a file.",
    "size_bytes": "Bytes of the file; 0 for inline text.",
}


def doors() -> Iterator[ModuleType]:
    """Yield the modules plugin code imports names from, in order."""
    for package in (engine, shared):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            if getattr(module, "__all__", None):
                yield module


def names() -> dict[str, tuple[Any, list[str]]]:
    """Return every public name with its object and the modules it may be imported from, in order of first mention."""
    found: dict[str, tuple[Any, list[str]]] = {}
    for door in doors():
        for name in door.__all__:
            found.setdefault(name, (getattr(door, name), []))[1].append(door.__name__)
    return found


def handed() -> list[type]:
    """Return the classes plugin code is handed objects of, and the errors those raise."""
    return [*(cls for classes in HANDED.values() for cls in classes), *ERRORS]


def page() -> str:
    """Return plugin-api.md."""
    rows = [
        (f"[{code(name)}]({anchor(name)})", ", ".join(code(module) for module in modules))
        for name, (_, modules) in names().items()
    ]
    lines = [*heading("Plugin API", WORDS), "## To import", "", *table(("Name", "From"), rows)]
    for name, (thing, _) in names().items():
        lines += _section(name, thing)
    lines += ["## Handed to the plugin", "", *_handed_words()]
    for cls in handed():
        lines += _section(cls.__name__, cls)
    lines += ["## Columns of a batch", "", *_frame(), "## In manifest.py", "", *_manifest_words()]
    for model in DECLARED:
        lines += _declared(model)
    return written(lines)


def _section(name: str, thing: Any) -> list[str]:
    lines = [f"### {name}", ""]
    if inspect.isclass(thing) and hasattr(thing, "__members__"):
        values = [(code(f"{name}.{key}"), code(member.value)) for key, member in thing.__members__.items()]
        return [*lines, *words_of(thing), *table(("Member", "Value"), values), *_members(thing)]
    return [*lines, "```text", signature_of(name, thing), "```", "", *words_of(thing), *_members(thing)]


def _members(thing: Any) -> list[str]:
    if not inspect.isclass(thing):
        return []
    lines = []
    for name, member in members_of(thing):
        is_value = isinstance(member, property)
        head = f"**`.{name}`**" if is_value else f"**`{' '.join(signature_of(f'.{name}', member).split())}`**"
        lines += [head, "", *words_of(member)]
    return lines


def _handed_words() -> list[str]:
    return [
        "`build_steps` is called with `container`; a processor or handler whose constructor names `container` gets it"
        " too. `progress_actor` is handed to processors in the same way.",
        "",
    ]


def _frame() -> list[str]:
    rows = [(code(name), words) for name, words in COLUMNS.items()]
    return [
        "A processor is called with a pandas DataFrame: one row per blob (or mapped field), index 0, 1, 2 …, at most"
        " `compute_profile.batch_size` rows. It returns the same rows with further columns; one named like a feature"
        " is that feature, a vector as a list or an array of `embedding_dim` finite numbers. Beside these columns there"
        " are the blob's property and every key of the collection's `input_mappings`.",
        "",
        *table(("Column", "What it holds"), rows),
    ]


def _manifest_words() -> list[str]:
    return [
        "Top-level names, or keys of `metadata`. A key that is not known is an error with a suggestion. Schemas are"
        " pydantic models or JSON Schema objects.",
        "",
    ]


def _declared(model: type[BaseModel]) -> list[str]:
    rows = []
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else code(field.get_default(call_default_factory=True))
        limits = ", ".join(
            f"{sign} {getattr(limit, key)}"
            for limit in field.metadata
            for key, sign in (
                ("gt", ">"),
                ("ge", "≥"),
                ("le", "≤"),
                ("min_length", "at least"),
                ("max_length", "at most"),
            )
            if getattr(limit, key, None) is not None
        )
        rows.append((code(name), default, limits, field.description or ""))
    return [f"### {model.__name__}", "", *words_of(model), *table(("Key", "Default", "Limits", "What it is"), rows)]
