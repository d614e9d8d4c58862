"""Words that come again: the same change nothing; others under the same id are refused, saying what differs. Pure."""

from enum import Enum

from pydantic import BaseModel

from shared.refusals import Conflict


class SaidOtherwise(Conflict):
    """What is on record under this id has other words."""

    def __init__(self, thing: str, differences: dict[str, str]) -> None:
        detail = (
            f"{thing} is on record with other words: {'; '.join(differences.values())}. "
            f"Send the words on record, or use another id"
        )
        super().__init__(detail, field=next(iter(differences)), differs=list(differences))


def require_same(thing: str, on_record: BaseModel, said: BaseModel) -> None:
    """Refuse what is said if it differs from what is on record.

    Raises:
        SaidOtherwise: names each field that differs, as it is and as it was said.
    """
    differences = {
        name: f"{name} is {in_words(old)}, not {in_words(new)}"
        for name in type(on_record).model_fields
        if (old := getattr(on_record, name)) != (new := getattr(said, name))
    }
    if differences:
        raise SaidOtherwise(thing, differences)


def in_words(value: object) -> str:
    """A field's value as a sentence holds it."""
    match value:
        case None:
            return "not stated"
        case tuple():
            return ", ".join(map(in_words, value)) or "an empty list"
        case BaseModel():
            return "/".join(str(part) for part in value.model_dump(mode="json").values())
        case Enum():
            return f"'{value.value}'"
        case _:
            return f"'{value}'"
