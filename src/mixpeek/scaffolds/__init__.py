"""New plugins from templates: each template is a real plugin of this repository, renamed as it is copied.

What a plugin must contain is the contract's matter, not this module's.
"""

from __future__ import annotations

import json
import keyword
import re
from pathlib import Path

from mixpeek.contract.versions import NAME_PATTERN
from mixpeek.errors import AlreadyExists, InvalidRequest, PlatformError

KNOWN_CATEGORIES = ("text", "image", "video", "audio", "document", "multimodal")
TEMPLATES = {"text": "text_embedding"}

DEFAULT_DESCRIPTION = "A custom feature extractor"
_RENAMED_SUFFIXES = frozenset({".py", ".md", ".toml", ".json"})
# Written in the template exactly like this, with the quotes: in the manifest and in pyproject.toml.
_TEMPLATE_DESCRIPTION = "Sentence embeddings with all-MiniLM-L6-v2"
_TEMPLATE_AUTHOR = "Mixpeek"


def render(category: str, name: str, description: str, author: str, into: Path) -> list[Path]:
    """Write a new plugin called `name` to the folder `into`, which must not exist, and return its files.

    Raises: InvalidRequest for a category or a name that cannot be used; AlreadyExists for a folder that is there.
    """
    template = _template_directory(category)
    check_name(name)
    if into.exists():
        raise AlreadyExists(f"`{into}` exists already", hint="Choose another name, or another folder with `--output`")

    rename = _renamer(TEMPLATES[category], name, description, author)
    written = []
    for source in _template_files(template):
        target = into / source.relative_to(template)
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


def _template_directory(category: str) -> Path:
    if category not in TEMPLATES:
        known = category in KNOWN_CATEGORIES
        raise InvalidRequest(
            f"There is no template for {category} plugins yet" if known else f"{category!r} is not a category",
            hint="Use `--category " + "` or `--category ".join(TEMPLATES) + "`",
        )
    packaged = Path(__file__).parent / category
    checkout = Path(__file__).parents[3] / "examples" / "plugins" / TEMPLATES[category]
    for directory in (packaged, checkout):
        if (directory / "manifest.py").is_file():
            return directory
    raise PlatformError(
        f"The {category} template is missing from this installation", hint="Reinstall the package `mixpeek`"
    )


def _template_files(template: Path) -> list[Path]:
    def is_source(path: Path) -> bool:
        parts = path.relative_to(template).parts
        return path.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in parts)

    return sorted(filter(is_source, template.rglob("*")))


class _Renamer:
    """Replaces the template's names and texts in one pass, so that what was put in is never replaced again."""

    def __init__(self, replacements: dict[str, str]) -> None:
        self._replacements = replacements
        self._pattern = re.compile("|".join(map(re.escape, replacements)))

    def __call__(self, text: str) -> str:
        return self._pattern.sub(lambda match: self._replacements[match.group()], text)


def _renamer(template_name: str, name: str, description: str, author: str) -> _Renamer:
    # A JSON string is a valid literal in Python and in TOML too, whatever quotes or line breaks the text holds.
    return _Renamer(
        {
            _literal(_TEMPLATE_DESCRIPTION): _literal(description),
            _literal(_TEMPLATE_AUTHOR): _literal(author),
            _TEMPLATE_DESCRIPTION: " ".join(description.split()),
            template_name: name,
            camel_case(template_name): camel_case(name),
        }
    )


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
