import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.format.Json;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Debezium embedded: the changes behind a replication slot, as JSON into one Kafka topic, until the given number of
 * rows is acknowledged by all in-sync replicas. Prints the milliseconds from the first row to the last acknowledgement.
 * Settings come from the environment, passwords included.
 */
public final class Peer {
  public static void main(String[] args) throws Exception {
    Map<String, String> env = System.getenv();
    long expected = Long.parseLong(env.get("PEER_ROWS"));
    String topic = env.get("PEER_TOPIC");
    AtomicLong firstAt = new AtomicLong();
    AtomicLong acknowledged = new AtomicLong();
    CountDownLatch done = new CountDownLatch(1);
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(producerSettings(env))) {
      DebeziumEngine<ChangeEvent<String, String>> engine =
          DebeziumEngine.create(Json.class)
              .using(engineSettings(env))
              .notifying((List<ChangeEvent<String, String>> events, DebeziumEngine.RecordCommitter<ChangeEvent<String, String>> committer) -> {
                firstAt.compareAndSet(0, System.nanoTime());
                for (ChangeEvent<String, String> event : events) {
                  producer.send(new ProducerRecord<>(topic, event.key(), event.value()), (metadata, error) -> {
                    if (error != null) {
                      error.printStackTrace();
                      System.exit(1);
                    }
                    if (acknowledged.incrementAndGet() == expected) done.countDown();
                  });
                  committer.markProcessed(event);
                }
                committer.markBatchFinished();
              })
              .using((success, message, error) -> {
                if (!success) {
                  System.err.println(message);
                  if (error != null) error.printStackTrace();
                  System.exit(1);
                }
              })
              .build();
      Thread thread = new Thread(engine, "engine");
      thread.setDaemon(true);
      thread.start();
      done.await();
      System.out.println((System.nanoTime() - firstAt.get()) / 1_000_000);
      System.out.flush();
      Runtime.getRuntime().halt(0);
    }
  }

  private static Properties engineSettings(Map<String, String> env) {
    Properties settings = new Properties();
    settings.put("name", "peer");
    settings.put("connector.class", "io.debezium.connector.postgresql.PostgresConnector");
    settings.put("offset.storage", "org.apache.kafka.connect.storage.MemoryOffsetBackingStore");
    settings.put("database.hostname", "127.0.0.1");
    settings.put("database.port", env.get("PEER_PG_PORT"));
    settings.put("database.user", env.get("PEER_PG_USER"));
    settings.put("database.password", env.get("PEER_PG_PASSWORD"));
    settings.put("database.dbname", env.get("PEER_PG_DATABASE"));
    settings.put("topic.prefix", "peer");
    settings.put("plugin.name", "pgoutput");
    settings.put("slot.name", env.get("PEER_SLOT"));
    settings.put("publication.name", env.get("PEER_PUBLICATION"));
    settings.put("publication.autocreate.mode", "disabled");
    settings.put("snapshot.mode", "no_data");
    settings.put("key.converter.schemas.enable", "false");
    settings.put("value.converter.schemas.enable", "false");
    settings.put("converter.schemas.enable", "false");
    settings.put("max.batch.size", "4096");
    settings.put("max.queue.size", "16384");
    return settings;
  }

  private static Properties producerSettings(Map<String, String> env) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", env.get("PEER_BROKERS"));
    settings.put("key.serializer", StringSerializer.class.getName());
    settings.put("value.serializer", StringSerializer.class.getName());
    settings.put("acks", "all");
    settings.put("compression.type", "lz4");
    settings.put("linger.ms", "5");
    settings.put("batch.size", String.valueOf(512 << 10));
    settings.put("buffer.memory", String.valueOf(64 << 20));
    settings.put("security.protocol", "SASL_PLAINTEXT");
    settings.put("sasl.mechanism", "SCRAM-SHA-256");
    settings.put(
        "sasl.jaas.config",
        "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"" + env.get("PEER_KAFKA_USER")
            + "\" password=\"" + env.get("PEER_KAFKA_PASSWORD") + "\";");
    return settings;
  }
}
