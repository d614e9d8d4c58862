"""What the metrics processor tells Prometheus about itself, beside what every reader and every relay tells."""

from prometheus_client import Counter, Gauge

PLACE = ["topic", "partition"]

LAG_FACTS = Gauge("praxis_lag_facts", "Records on Kafka that are not folded yet", PLACE)
LAG_SECONDS = Gauge("praxis_lag_seconds", "How long the oldest of them has been on Kafka", PLACE)
LAG_TREND = Gauge(
    "praxis_lag_trend",
    "Seconds of lag gained per second, over half a minute: 1 if nothing was folded in it, below 0 while it catches up",
    PLACE,
)
LOOKED_AT = Gauge(
    "praxis_lag_looked_at_seconds",
    "When lag and gaps were last looked at, in seconds since 1970: not lately where Kafka or MongoDB is away",
)
ASSIGNED = Gauge("praxis_partitions_assigned", "Partitions of topics that this worker folds")
REBALANCES = Counter("praxis_rebalances_total", "Times that this worker was assigned partitions anew")
STOPPED = Gauge("praxis_worker_stopped", "1 where too many dead letters have stopped a partition of this worker")
STUCK_SECONDS = Gauge("praxis_worker_stuck_seconds", "How long facts have waited while nothing was folded")
MISSING = Gauge("praxis_missing_versions", "Facts that are missing: the figures that would count them are incomplete")
DEAD_LETTERS_WAITING = Gauge(
    "praxis_dead_letters_waiting", "Dead letters that nobody has settled, and no rebuild folded"
)
