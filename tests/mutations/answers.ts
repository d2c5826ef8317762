import { type Mistake, of } from "./mistake.ts"

/** Mistakes in what requests are answered that no test noticed at first. */
export const ANSWERS: readonly Mistake[] = [
  ...of(
    "src/stream/sse-ndjson-text.ts",
    ["tests/stream/sse-ndjson-text.test.ts"],
    [
      ["a format that is not wanted at all is taken", "quality > best.quality", "quality >= best.quality"],
      [
        "an EventSource is not told when to come back after a stop",
        'control.event === "shutdown" || control.event === "busy" ? `retry',
        'control.event === "busy" ? `retry',
      ],
    ],
  ),
  ...of(
    "src/http/accepts.ts",
    ["tests/http/accepts.test.ts"],
    [["a client that refuses HTML gets it", "(;(?!\\s*q=0(\\.0*)?\\s*$)|$)", "(;|$)"]],
  ),
  ...of(
    "src/http/fair-turns.ts",
    ["tests/http/fair-turns.test.ts"],
    [
      [
        "each of several requests counts as long as all of them",
        "(client.eachMs + tookMs / this.#latestCount) / 2",
        "(client.eachMs + tookMs) / 2",
      ],
    ],
  ),
  ...of(
    "src/http/routes/health.ts",
    ["tests/http/routes/health.test.ts"],
    [
      [
        "health says for ever when the removal of old data began",
        "Number.isFinite(atMs) && atMs > now()",
        "Number.isFinite(atMs)",
      ],
    ],
  ),
  ...of(
    "src/http/client-limits.ts",
    ["tests/http/client-limits.test.ts"],
    [
      [
        "each small answer costs as much as a request",
        "Math.floor(bytes / UNIT_BYTES)",
        "Math.ceil(bytes / UNIT_BYTES)",
      ],
    ],
  ),
  ...of(
    "src/http/routes/queue-actions.ts",
    ["tests/http/client-limits.test.ts"],
    [["a request that changes many items costs one more", "ids.length - 1)", "ids.length)"]],
  ),
  ...of(
    "src/http/routes/page.ts",
    ["tests/dashboard/http.test.ts"],
    [
      [
        "a cache gives the page to clients that want no HTML",
        'vary: "accept, accept-encoding"',
        'vary: "accept-encoding"',
      ],
    ],
  ),
  ...of(
    "src/http/page-files.ts",
    ["tests/dashboard/http.test.ts"],
    [
      [
        "of several versions that a cache has only the first is compared",
        "tag.trim() === etag",
        "tag === etag",
      ],
    ],
  ),
  ...of(
    "src/http/routes/queue-figures.ts",
    ["tests/queue/totals.test.ts"],
    [["a render of 1 h and 5 s took 1h5s", "h > 0 || m > 0 ?", "m > 0 ?"]],
  ),
  ...of(
    "src/http/routes/queue-figures.ts",
    ["tests/queue/totals.test.ts"],
    [
      [
        "lost items are missing among the failed ones",
        "failed: failed + cancelled + lost,",
        "failed: failed + cancelled,",
      ],
    ],
  ),
  ...of(
    "src/http/routes/forecast-and-kinds.ts",
    ["tests/queue/start-forecasts.test.ts"],
    [
      [
        "when nothing is left to do it is unknown when all is done",
        "doneIn === undefined ? null : tenth(doneIn)",
        "doneIn ? tenth(doneIn) : null",
      ],
    ],
  ),
  ...of(
    "src/http/app.ts",
    ["tests/http/cors.test.ts"],
    [["a cache keeps what the API answers", '  headers["cache-control"] = "no-store"\n', ""]],
  ),
  ...of(
    "src/http/app.ts",
    ["tests/http/cors.test.ts"],
    [["a page asks before each change whether it may", "maxAge: 600,", "maxAge: 6,"]],
  ),
  ...of(
    "src/http/read-only-keys.ts",
    ["tests/item/changes-in-whole-item.test.ts"],
    [
      [
        "the body of an earlier item is taken for that of a later one",
        'if (body["id"] !== Number(id)) {',
        'if (body["id"] > Number(id)) {',
      ],
    ],
  ),
  ...of(
    "src/http/json-answer.ts",
    ["tests/http/answer-cost.test.ts"],
    [["a long answer costs no more than a short one", "  limits.charge(caller, json.length)\n", ""]],
  ),
  ...of(
    "src/http/paths.ts",
    ["tests/http/errors-request.test.ts"],
    [["a path that names a song takes no other method, and nobody says so", "/:[a-z_]+/g", "/:[a-z]+/g"]],
  ),
  ...of(
    "src/http/routes/claim-and-report.ts",
    ["tests/queue/claim-left.test.ts"],
    [
      [
        "an item stays with a worker whose token has just ended",
        "request.signal.aborted || caller.ended?.aborted === true",
        "request.signal.aborted",
      ],
    ],
  ),
  ...of(
    "src/http/curl-board.ts",
    ["tests/http/curl.test.ts"],
    [
      [
        "who may see one item learns when all are done",
        'isAllowed(caller, "figures") ? ((await forecasts.now()).doneIn ?? null) : null',
        "(await forecasts.now()).doneIn ?? null",
      ],
    ],
  ),
  ...of(
    "src/http/error-answers.ts",
    ["tests/http/errors-internal.test.ts"],
    [
      [
        "why the database could not be written is not in the log",
        'known.code === "internal" || known.cause !== undefined',
        'known.code === "internal"',
      ],
    ],
  ),
  ...of(
    "src/http/error-answers.ts",
    ["tests/http/errors-internal.test.ts"],
    [
      [
        "a client stays with a server that cannot answer",
        '    ...(code === "unavailable" && { connection: "close" }),\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/http/routes/ingest.ts",
    ["tests/queue/ingest-silence.test.ts"],
    [["the lease of a silent renderer is renewed when it is over", "lengthMs / 3,", "lengthMs,"]],
  ),
  ...of(
    "src/http/needed-rights.ts",
    ["tests/http/caller-of-request.test.ts"],
    [["a token for one item sees which item is next", '/queue/next`]: "figures"', '/queue/next`]: "read"']],
  ),
  ...of(
    "src/http/routes/worker-list.ts",
    ["tests/queue/crew.test.ts"],
    [
      [
        "items that nobody has claimed have a worker without a name",
        'items.filter(({ worker }) => worker !== "")',
        "items",
      ],
    ],
  ),
  ...of(
    "src/http/routes/streams.ts",
    ["tests/queue/queue-pages.test.ts"],
    [["an empty history has a first update", "oldest_id: stored > 0 ? oldest : null", "oldest_id: oldest"]],
  ),
  ...of(
    "src/http/routes/health.ts",
    ["tests/http/routes/health.test.ts"],
    [
      [
        "a server has run for a thousand times as long",
        "Math.floor((performance.now() - running.startedMs) / 1000)",
        "Math.floor(performance.now() - running.startedMs)",
      ],
    ],
  ),
  ...of(
    "src/http/routes/websockets.ts",
    ["tests/http/bound.test.ts"],
    [["a token for one item gets it though another was asked for", "ids?.includes(id) ?? true", "true"]],
  ),
  ...of(
    "src/http/request-counts.ts",
    ["tests/http/routes/metrics.test.ts"],
    [
      [
        "a path with a slash at its end counts as another route",
        'path.length > 1 ? path.replace(/\\/$/, "") : path',
        "path",
      ],
    ],
  ),
  ...of(
    "src/http/app.ts",
    ["tests/http/routes/metrics.test.ts"],
    [
      [
        "WebSockets count as answers with 200",
        "answer === undefined && status === 200 ? 101 : status",
        "status",
      ],
    ],
  ),
  ...of(
    "src/http/body-time-limit.ts",
    ["tests/http/routes/health.test.ts"],
    [
      [
        "while descriptors are few clients come back at once",
        ", FEW, { retryAfterMs: FEW_RETRY_MS })",
        ", FEW)",
      ],
    ],
  ),
  ...of(
    "src/http/routes/metrics.ts",
    ["tests/http/routes/metrics.test.ts"],
    [["a cache keeps the metrics", ', "cache-control": "no-store"', ""]],
  ),
  ...of(
    "src/http/page-files.ts",
    ["tests/dashboard/http.test.ts"],
    [["the page tells other sites which item is shown", '  "referrer-policy": "no-referrer",\n', ""]],
  ),
  ...of(
    "src/http/output-formats.ts",
    ["tests/http/output-formats.test.ts"],
    [
      [
        "a client that accepts events among other types gets text",
        "accept?.includes(sse.contentType)",
        "accept === sse.contentType",
      ],
    ],
  ),
  ...of(
    "src/http/routes/queue-figures.ts",
    ["tests/queue/totals.test.ts"],
    [
      [
        "before the first render the rate of success is no number",
        "ended === 0 ? 0 : Math.round",
        "Math.round",
      ],
    ],
  ),
  ...of(
    "src/http/routes/streams.ts",
    ["tests/http/stream-list.test.ts"],
    [["a viewer sees the servers of the fleet", 'if (isOfAll) checkAllowed(caller, "admin")', ""]],
  ),
  ...of(
    "src/http/client-limits.ts",
    ["tests/http/client-limits.test.ts"],
    [
      [
        "no client gets an answer that is larger than what may be unread",
        "before > 0 && before + bytes > most",
        "before + bytes > most",
      ],
    ],
  ),
]
