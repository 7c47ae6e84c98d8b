package millrace.peer;

import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Exact sliding windows from the raw events of a key, as millrace has them: the state of a key is one record of its
 * events in the order of their times, which the longest window can still reach. Every event gives the values right after
 * the key's newest one, which are those of all events with {@code newest - length < at <= newest}.
 */
final class ExactWindows implements Processor<String, Payment, String, String> {
    private static final int EVENT_BYTES = 16;
    private static final long KEPT_MS = Windows.ALL.get(Windows.ALL.size() - 1).lengthMs() + Windows.LATENESS_MS;

    private final String storeName;
    private final AtomicLong taken;
    private final StringBuilder json = new StringBuilder(256);
    private ProcessorContext<String, String> context;
    private KeyValueStore<String, byte[]> store;

    ExactWindows(String storeName, AtomicLong taken) {
        this.storeName = storeName;
        this.taken = taken;
    }

    @Override
    public void init(ProcessorContext<String, String> context) {
        this.context = context;
        this.store = context.getStateStore(storeName);
    }

    @Override
    public void process(Record<String, Payment> record) {
        byte[] events = insert(store.get(record.key()), record.value());
        store.put(record.key(), events);
        context.forward(record.withValue(valuesOf(record.key(), events)));
        taken.incrementAndGet();
    }

    /** The events with one more, without those that no window reaches any more. */
    private static byte[] insert(byte[] held, Payment payment) {
        if (held == null) {
            return ByteBuffer.allocate(EVENT_BYTES).putLong(payment.at()).putLong(payment.cents()).array();
        }
        ByteBuffer old = ByteBuffer.wrap(held);
        long newest = Math.max(payment.at(), old.getLong(held.length - EVENT_BYTES));
        int from = 0;
        while (from < held.length && old.getLong(from) <= newest - KEPT_MS) {
            from += EVENT_BYTES;
        }
        int place = held.length;
        while (place > from && old.getLong(place - EVENT_BYTES) > payment.at()) {
            place -= EVENT_BYTES;
        }
        return ByteBuffer.allocate(held.length - from + EVENT_BYTES)
                .put(held, from, place - from)
                .putLong(payment.at())
                .putLong(payment.cents())
                .put(held, place, held.length - place)
                .array();
    }

    /** One pass from the newest event back, each window a part of the next. */
    private String valuesOf(String key, byte[] events) {
        ByteBuffer buffer = ByteBuffer.wrap(events);
        int place = events.length - EVENT_BYTES;
        long newest = buffer.getLong(place);
        json.setLength(0);
        json.append("{\"key\":\"").append(key).append("\",\"at\":").append(newest);
        long count = 0;
        long cents = 0;
        for (Windows window : Windows.ALL) {
            for (; place >= 0 && buffer.getLong(place) > newest - window.lengthMs(); place -= EVENT_BYTES) {
                count += 1;
                cents += buffer.getLong(place + 8);
            }
            window.write(json, count, cents);
        }
        return json.append('}').toString();
    }
}
