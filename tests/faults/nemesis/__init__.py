"""The faults: what is done to the system while clients write. Each by a name, alone; a mixture of them at the end."""

from tests.faults.nemesis import (
    disks,
    engines,
    mixtures,
    people,
    rebuilds,
    relays,
    services,
    slow,
    topics,
    workers,
    writers,
)
from tests.faults.nemesis.fault import Fault, Nothing

FAULTS: dict[str, type[Fault]] = {
    kind.name: kind
    for kind in (
        Nothing,
        services.KillAtPoints,
        services.KillServices,
        workers.PausedWorker,
        workers.PausedFollower,
        workers.OnlyAnotherTopic,
        relays.TwoRelays,
        relays.TwoRelaysOfConvenings,
        engines.KafkaKilled,
        engines.Primary,
        engines.FrozenMongo,
        engines.BothAway,
        workers.JoinAndLeave,
        workers.FollowersJoinAndLeave,
        workers.StandingStill,
        rebuilds.Rebuild,
        topics.BadRecords,
        topics.TopicRecreated,
        topics.LogCut,
        people.MergeAndErase,
        writers.UnknownCommit,
        writers.FailingCommand,
        relays.OnePartitionRefused,
        slow.SlowKafka,
        slow.SlowMongo,
        disks.KafkaDiskFull,
        disks.MongoDiskFull,
        mixtures.Mixture,
        engines.BothAwayForLong,
    )
}
