"""The published language: facts, the streams they are recorded in, and how they look on Kafka."""
