"""The settings of the membership service, from the environment (`PRAXIS_…`)."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.settings import Count, DatabaseName, Port


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="PRAXIS_")

    kafka: str
    mongo: str
    host: str = "127.0.0.1"
    port: Port = 8081
    database: DatabaseName = "membership"
    partitions: Count = 12
    replication: Count = 1
    ods_reference: Path | None = None
    """An ODS reference list in the column order of ODS's `etr.csv`, in addition to what ships with the project."""
