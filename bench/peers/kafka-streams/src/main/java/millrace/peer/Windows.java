package millrace.peer;

import java.time.Duration;
import java.util.List;

/** The lengths of the windows, and how late an event may come. */
record Windows(String name, long lengthMs) {
    static final List<Windows> ALL = List.of(
            new Windows("5m", Duration.ofMinutes(5).toMillis()),
            new Windows("1h", Duration.ofHours(1).toMillis()),
            new Windows("24h", Duration.ofHours(24).toMillis()));

    static final long LATENESS_MS = Duration.ofMinutes(10).toMillis();

    /** Members of a JSON object, each after a comma. A mean is divided once. */
    void write(StringBuilder json, long count, long cents) {
        json.append(",\"count_").append(name).append("\":").append(count);
        json.append(",\"sum_").append(name).append("\":").append(cents / 100.0);
        json.append(",\"mean_").append(name).append("\":").append(cents / (100.0 * count));
    }
}
