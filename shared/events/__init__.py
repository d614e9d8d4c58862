"""The published language: facts, the streams they are recorded in, and how they look on Kafka."""

from shared.events import convenings, feedback, membership  # noqa: F401 - so that whoever decodes knows every fact
