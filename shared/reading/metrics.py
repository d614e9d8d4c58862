"""What a reader tells Prometheus about itself."""

from prometheus_client import Counter, Histogram

FACTS = Counter("praxis_facts_folded_total", "Facts folded for the first time")
DEAD_LETTERS = Counter("praxis_dead_letters_total", "Records that could not be understood")
BLANKS = Counter("praxis_blank_offsets_total", "Offsets passed that hold no record: what a transaction left or gave up")
FENCED = Counter(
    "praxis_batches_fenced_total",
    "Batches whose offsets were not the stored ones: somebody else had been here",
)
BATCH_FACTS = Histogram(
    "praxis_batch_facts", "Facts per transaction", buckets=[1, 10, 100, 500, 1000, 5000, 10_000, 20_000]
)
COMMIT_SECONDS = Histogram(
    "praxis_fold_seconds",
    "Folding and committing one batch of one partition",
    buckets=[0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 10],
)
