"""Settings from the environment, and what is said of those that are not as they must be."""

import sys
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsError

S = TypeVar("S", bound=BaseSettings)


def _seconds(value: Any) -> Any:
    """A number in words, as an environment has it, as one."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


Count = Annotated[int, Field(ge=1)]
Duration = Annotated[timedelta, Field(gt=timedelta(0)), BeforeValidator(_seconds)]
DatabaseName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,63}$")]
Name = Annotated[str, Field(min_length=1)]
NotNegative = Annotated[int, Field(ge=0)]
Port = Annotated[int, Field(ge=0, le=65_535)]
SessionTimeout = Annotated[timedelta, Field(ge=timedelta(seconds=6)), BeforeValidator(_seconds)]
"""As long as Kafka wants it at least, unless its `group.min.session.timeout.ms` was lowered."""
Share = Annotated[float, Field(ge=0, le=1)]

HINTS = {
    "string_pattern": "letters, digits, - and _ only",
    "time_delta": "ISO 8601, as PT10S, or seconds",
    "missing": "it must be set",
}
"""The beginning of a kind of mistake -> how it is written."""


class InvalidSettings(Exception):
    """Some settings are not as they must be: which, and how they are written."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(f"The settings are not as they must be: {'; '.join(problems)}")


def read(kind: type[S]) -> S:
    """The settings of a kind, from the environment. Values are not repeated: an address may hold a password.

    Raises:
        InvalidSettings: some are not as they must be.
    """
    try:
        return kind()
    except SettingsError:
        raise InvalidSettings([_no_json(kind)]) from None
    except ValidationError as problem:
        found = problem.errors(include_url=False, include_input=False)
        told = [f"{_name(kind, one['loc'])}: {_in_words(one['type'], one['msg'])}" for one in found]
        raise InvalidSettings(told) from None


def configured(kind: type[S]) -> S:
    """The settings of a kind, for a process that ends, saying what is wrong, where some are not as they must be."""
    try:
        return read(kind)
    except InvalidSettings as problem:
        sys.exit(str(problem))


def _name(kind: type[BaseSettings], location: tuple[int | str, ...]) -> str:
    """The variable, whether it is named by its field or by itself."""
    first, prefix = str(location[0]), kind.model_config.get("env_prefix", "")
    return first if first.startswith(prefix) else f"{prefix}{first}".upper()


def _in_words(type: str, message: str) -> str:
    hint = next((hint for begin, hint in HINTS.items() if type.startswith(begin)), None)
    return f"{message} ({hint})" if hint else message


def _no_json(kind: type[BaseSettings]) -> str:
    lists = [name for name, field in kind.model_fields.items() if field.annotation == list[str]]
    names = ", ".join(_name(kind, (name,)) for name in lists)
    return f'{names}: each is a JSON list, as ["http://127.0.0.1:8081"]'
