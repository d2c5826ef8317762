import { Metrics } from "../metrics/metrics.ts"

/** The metrics of streams. They are searched once, so that counting is only an addition. */
export class StreamMetrics {
  /** Streams that were opened. */
  readonly opened
  /** Streams that ended, by reason. */
  readonly closed
  /** Streams that were resumed. */
  readonly replays
  /** Gaps, by reason. */
  readonly gaps
  /** Frames given to streams. */
  readonly frames
  /** Bytes given to streams. */
  readonly bytes
  /** Seconds from a notification until the waiting streams have written. */
  readonly delivered
  /** Requests that were refused, by reason. */
  readonly refused

  constructor(metrics = new Metrics()) {
    this.opened = metrics.counter("streams_opened_total")
    this.closed = metrics.counters("streams_closed_total")
    this.replays = metrics.counter("stream_replays_total")
    this.gaps = metrics.counters("gaps_total")
    this.frames = metrics.counter("sent_frames_total")
    this.bytes = metrics.counter("sent_bytes_total")
    this.delivered = metrics.histogram("delivery_seconds")
    this.refused = metrics.counters("refused_total")
  }
}
