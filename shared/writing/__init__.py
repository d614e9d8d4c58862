"""Writing: a command is decided, its facts are stored with the new state, and carried to Kafka from there."""
