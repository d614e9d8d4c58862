"""Where a key belongs by the definition of Kafka's own clients, written once more from it."""

WORD, MULTIPLIER, SEED = 2**32, 0x5BD1E995, 0x9747B28C


def partition_of(key: bytes, partitions: int) -> int:
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(key: bytes) -> int:
    """As a number without a sign."""
    found = SEED ^ len(key)
    whole = len(key) - len(key) % 4
    for at in range(0, whole, 4):
        part = int.from_bytes(key[at : at + 4], "little") * MULTIPLIER % WORD
        part = (part ^ part >> 24) * MULTIPLIER % WORD
        found = found * MULTIPLIER % WORD ^ part
    if rest := key[whole:]:
        found = (found ^ int.from_bytes(rest, "little")) * MULTIPLIER % WORD
    found = (found ^ found >> 13) * MULTIPLIER % WORD
    return found ^ found >> 15
