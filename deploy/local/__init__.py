"""The whole system on one machine: Kafka, MongoDB and four services, with nothing but Python installed."""
