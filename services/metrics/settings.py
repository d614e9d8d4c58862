"""The settings of the metrics processor, from the environment (`PRAXIS_…`)."""

from datetime import timedelta

from pydantic_settings import BaseSettings, SettingsConfigDict

from services.metrics.dead_letters import USUAL, Limit
from shared.settings import Count, DatabaseName, Duration, Name, NotNegative, Port, SessionTimeout, Share
from shared.views.builds import DATABASE


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="PRAXIS_")

    kafka: str
    mongo: str
    host: str = "127.0.0.1"
    port: Port = 8083
    database: DatabaseName = DATABASE
    partitions: Count = 12
    replication: Count = 1
    group: Name = "metrics"
    session_timeout: SessionTimeout = timedelta(seconds=15)
    most_cached: NotNegative = 10_000
    """Documents of a kind and partition that are kept from one transaction to the next: some 3 kB each."""
    dead_letter_share: Share = USUAL.share
    dead_letters_of_last: Count = USUAL.of_last
    dead_letters_at_least: Count = USUAL.at_least
    """A partition stops where more than this share of its last records are dead letters, and at least these."""
    stuck_after: Duration = timedelta(minutes=1)
    """A worker ends that has facts to fold and folds none for so long, to be started again by its supervisor."""
    data_dir: str = "/tmp/praxis-faust"

    @property
    def dead_letter_limit(self) -> Limit:
        return Limit(self.dead_letter_share, self.dead_letters_of_last, self.dead_letters_at_least)
