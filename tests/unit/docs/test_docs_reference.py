"""What the reference is made from says all it should: every name has words, every error says what to do."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from scripts.reference import errors, plugin_api, sdk
from scripts.reference.python import described, members_of, words_of

from mixpeek.contract.columns import DATA, SYSTEM_COLUMNS

ROOT = Path(__file__).parents[3]
AUTHOR = {
    **{name: thing for name, (thing, _) in plugin_api.names().items()},
    **{cls.__name__: cls for cls in plugin_api.handed()},
    **{model.__name__: model for model in plugin_api.DECLARED},
}
AUTHOR |= {
    f"{name}.{member_name}": member
    for name, thing in list(AUTHOR.items())
    if inspect.isclass(thing)
    for member_name, member in members_of(thing)
}
CODES = sorted({kind.code for kind in errors.known()})


@pytest.mark.parametrize("name", AUTHOR)
def test_a_name_that_plugins_use_has_words(name: str) -> None:
    words = described(AUTHOR[name])

    assert words.splitlines()[0].endswith((".", ":")) or len(words.splitlines()) > 1, words
    assert len(words.split()) >= 3, words


@pytest.mark.parametrize("name", [name for name, thing in AUTHOR.items() if inspect.isfunction(thing)])
def test_what_a_function_for_plugins_takes_is_described(name: str) -> None:
    function = AUTHOR[name]
    taken = [p for p in inspect.signature(function).parameters.values() if p.name not in ("self", "cls")]

    if len(taken) > 1:
        words = described(function)
        # The documented loaders take what transformers takes; they too say what each is.
        for parameter in taken:
            assert f"{parameter.name}:" in words or f"`{parameter.name}`" in words, (name, parameter.name)


@pytest.mark.parametrize("name", sdk.public())
def test_a_name_of_the_client_has_words(name: str) -> None:
    assert described(sdk.public()[name]), name


@pytest.mark.parametrize("package", ["src/mixpeek", "src/engine", "src/shared"])
def test_a_package_says_that_it_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_every_column_a_batch_has_is_described() -> None:
    assert set(plugin_api.COLUMNS) == {DATA, *SYSTEM_COLUMNS}


@pytest.mark.parametrize("code", CODES)
def test_an_error_says_what_to_do(code: str) -> None:
    kinds = [kind for kind in errors.known() if kind.code == code]

    assert len(errors.remedy_of(kinds).split()) >= 3


def test_no_remedy_is_there_in_vain() -> None:
    own = {kind.code for kind in errors.known() if kind.hint}

    assert set(errors.REMEDIES) <= set(CODES)
    assert set(errors.REMEDIES) & own == set()


def test_sections_of_a_docstring_become_lists() -> None:
    def written(first: int, second: int) -> int:
        """Return a number.

        Args:
            first: one
                of them.
            second: the other.

        Returns: their sum.
        """
        return first + second

    assert words_of(written) == [
        *("Return a number.", "", "**Args**", "", "- `first`: one of them.", "- `second`: the other.", ""),
        *("**Returns**: their sum.", "", ""),
    ]
