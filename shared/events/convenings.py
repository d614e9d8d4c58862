"""Facts of `convenings.events`: convenings, registration, attendance. All in the stream of their community."""

from datetime import datetime

from pydantic import Field

from shared.events.fact import Fact
from shared.events.membership import AffiliationFact, IdentityFact
from shared.events.words import CoarseDate, ConveningId, Day, PersonId, Text, Title


class ConveningScheduled(Fact):
    convening_id: ConveningId
    title: Title
    scheduled_on: CoarseDate
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    capacity: int | None = Field(default=None, ge=1, le=1_000_000)
    called_by_members: bool | None = None
    """Members called it themselves, as they do in a self-governing community."""


class ConveningRescheduled(Fact):
    convening_id: ConveningId
    scheduled_on: CoarseDate


class ConveningHeld(Fact):
    """It took place. Who came is unknown until attendance is taken."""

    convening_id: ConveningId
    held_on: CoarseDate


class ConveningCancelled(Fact):
    convening_id: ConveningId
    cancelled_on: Day
    reason: Text | None = None


class RegistrationMade(Fact):
    convening_id: ConveningId
    person_id: PersonId
    registered_on: CoarseDate


class RegistrationWithdrawn(Fact):
    convening_id: ConveningId
    person_id: PersonId
    withdrawn_on: CoarseDate


class AttendanceTaken(Fact):
    """Attendance is known from here on, be it that nobody came. Without this fact it is unknown, which is not zero."""

    convening_id: ConveningId
    held_on: CoarseDate


class PersonAttended(Fact):
    """Somebody came, registered or not."""

    convening_id: ConveningId
    person_id: PersonId
    attended_on: CoarseDate
    minutes: int | None = Field(default=None, ge=1, le=24 * 60)


ConveningFact = ConveningScheduled | ConveningRescheduled | ConveningHeld | ConveningCancelled | AttendanceTaken
ParticipationFact = RegistrationMade | RegistrationWithdrawn | PersonAttended
ConveningsFact = ConveningFact | ParticipationFact | AffiliationFact | IdentityFact
