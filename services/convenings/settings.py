"""The settings of the convenings service, from the environment (`PRAXIS_…`)."""

from datetime import timedelta

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="PRAXIS_")

    kafka: str
    mongo: str
    host: str = "127.0.0.1"
    port: int = 8082
    database: str = "convenings"
    partitions: int = 12
    replication: int = 1
    session_timeout: timedelta = timedelta(seconds=10)
