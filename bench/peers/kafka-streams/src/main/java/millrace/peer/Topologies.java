package millrace.peer;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

/**
 * Count, sum and mean of the payments of each customer and of each terminal over 5 minutes, 1 hour and 24 hours. The
 * payments' topic is keyed by the customer; those of a terminal come together by way of one more topic.
 */
final class Topologies {
    /** Payments that were taken for their customer, and for their terminal. */
    final AtomicLong customers = new AtomicLong();

    final AtomicLong terminals = new AtomicLong();

    private final StreamsBuilder builder = new StreamsBuilder();
    private final String output;
    private final KStream<String, Payment> byCustomer;
    private final KStream<String, Payment> byTerminal;

    Topologies(String input, String output) {
        this.output = output;
        byCustomer = builder.stream(
                input, Consumed.with(Serdes.String(), Payment.json()).withTimestampExtractor(Payment::timeOf));
        byTerminal = byCustomer
                .map((customerId, payment) -> KeyValue.pair(payment.terminalId(), payment))
                .repartition(Repartitioned.with(Serdes.String(), Payment.packed()).withName("terminals"));
    }

    /** In the Processor API: the algorithm of millrace. */
    StreamsBuilder exact() {
        exact(byCustomer, "customers", customers);
        exact(byTerminal, "terminals", terminals);
        return builder;
    }

    private void exact(KStream<String, Payment> payments, String name, AtomicLong taken) {
        builder.addStateStore(Stores.keyValueStoreBuilder(
                        Stores.persistentKeyValueStore(name), Serdes.String(), Serdes.ByteArray())
                .withCachingEnabled());
        payments.process(() -> new ExactWindows(name, taken), name)
                .to(output + "-" + name, Produced.with(Serdes.String(), Serdes.String()));
    }

    /**
     * In the DSL: its sliding windows, with a result for each window that ends at an event or begins right after one.
     * That of {@code (at - length, at]} is the same value as ours right after the event. An event changes every window
     * that it lies in, as many as its key has events in the length.
     */
    StreamsBuilder sliding() {
        sliding(byCustomer, "customers", customers);
        sliding(byTerminal, "terminals", terminals);
        return builder;
    }

    private void sliding(KStream<String, Payment> payments, String name, AtomicLong taken) {
        var grouped = payments.peek((key, payment) -> taken.incrementAndGet())
                .groupByKey(Grouped.with(name, Serdes.String(), Payment.packed()));
        for (Windows window : Windows.ALL) {
            // Both ends of its windows are inside, and ours begin after their first millisecond.
            var length = Duration.ofMillis(window.lengthMs() - 1);
            var grace = Duration.ofMillis(Windows.LATENESS_MS);
            grouped.windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(length, grace))
                    .aggregate(
                            () -> Totals.NONE,
                            (key, payment, totals) -> totals.plus(payment),
                            Materialized.<String, Totals, WindowStore<org.apache.kafka.common.utils.Bytes, byte[]>>as(
                                            name + "-" + window.name())
                                    .withKeySerde(Serdes.String())
                                    .withValueSerde(Totals.serde())
                                    .withCachingEnabled())
                    .toStream()
                    .map((key, totals) -> {
                        var json = new StringBuilder(128);
                        json.append("{\"key\":\"").append(key.key()).append("\",\"at\":").append(key.window().end());
                        window.write(json, totals.count(), totals.cents());
                        return KeyValue.pair(key.key(), json.append('}').toString());
                    })
                    .to(output + "-" + name, Produced.with(Serdes.String(), Serdes.String()));
        }
    }
}
