"""The faults: what is done to the system while clients write. Each by a name, alone; mixtures of them at the end."""

from tests.faults.nemesis import engines, mixtures, people, relays, services, topics, workers
from tests.faults.nemesis.fault import Fault, Nothing

FAULTS: dict[str, type[Fault]] = {
    kind.name: kind
    for kind in (
        Nothing,
        services.KillAtPoints,
        services.KillServices,
        workers.PausedWorker,
        workers.OnlyAnotherTopic,
        relays.TwoRelays,
        engines.KafkaKilled,
        engines.Primary,
        engines.BothAway,
        workers.JoinAndLeave,
        topics.BadRecords,
        topics.TopicRecreated,
        topics.LogCut,
        people.MergeAndErase,
        mixtures.KafkaKilledAsServicesAre,
        mixtures.BadRecordsAsWorkersLeave,
        mixtures.TwoRelaysWithoutKafka,
        mixtures.PrimaryAsServicesAreKilled,
        engines.BothAwayForLong,
    )
}
