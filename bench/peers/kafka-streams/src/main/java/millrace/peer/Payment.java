package millrace.peer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** What the features need of an event. Amounts are whole cents, so that their sums are exact. */
record Payment(String terminalId, long cents, long at) {
    private static final JsonFactory JSON = new JsonFactory();

    /** Reads the events' JSON as a stream of tokens, keeping three of its members; writes what {@link #packed} reads. */
    static Serde<Payment> json() {
        return Serdes.serdeFrom((topic, payment) -> payment.pack(), (topic, bytes) -> parse(bytes));
    }

    /** For the topic between the two halves of the topology: a few bytes instead of the JSON. */
    static Serde<Payment> packed() {
        return Serdes.serdeFrom((topic, payment) -> payment.pack(), (topic, bytes) -> unpack(bytes));
    }

    static long timeOf(ConsumerRecord<Object, Object> record, long partitionTime) {
        return ((Payment) record.value()).at();
    }

    private static Payment parse(byte[] bytes) {
        String terminalId = null;
        long cents = 0;
        long at = 0;
        try (JsonParser parser = JSON.createParser(bytes)) {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                parser.nextToken();
                switch (name) {
                    case "terminalId" -> terminalId = parser.getText();
                    case "amount" -> cents = Math.round(parser.getDoubleValue() * 100);
                    case "at" -> at = parser.getLongValue();
                    default -> parser.skipChildren();
                }
            }
        } catch (IOException exception) {
            throw new SerializationException("not a payment", exception);
        }
        return new Payment(terminalId, cents, at);
    }

    private byte[] pack() {
        return ByteBuffer.allocate(16).putLong(cents).putLong(at).array();
    }

    private static Payment unpack(byte[] bytes) {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        return new Payment(null, buffer.getLong(), buffer.getLong());
    }
}
