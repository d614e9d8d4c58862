"""What a writing service tells Prometheus about itself."""

from prometheus_client import Counter, Gauge, Histogram

COMMANDS = Counter(
    "praxis_commands_total",
    "Commands decided, by outcome (an attempt run again counts again)",
    ["command", "outcome"],
)
WAITING = Gauge("praxis_commands_waiting", "Commands that wait for the transaction in flight")
BATCH_COMMANDS = Histogram(
    "praxis_batch_commands", "Commands per transaction", buckets=[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
)
TRANSACTION_SECONDS = Histogram(
    "praxis_write_transaction_seconds",
    "A writer's transaction, from loading to commit",
    buckets=[0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 10],
)
RELAYED = Counter("praxis_relayed_total", "Messages that Kafka acknowledged", ["topic"])
RELAY_FAILURES = Counter("praxis_relay_failures_total", "Times that the relay threw its producer away and began again")
RELAY_SECONDS = Histogram(
    "praxis_relay_seconds",
    "From reading a batch of the outbox to having it on Kafka and deleted",
    buckets=[0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 10, 30],
)
OUTBOX_AGE_SECONDS = Gauge("praxis_outbox_age_seconds", "How long the oldest message waits that is not on Kafka yet")
OUTBOX_MESSAGES = Gauge("praxis_outbox_messages", "Messages that are not on Kafka yet")
OUTBOX_LOOKED_AT = Gauge(
    "praxis_outbox_looked_at_seconds",
    "When the outbox was last looked at, in seconds since 1970: not lately where MongoDB is away",
)
