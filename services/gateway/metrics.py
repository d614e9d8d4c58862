"""What the gateway tells Prometheus about itself."""

from prometheus_client import Counter, Gauge, Histogram

PASSED = Counter(
    "praxis_passed_total", "Commands passed on, by service and the status it answered", ["service", "status"]
)
PASSED_SECONDS = Histogram(
    "praxis_passed_seconds",
    "How long a service took to answer a command, as the gateway saw it",
    ["service"],
    buckets=[0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 10, 30],
)
NOT_PASSED = Counter(
    "praxis_not_passed_total",
    "Commands that no replica answered, by service and reason",
    ["service", "reason"],
)
TURNED_AWAY = Counter(
    "praxis_turned_away_total",
    "Replicas that did not answer a command, so that it went to another",
    ["service", "reason"],
)
OPERATIONS = Gauge("praxis_contract_operations", "Commands that a service's contract offers", ["service"])
