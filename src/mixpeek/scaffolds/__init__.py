"""New plugins from templates: each template is a real plugin of this repository, renamed as it is copied.

What a plugin must contain is the contract's matter, not this module's.
"""

from __future__ import annotations

import json
import keyword
import re
from dataclasses import dataclass
from pathlib import Path

from mixpeek.contract.versions import NAME_PATTERN
from mixpeek.errors import AlreadyExists, InvalidRequest, PlatformError


@dataclass(frozen=True)
class Template:
    """A plugin of this repository: its name, and its description as manifest, pyproject.toml and README say it."""

    name: str
    description: str


TEMPLATES = {
    "text": Template("text_embedding", "Sentence embeddings with all-MiniLM-L6-v2"),
    "image": Template("image_similarity", "Finds pictures that look alike, by colours, layout and edges"),
    "video": Template("video_scenes", "Finds scenes of videos by a still picture, with their times"),
    "audio": Template("audio_similarity", "Finds sounds that are alike, by their spectrum and how it moves"),
    "document": Template("document_pages", "Finds passages of PDF documents by meaning, with their pages"),
    "multimodal": Template("captioned_images", "Finds captioned pictures by what is said of them and by how they look"),
}

DEFAULT_DESCRIPTION = "A custom feature extractor"
_RENAMED_SUFFIXES = frozenset({".py", ".md", ".toml", ".json"})
# Written in each template exactly like this, with the quotes: in the manifest and in pyproject.toml.
_TEMPLATE_AUTHOR = "Mixpeek"
# What a template has among its files whose names begin with a dot.
_GITHUB = ".github"


def render(category: str, name: str, description: str, author: str, into: Path) -> list[Path]:
    """Write a new plugin called `name` to the folder `into`, which must not exist, and return its files.

    Raises: InvalidRequest for a category or a name that cannot be used; AlreadyExists for a folder that is there.
    """
    template = find_template(category)
    folder = _folder_of(category, template)
    check_name(name)
    if into.exists():
        raise AlreadyExists(f"`{into}` exists already", hint="Choose another name, or another folder with `--output`")

    rename = _renamer(template, name, description, author)
    written = []
    for source in _template_files(folder):
        target = into / source.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        content = source.read_bytes()
        if source.suffix in _RENAMED_SUFFIXES:
            content = rename(content.decode()).encode()
        target.write_bytes(content)
        written.append(target)
    return written


def check_name(name: str) -> None:
    """Raise InvalidRequest, with a name that would do, unless `name` can be the name of a plugin."""
    if NAME_PATTERN.fullmatch(name) and not keyword.iskeyword(name):
        return
    rule = "a letter, then 2 to 63 letters, digits or underscores, and no Python keyword"
    proposal = re.sub(r"\W+", "_", name.strip(), flags=re.ASCII).strip("_").lower()[:64]
    usable = NAME_PATTERN.fullmatch(proposal) and not keyword.iskeyword(proposal)
    raise InvalidRequest(
        f"{name!r} cannot be the name of a plugin: it takes {rule}",
        hint=f"Use `{proposal}`" if usable else "Choose another name, as in `my_extractor`",
    )


def camel_case(name: str) -> str:
    """Return the class-name form of a plugin name: `my_extractor` becomes `MyExtractor`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def find_template(category: str) -> Template:
    """Return the template of a category; raise InvalidRequest for one that does not exist."""
    if category not in TEMPLATES:
        raise InvalidRequest(f"{category!r} is not a category", hint=f"Use one of {', '.join(TEMPLATES)}")
    return TEMPLATES[category]


def _folder_of(category: str, template: Template) -> Path:
    packaged = Path(__file__).parent / category
    checkout = Path(__file__).parents[3] / "examples" / "plugins" / template.name
    for directory in (packaged, checkout):
        if (directory / "manifest.py").is_file():
            return directory
    raise PlatformError(
        f"The {category} template is missing from this installation", hint="Reinstall the package `mixpeek`"
    )


def _template_files(folder: Path) -> list[Path]:
    def is_source(path: Path) -> bool:
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") and part != _GITHUB for part in parts)
        return path.is_file() and not hidden and "__pycache__" not in parts

    return sorted(filter(is_source, folder.rglob("*")))


class _Renamer:
    """Replaces the template's names and texts in one pass, so that what was put in is never replaced again."""

    def __init__(self, replacements: dict[str, str]) -> None:
        self._replacements = replacements
        self._pattern = re.compile("|".join(map(re.escape, replacements)))

    def __call__(self, text: str) -> str:
        return self._pattern.sub(lambda match: self._replacements[match.group()], text)


def _renamer(template: Template, name: str, description: str, author: str) -> _Renamer:
    # A JSON string is a valid literal in Python and in TOML too, whatever quotes or line breaks the text holds.
    return _Renamer(
        {
            _literal(template.description): _literal(description),
            _literal(_TEMPLATE_AUTHOR): _literal(author),
            template.description: " ".join(description.split()),
            template.name: name,
            camel_case(template.name): camel_case(name),
        }
    )


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
