package millrace.peer;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** What a window of the DSL holds. */
record Totals(long count, long cents) {
    static final Totals NONE = new Totals(0, 0);

    static Serde<Totals> serde() {
        return Serdes.serdeFrom(
                (topic, totals) -> totals == null
                        ? null
                        : ByteBuffer.allocate(16).putLong(totals.count).putLong(totals.cents).array(),
                (topic, bytes) -> {
                    if (bytes == null) {
                        return null;
                    }
                    ByteBuffer buffer = ByteBuffer.wrap(bytes);
                    return new Totals(buffer.getLong(), buffer.getLong());
                });
    }

    Totals plus(Payment payment) {
        return new Totals(count + 1, cents + payment.cents());
    }
}
