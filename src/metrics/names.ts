/** What is known of a metric beside its values. */
export interface Description {
  /**
   * How it behaves: a counter only grows, a gauge is read when the metrics are asked for, a histogram counts
   * by size.
   */
  readonly type: "counter" | "gauge" | "histogram"
  /** What it says, as a sentence. */
  readonly help: string
  /** The names of its labels; absent for none. No item and no worker is ever a label. */
  readonly labels?: readonly string[]
  /**
   * Values of its one label that are shown from the start, at 0: Prometheus sees no increase in a counter
   * that appears with its first count. Absent if the values are not known before.
   */
  readonly values?: readonly string[]
  /** The upper bounds of a histogram's buckets, ascending; absent for other types. */
  readonly buckets?: readonly number[]
}

const QUICK = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5]

/** The metrics of the server, by name without `track_studio_`: the one place where a metric is described. */
export const METRICS = {
  build_info: { type: "gauge", labels: ["version", "commit"], help: "Which build runs; always 1." },
  degraded: {
    type: "gauge",
    labels: ["reason"],
    help: "1 for each reason for which the server is degraded now, as /health names it.",
  },
  streams: { type: "gauge", labels: ["kind", "format"], help: "Open streams, of all items or of one." },
  streams_opened_total: { type: "counter", help: "Streams that were opened." },
  streams_closed_total: {
    type: "counter",
    labels: ["reason"],
    values: ["client", "slow", "finished", "drain", "revoked", "error"],
    help: "Streams that ended: client (it left), slow (it did not read for a minute), finished, drain, revoked, error.",
  },
  stream_replays_total: {
    type: "counter",
    help: "Streams that came with a last event ID; one that could not be resumed counts among the gaps, too.",
  },
  gaps_total: {
    type: "counter",
    labels: ["reason"],
    values: ["expired", "unknown", "slow", "unreadable", "restored", "rolled_back"],
    help: "Gaps that were sent on streams.",
  },
  sent_frames_total: {
    type: "counter",
    help: "Frames given to streams, including the greeting and keepalives.",
  },
  sent_bytes_total: {
    type: "counter",
    help: "Bytes given to streams, without the overhead of HTTP and TCP.",
  },
  delivery_seconds: {
    type: "histogram",
    buckets: QUICK,
    help: "From the notification after a commit until a stream that waited has written what is new; streams that want few updates (thin) are not counted.",
  },
  updates_total: {
    type: "counter",
    labels: ["status"],
    values: ["queued", "processing", "completed", "failed", "retrying"],
    help: "Updates that were stored, by their status.",
  },
  commit_seconds: {
    type: "histogram",
    buckets: QUICK,
    help: "Time that a transaction with changes took, including the disk.",
  },
  commit_writes: {
    type: "histogram",
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    help: "Writes that shared such a transaction.",
  },
  commit_errors_total: {
    type: "counter",
    labels: ["code"],
    help: "Transactions that failed, by the database's code.",
  },
  queue_items: {
    type: "gauge",
    labels: ["status"],
    help: "Queue items by status; failed items that were cancelled or lost are counted separately.",
  },
  queue_oldest_waiting_seconds: {
    type: "gauge",
    help: "The longest wait among the items that are first of their priority; 0 if none waits.",
  },
  claims_waiting: { type: "gauge", help: "Claims that wait for an item." },
  claim_look_seconds: {
    type: "histogram",
    buckets: QUICK,
    help: "Time that one search for items took, for all waiting claims.",
  },
  leases: { type: "gauge", help: "Leases that workers hold." },
  leases_lost_total: {
    type: "counter",
    labels: ["reason"],
    values: ["silent", "revoked"],
    help: "Leases that ended without a verdict: silent (the worker did not renew it), revoked (with its token).",
  },
  rescues_total: { type: "counter", help: "Items that were taken back from workers." },
  http_requests_total: {
    type: "counter",
    labels: ["route", "code"],
    help: "Answers, by route and HTTP status; the route is none if no route matches, or if the request was refused before. Preflights of browsers are not counted.",
  },
  http_request_seconds: {
    type: "histogram",
    labels: ["route"],
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60],
    help: "Time from admitting a request until its answer begins; a held answer includes its wait.",
  },
  refused_total: {
    type: "counter",
    labels: ["reason"],
    values: ["origin", "host", "token", "role", "rate", "streams", "descriptors"],
    help: "Requests that were refused: origin, host, token, role, rate, streams (too many are open), descriptors (almost none are left).",
  },
  webhook_deliveries: {
    type: "gauge",
    labels: ["status"],
    help: "Deliveries to webhooks that are kept, by status.",
  },
  webhook_attempts_total: {
    type: "counter",
    labels: ["webhook", "code"],
    help: "Requests to webhooks, by the digits that stand for the URL (GET /webhooks/deliveries lists both), and by HTTP status; none means no answer.",
  },
  database_bytes: { type: "gauge", help: "Bytes in use, of the database file and its write-ahead log." },
  wal_bytes: { type: "gauge", help: "Size of the write-ahead log." },
  database_free_bytes: { type: "gauge", help: "Room in the database file that can be returned to the disk." },
  database_writable: {
    type: "gauge",
    help: "0 after a failed commit, until one succeeds; otherwise 1.",
  },
  disk_free_bytes: { type: "gauge", help: "Free room on the disk of the database." },
  backup_last_success_timestamp_seconds: {
    type: "gauge",
    help: "When the latest backup of --backup-dir was made; absent if there is none.",
  },
  event_loop_lag_seconds: {
    type: "gauge",
    help: "The longest that the event loop kept a timer waiting in the last 15 s.",
  },
} as const satisfies Readonly<Record<string, Description>>

/** The metrics of the process, under the names that they have everywhere. */
export const PROCESS_METRICS = {
  process_cpu_seconds_total: { type: "counter", help: "Time that the processors spent on the process." },
  process_resident_memory_bytes: { type: "gauge", help: "Memory that the process uses." },
  process_start_time_seconds: { type: "gauge", help: "When the process started, in seconds since 1970." },
  process_open_fds: { type: "gauge", help: "Files and sockets that the process has open." },
  process_max_fds: { type: "gauge", help: "Files and sockets that the process may have open." },
} as const satisfies Readonly<Record<string, Description>>

type NamesOf<Type extends Description["type"], Table> = {
  [Name in keyof Table]: Table[Name] extends { readonly type: Type } ? Name : never
}[keyof Table]

/** The names of our counters. */
export type CounterName = NamesOf<"counter", typeof METRICS>

/** The names of our histograms. */
export type HistogramName = NamesOf<"histogram", typeof METRICS>

/** The names of the gauges. */
export type ReadName = NamesOf<"gauge", typeof METRICS> | keyof typeof PROCESS_METRICS
