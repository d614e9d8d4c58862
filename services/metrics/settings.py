"""The settings of the metrics processor, from the environment (`PRAXIS_…`)."""

from datetime import timedelta

from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.views.builds import DATABASE


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="PRAXIS_")

    kafka: str
    mongo: str
    host: str = "127.0.0.1"
    port: int = 8083
    database: str = DATABASE
    partitions: int = 12
    replication: int = 1
    group: str = "metrics"
    session_timeout: timedelta = timedelta(seconds=15)
    most_cached: int = 50_000
    """Documents of a kind and partition that are kept from one transaction to the next."""
    data_dir: str = "/tmp/praxis-faust"
