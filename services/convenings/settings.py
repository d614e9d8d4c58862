"""The settings of the convenings service, from the environment (`PRAXIS_…`)."""

from datetime import timedelta

from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.settings import Count, DatabaseName, Port, SessionTimeout


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="PRAXIS_")

    kafka: str
    mongo: str
    host: str = "127.0.0.1"
    port: Port = 8082
    database: DatabaseName = "convenings"
    partitions: Count = 12
    replication: Count = 1
    session_timeout: SessionTimeout = timedelta(seconds=10)
