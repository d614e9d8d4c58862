"""An export of a feedback form: what has to stand before its answers, and each row as a response. Pure."""

import hashlib

from ulid import ULID

from deploy.client import Command
from deploy.importing.dates import read_date
from deploy.importing.failures import RowRefused
from deploy.importing.files import Row
from deploy.importing.mapping import AskedQuestion, FeedbackReading
from deploy.importing.plans import Context, Plan, convene, derived, found
from shared.events.feedback import Scale


def before_answers(reading: FeedbackReading, source: str) -> list[Plan]:
    """The convening and the form that the answers are about. The convening's attendance stays unknown."""
    community = reading.community.ref
    founds = found(community, reading.community.name, source)
    plans = []
    form = {
        "title": reading.form.title,
        "opened_on": reading.form.opened_on,
        "questions": [asked.question().model_dump(mode="json") for asked in reading.questions],
    }
    if (about := reading.convening) is not None:
        commands = convene(community, about.ref, about.title, about.held_on, about.held_on, source)
        plans.append(Plan(commands, community=community, founds=founds, convening=about.ref, makes=True))
        form["convening_id"] = derived("convening.ref", about.ref)
    plans.append(Plan((Command("PUT", _path(reading), form),), community=community, founds=founds))
    return plans


def response(row: Row, reading: FeedbackReading, context: Context) -> Plan:
    """
    Raises:
        RowRefused: it has no reference or date, or an answer that is none of the question's.
    """
    answers, words = {}, {}
    for asked in reading.questions:
        text = row.get(asked.id)
        if text is None:
            continue
        if asked.scale is Scale.WORDS:
            words[asked.id] = text
        else:
            answers[asked.id] = _answer(asked, text)
    ref = row.need("response_ref")
    body = {"received_on": _received_on(row, reading, context), "answers": answers, "words": words}
    path = f"{_path(reading)}/responses/{response_id(context.source, reading.form.ref, ref)}"
    return Plan((Command("PUT", path, body),), community=reading.community.ref)


def response_id(source: str, form: str, ref: str) -> str:
    """A ULID that the same response always gets; it says nothing about when or by whom."""
    digest = hashlib.sha256(f"{source}\n{form}\n{ref}".encode()).digest()
    return str(ULID.from_bytes(digest[:16])).lower()


def _path(reading: FeedbackReading) -> str:
    community, form = derived("community.ref", reading.community.ref), derived("form.ref", reading.form.ref)
    return f"/v1/communities/{community}/feedback-forms/{form}"


def _answer(asked: AskedQuestion, text: str) -> str:
    if asked.scale is Scale.RECOMMENDATION or text in asked.answers:
        return text
    same = [answer for answer in asked.answers if answer.casefold() == text.casefold()]
    if same:
        return same[0]
    if asked.otherwise is not None:
        return asked.otherwise
    raise RowRefused(asked.id, f"'{text}' is none of its answers ({', '.join(asked.answers)}): add it to the mapping")


def _received_on(row: Row, reading: FeedbackReading, context: Context) -> str:
    stated = row.get("received_on")
    if stated is None:
        if reading.form.received_on is None:
            raise RowRefused("received_on", "it is empty: name its column, or give form.received_on in the mapping")
        return reading.form.received_on
    try:
        return read_date(stated, context.dates)
    except ValueError as problem:
        raise RowRefused("received_on", str(problem)) from None
