import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.mongodb.ConnectionString;
import com.mongodb.MongoClientSettings;
import com.mongodb.WriteConcern;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import com.mongodb.client.MongoCollection;
import com.mongodb.client.model.BulkWriteOptions;
import com.mongodb.client.model.ReplaceOneModel;
import com.mongodb.client.model.ReplaceOptions;
import com.mongodb.client.model.WriteModel;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import org.bson.Document;

/**
 * The few figures of a community in Kafka Streams: exactly_once_v2, state in RocksDB with changelogs, views in MongoDB.
 *
 * <p>A fact goes through two stores, which hold what has been seen of each stream and what is known of each
 * participation, and becomes a change of its community's figures; those are an aggregate, which passes on what has
 * changed when it commits (every 100 ms, or when its cache is full). The output topic
 * is read, committed records only, by a thread of this program that writes the last view of each community to MongoDB,
 * in bulk and acknowledged by a majority, and then commits its offsets. So state and output topic are exact; a view may
 * be written again after a crash, which does not harm as it is whole.
 *
 * <p>Arguments: bootstrap servers, MongoDB's URL, database (the application's name as well), threads, folder of the
 * state, bytes of cache.
 */
public final class Figures {
    private static final List<String> TOPICS = List.of("membership.events", "convenings.events", "feedback.events");
    private static final String HEADS = "heads";
    private static final String PARTICIPATIONS = "participations";
    private static final int PARTITIONS = 12;
    private static final int WIDEST_GAP = 100_000;

    public static void main(String[] arguments) throws Exception {
        String kafka = arguments[0], mongo = arguments[1], name = arguments[2];
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, name);
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, kafka);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, arguments[3]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[4]);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, arguments[5]);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, arguments[6]);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, "1");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");

        String views = name + ".views";
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", kafka))) {
            admin.createTopics(List.of(new NewTopic(views, PARTITIONS, (short) 1))).all().get();
        }
        KafkaStreams streams = new KafkaStreams(topology(views), settings);
        streams.setUncaughtExceptionHandler(problem -> {
            problem.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        Thread writing = new Thread(() -> write(kafka, mongo, name, views), "views");
        writing.setUncaughtExceptionHandler((thread, problem) -> {
            problem.printStackTrace();
            Runtime.getRuntime().halt(1);
        });
        writing.start();
        streams.start();
    }

    private static Topology topology(String views) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.addStateStore(Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore(HEADS), Serdes.String(), serde(Seen::write, Seen::read)).withCachingEnabled());
        builder.addStateStore(Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore(PARTICIPATIONS), Serdes.String(), serde(Participation::write, Participation::read))
                .withCachingEnabled());
        Serde<Community> communities = serde(Community::write, Community::read);
        builder.stream(TOPICS, Consumed.with(Serdes.String(), Serdes.ByteArray()))
                .processValues(Participating::new, HEADS, PARTICIPATIONS)
                .groupByKey(Grouped.with(Serdes.String(), serde(Figures::neverWritten, Figures::neverRead)))
                .aggregate(
                        Community::new,
                        (key, change, community) -> community.changed(change),
                        Materialized.<String, Community, KeyValueStore<Bytes, byte[]>>as("communities")
                                .withKeySerde(Serdes.String())
                                .withValueSerde(communities))
                .toStream()
                .to(views, Produced.with(Serdes.String(), communities));
        return builder.build();
    }

    /** What a fact changes in its community: the version is told of every fact, the rest only where it differs. */
    record Change(boolean ofMembership, long version, Participation before, Participation after) {}

    /** Drops versions that were seen, and folds a fact into its participation. */
    static final class Participating implements FixedKeyProcessor<String, byte[], Change> {
        private final ObjectMapper json = new ObjectMapper();
        private FixedKeyProcessorContext<String, Change> context;
        private KeyValueStore<String, Seen> heads;
        private KeyValueStore<String, Participation> participations;

        @Override
        public void init(FixedKeyProcessorContext<String, Change> context) {
            this.context = context;
            heads = context.getStateStore(HEADS);
            participations = context.getStateStore(PARTICIPATIONS);
        }

        @Override
        public void process(FixedKeyRecord<String, byte[]> record) {
            String subject = header(record.headers(), "ce_subject");
            long version = Long.parseLong(header(record.headers(), "ce_sequence"));
            Seen seen = heads.get(subject);
            if (seen == null) {
                seen = new Seen();
            }
            if (!seen.take(version)) {
                return;
            }
            heads.put(subject, seen);
            String type = header(record.headers(), "ce_type");
            JsonNode fact = parsed(record.value());
            boolean ofMembership = subject.startsWith("membership/");
            if (!Participation.TYPES.contains(type)) {
                context.forward(record.withValue(new Change(ofMembership, version, null, null)));
                return;
            }
            String id = record.key() + "|" + fact.get("person_id").textValue();
            Participation before = participations.get(id);
            if (before == null) {
                before = new Participation(null, Map.of(), 0);
            }
            Participation after = before.evolved(type, fact);
            participations.put(id, after);
            context.forward(record.withValue(new Change(ofMembership, version, before, after)));
        }

        private JsonNode parsed(byte[] value) {
            try {
                return json.readTree(value);
            } catch (IOException problem) {
                throw new UncheckedIOException(problem);
            }
        }

        private static String header(Headers headers, String name) {
            Header header = headers.lastHeader(name);
            return new String(Objects.requireNonNull(header, name).value(), UTF_8);
        }
    }

    /** What was seen of a stream: its head, and the versions below it that are missing. */
    static final class Seen {
        long head;
        final Set<Long> missing = new HashSet<>();

        boolean take(long version) {
            if (version <= head) {
                return missing.remove(version);
            }
            if (version - head > WIDEST_GAP) {
                throw new IllegalStateException("version " + version + " cannot follow " + head);
            }
            for (long skipped = head + 1; skipped < version; skipped++) {
                missing.add(skipped);
            }
            head = version;
            return true;
        }

        void write(DataOutputStream out) throws IOException {
            out.writeLong(head);
            out.writeInt(missing.size());
            for (long version : missing) {
                out.writeLong(version);
            }
        }

        static Seen read(DataInputStream in) throws IOException {
            Seen seen = new Seen();
            seen.head = in.readLong();
            for (int left = in.readInt(); left > 0; left--) {
                seen.missing.add(in.readLong());
            }
            return seen;
        }
    }

    /** One person in one community. The affiliations are those that have not ended, with the organisation. */
    record Participation(String role, Map<String, String> affiliations, int attended) {
        static final String JOINED = "praxis.member-joined.v1";
        static final String LEFT = "praxis.member-left.v1";
        static final String ATTENDED = "praxis.person-attended.v1";
        static final String BEGAN = "praxis.affiliation-began.v1";
        static final String ENDED = "praxis.affiliation-ended.v1";
        static final Set<String> TYPES = Set.of(JOINED, LEFT, ATTENDED, BEGAN, ENDED);

        Participation evolved(String type, JsonNode fact) {
            return switch (type) {
                case JOINED -> new Participation(fact.get("role").textValue(), affiliations, attended);
                case LEFT -> new Participation(null, affiliations, attended);
                case ATTENDED -> new Participation(role, affiliations, attended + 1);
                case BEGAN -> began(fact);
                default -> {
                    Map<String, String> others = new TreeMap<>(affiliations);
                    others.remove(fact.get("affiliation_id").textValue());
                    yield new Participation(role, others, attended);
                }
            };
        }

        private Participation began(JsonNode fact) {
            JsonNode organisation = fact.get("organisation_id");
            if (organisation == null || organisation.isNull()) {
                return this;
            }
            Map<String, String> all = new TreeMap<>(affiliations);
            all.put(fact.get("affiliation_id").textValue(), organisation.textValue());
            return new Participation(role, all, attended);
        }

        void write(DataOutputStream out) throws IOException {
            out.writeUTF(role == null ? "" : role);
            out.writeInt(attended);
            out.writeInt(affiliations.size());
            for (Map.Entry<String, String> affiliation : affiliations.entrySet()) {
                out.writeUTF(affiliation.getKey());
                out.writeUTF(affiliation.getValue());
            }
        }

        static Participation read(DataInputStream in) throws IOException {
            String role = in.readUTF();
            int attended = in.readInt();
            Map<String, String> affiliations = new TreeMap<>();
            for (int left = in.readInt(); left > 0; left--) {
                affiliations.put(in.readUTF(), in.readUTF());
            }
            return new Participation(role.isEmpty() ? null : role, affiliations, attended);
        }
    }

    /** The figures of one community, and the versions of its streams that are in them. */
    static final class Community {
        private final Map<String, Integer> byRole = new HashMap<>();
        private final Map<String, Integer> byOrganisation = new HashMap<>();
        private byte[] unread = {};  // the two as they were stored: most facts change neither
        int attendances;
        int participants;
        long ofMembership;
        long ofConvenings;

        Community changed(Change change) {
            if (change.ofMembership) {
                ofMembership = Math.max(ofMembership, change.version);
            } else {
                ofConvenings = Math.max(ofConvenings, change.version);
            }
            Participation before = change.before, after = change.after;
            if (after == null) {
                return this;
            }
            attendances += after.attended - before.attended;
            participants += (after.attended > 0 ? 1 : 0) - (before.attended > 0 ? 1 : 0);
            boolean differs = !Objects.equals(before.role, after.role) || !before.affiliations.equals(after.affiliations);
            if (differs && (before.role != null || after.role != null)) {
                readCounts();
                count(before, -1);
                count(after, 1);
            }
            return this;
        }

        private void count(Participation participation, int by) {
            if (participation.role == null) {
                return;
            }
            byRole.merge(participation.role, by, Integer::sum);
            for (String organisation : new HashSet<>(participation.affiliations.values())) {
                byOrganisation.merge(organisation, by, Integer::sum);
            }
        }

        void write(DataOutputStream out) throws IOException {
            out.writeLong(ofMembership);
            out.writeLong(ofConvenings);
            out.writeInt(attendances);
            out.writeInt(participants);
            out.write(unread);
            if (unread.length == 0) {
                writeCounts(out, byRole);
                writeCounts(out, byOrganisation);
            }
        }

        static Community read(DataInputStream in) throws IOException {
            Community community = new Community();
            community.ofMembership = in.readLong();
            community.ofConvenings = in.readLong();
            community.attendances = in.readInt();
            community.participants = in.readInt();
            community.unread = in.readAllBytes();
            return community;
        }

        private void readCounts() {
            if (unread.length == 0) {
                return;
            }
            try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(unread))) {
                readCounts(in, byRole);
                readCounts(in, byOrganisation);
            } catch (IOException problem) {
                throw new UncheckedIOException(problem);
            }
            unread = new byte[0];
        }

        private static void writeCounts(DataOutputStream out, Map<String, Integer> counts) throws IOException {
            out.writeInt(counts.size());
            for (Map.Entry<String, Integer> count : counts.entrySet()) {
                out.writeUTF(count.getKey());
                out.writeInt(count.getValue());
            }
        }

        private static void readCounts(DataInputStream in, Map<String, Integer> counts) throws IOException {
            for (int left = in.readInt(); left > 0; left--) {
                counts.put(in.readUTF(), in.readInt());
            }
        }

        Document document(String id) {
            readCounts();
            return new Document("_id", id)
                    .append("by_role", new Document(new HashMap<String, Object>(byRole)))
                    .append("by_organisation", new Document(new HashMap<String, Object>(byOrganisation)))
                    .append("attendances", attendances)
                    .append("participants", participants)
                    .append("seen", new Document("membership", ofMembership).append("convenings", ofConvenings));
        }
    }

    /** Writes the last view of each community that a poll brings, in one bulk. */
    private static void write(String kafka, String mongo, String name, String views) {
        Properties settings = new Properties();
        settings.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, kafka);
        settings.put(ConsumerConfig.GROUP_ID_CONFIG, views);
        settings.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        settings.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
        MongoClientSettings client = MongoClientSettings.builder()
                .applyConnectionString(new ConnectionString(mongo))
                .writeConcern(WriteConcern.MAJORITY)
                .build();
        Deserializer<Community> read = serde(Community::write, Community::read).deserializer();
        ReplaceOptions upsert = new ReplaceOptions().upsert(true);
        BulkWriteOptions unordered = new BulkWriteOptions().ordered(false);
        try (MongoClient connection = MongoClients.create(client);
                KafkaConsumer<String, byte[]> consumer =
                        new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            MongoCollection<Document> communities = connection.getDatabase(name).getCollection("communities");
            consumer.subscribe(List.of(views));
            while (true) {
                Map<String, byte[]> last = new HashMap<>();
                for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                    last.put(record.key(), record.value());
                }
                if (last.isEmpty()) {
                    continue;
                }
                List<WriteModel<Document>> writes = new ArrayList<>();
                last.forEach((key, value) -> {
                    String id = key.substring(key.indexOf('.') + 1);
                    Document document = read.deserialize(views, value).document(id);
                    writes.add(new ReplaceOneModel<>(new Document("_id", id), document, upsert));
                });
                communities.bulkWrite(writes, unordered);
                consumer.commitSync();
            }
        }
    }

    private interface Write<T> {
        void write(T value, DataOutputStream out) throws IOException;
    }

    private interface Read<T> {
        T read(DataInputStream in) throws IOException;
    }

    private static <T> Serde<T> serde(Write<T> write, Read<T> read) {
        Serializer<T> serializer = (topic, value) -> {
            if (value == null) {
                return null;
            }
            ByteArrayOutputStream bytes = new ByteArrayOutputStream(512);
            try (DataOutputStream out = new DataOutputStream(bytes)) {
                write.write(value, out);
            } catch (IOException problem) {
                throw new UncheckedIOException(problem);
            }
            return bytes.toByteArray();
        };
        Deserializer<T> deserializer = (topic, bytes) -> {
            if (bytes == null) {
                return null;
            }
            try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
                return read.read(in);
            } catch (IOException problem) {
                throw new UncheckedIOException(problem);
            }
        };
        return Serdes.serdeFrom(serializer, deserializer);
    }

    private static void neverWritten(Change change, DataOutputStream out) {
        throw new IllegalStateException("the key stays, so nothing is partitioned anew");
    }

    private static Change neverRead(DataInputStream in) {
        throw new IllegalStateException("the key stays, so nothing is partitioned anew");
    }
}
