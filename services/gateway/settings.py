"""The settings of the gateway, from the environment (`PRAXIS_…`)."""

from datetime import timedelta

from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.settings import DatabaseName, Duration, Port
from shared.views.builds import DATABASE


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="PRAXIS_")

    mongo: str
    membership_urls: list[str]
    """Every replica of membership, as a JSON list; the same list in every gateway."""
    convenings_urls: list[str]
    host: str = "127.0.0.1"
    port: Port = 8080
    database: DatabaseName = DATABASE
    connect_timeout: Duration = timedelta(seconds=1)
    """After this a replica counts as out of reach, and the next one is asked."""
    command_timeout: Duration = timedelta(seconds=30)
    """How long a command may take in a service before its caller is told to ask again."""
    view_wait: Duration = timedelta(seconds=3)
    """How long a view waits for what its reader has written."""
    contracts_every: Duration = timedelta(seconds=30)
    """How often the services' contracts are read again."""
