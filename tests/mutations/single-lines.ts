import { type Mistake, of } from "./mistake.ts"

/** Mistakes in lines that no other test needed: leases of workers, streams, tickets, outputs and clocks. */
export const SINGLE_LINES: readonly Mistake[] = [
  ...of(
    "src/access/tickets.ts",
    ["tests/access/tickets.test.ts"],
    [
      [
        "a clock that went back keeps ended tickets",
        "if (Math.abs(nowMs - this.#searchedMs) < SEARCH_EVERY_MS)",
        "if (nowMs - this.#searchedMs < SEARCH_EVERY_MS)",
      ],
    ],
  ),
  ...of(
    "src/http/body-time-limit.ts",
    ["tests/http/unread-body.test.ts"],
    [["a slow body may take for ever after two seconds", "      else timer.refresh()\n", ""]],
  ),
  ...of(
    "src/http/exact-numbers.ts",
    ["tests/http/numbers.test.ts"],
    [
      [
        "a number with zeros at its end is inexact",
        'const short = digits.replace(/0+$/, "")',
        "const short = digits",
      ],
    ],
  ),
  ...of(
    "src/item/moment.ts",
    ["tests/item/decisions.test.ts"],
    [["the steady clock starts before the last sign of life", "Math.max(Date.now(), aliveMs)", "Date.now()"]],
  ),
  ...of(
    "src/item/state-in-one-word.ts",
    ["tests/item/decisions.test.ts"],
    [
      [
        "a finished item that was to be cancelled is cancelling",
        'if (status === "processing" && cancel_requested_at !== null) return',
        "if (cancel_requested_at !== null) return",
      ],
    ],
  ),
  ...of(
    "src/queue/output-writer.ts",
    ["tests/queue/output-writer.test.ts"],
    [
      [
        "the end of an output waits for the next gathering",
        "    this.#isEnding = true\n    this.#hurry?.()\n",
        "    this.#isEnding = true\n",
      ],
    ],
  ),
  ...of(
    "src/queue/output.ts",
    ["tests/queue/output.test.ts"],
    [
      [
        "a follower's signal keeps each of its waits",
        '        signal.removeEventListener("abort", wake)\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/runner/attempt.ts",
    ["tests/runner/attempt.test.ts"],
    [
      [
        "a stopped attempt goes on by a new claim",
        "    this.#isInVain = true\n    const isTaken",
        "    const isTaken",
      ],
      [
        "a lent command asks for a lease that is not its own",
        "!reporter.isLent && (this.#suspendedMs",
        "(this.#suspendedMs",
      ],
    ],
  ),
  ...of(
    "src/runner/item-source.ts",
    ["tests/runner/item-source.test.ts"],
    [["a second try finds or adds another item", "id ??= await find()", "id = await find()"]],
  ),
  ...of(
    "src/runner/lease-file.ts",
    ["tests/runner/lease-file.test.ts"],
    [["a server with a dot at its end is another one", 'hostname.replace(/\\.$/, "")', "hostname"]],
  ),
  ...of(
    "src/runner/own-lease.ts",
    ["tests/runner/own-lease.test.ts"],
    [
      [
        "a take-over during a claim is lost",
        "        if (this.#held) return this.#held\n        // In the right",
        "        // In the right",
      ],
    ],
  ),
  ...of(
    "src/stream/broadcaster.ts",
    ["tests/stream/rollback.test.ts"],
    [
      [
        "a stream begins again at the last lost ID",
        "return loss && loss.upTo + 1",
        "return loss && loss.upTo",
      ],
    ],
  ),
  ...of(
    "src/stream/seat.ts",
    ["tests/stream/keepalives.test.ts"],
    [
      [
        "a thinned stream skips what came between two beats",
        "examined > this.cursor && this.thin === 0",
        "examined > this.cursor",
      ],
    ],
  ),
  ...of(
    "src/upkeep/compaction.ts",
    ["tests/upkeep/compaction.test.ts"],
    [
      [
        "a stopped server begins a compaction",
        "    if (signal.aborted) return\n    const failure",
        "    const failure",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/connect.ts",
    ["tests/store/sqlite/connect.test.ts"],
    [["a database is read without what is in its log", " || existsSync(`${path}-wal`)", ""]],
  ),
  ...of(
    "src/store/sqlite/database-file-reader.ts",
    ["tests/commands/identity.test.ts"],
    [["everybody can read a rescued database", "    chmodSync(to, 0o600)\n", ""]],
  ),
  ...of(
    "src/store/postgres/history.ts",
    ["tests/store/postgres/rollback.test.ts"],
    [
      [
        "event IDs that were left out after a failover count as updates",
        "Math.max(pruned.id, pruned.resumed)",
        "pruned.id",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/group-decisions.ts",
    ["tests/store/postgres/group-decisions.test.ts"],
    [
      [
        "an answer names an item that was not stored",
        "    if (this.adds.some(({ item: { id } }) => id === item.id)) this.#added.add(item.id)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/access.ts",
    ["tests/store/postgres/way.test.ts"],
    [
      [
        "a token whose answer was lost is refused as one that exists",
        "isRepeated ? await this.#withHash(draft.hash) : []",
        "[]",
      ],
      [
        "a revocation whose answer was lost is denied",
        "      isRepeated = true\n      const [row]",
        "      const [row]",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/upkeep.ts",
    ["tests/store/postgres/once.test.ts"],
    [
      [
        "each server does the work that one does at a time",
        "    WHERE timers.due_at <= $2::int8 OR timers.due_at > excluded.due_at RETURNING name",
        " RETURNING name",
      ],
    ],
  ),
  ...of(
    "src/stream/viewer.ts",
    ["tests/stream/leaving.test.ts"],
    [["a keepalive that cannot be written ends the server", "    written.catch(() => undefined)\n", ""]],
  ),
  ...of(
    "src/stream/history-reader.ts",
    ["tests/stream/queue-pause.test.ts"],
    [
      [
        "the stream of an item says that the queue is paused",
        '  if (seat.kind !== "global") return NO_PAUSE.opening\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/runner/lease-file.ts",
    ["tests/runner/lease-lock.test.ts"],
    [
      [
        "a lock counts although its file was removed",
        " && fstatSync(descriptor).ino === statSync(path).ino",
        "",
      ],
    ],
  ),
  ...of(
    "src/runner/kill-guard.ts",
    ["tests/runner/kill-guard.test.ts"],
    [
      [
        "a pipe to a guard that has gone is written to after it was closed",
        "      closeSync(this.#input)\n      this.#input = undefined\n",
        "      closeSync(this.#input)\n",
      ],
    ],
  ),
  ...of(
    "src/queue/workers.ts",
    ["tests/queue/bell.test.ts"],
    [
      [
        "a claim that waited is held for another second when its worker is drained",
        "if (isNew && !signal.aborted)",
        "if (!signal.aborted)",
      ],
    ],
  ),
  ...of(
    "src/queue/waiting-claims.ts",
    ["tests/queue/bell.test.ts"],
    [
      [
        "each client that ever claimed takes memory",
        "    if (counts.size === 0) this.#counts.delete(client)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/queue/ingest.ts",
    ["tests/item/declared-steps.test.ts"],
    [
      [
        "an output begins at 0 % of its item, whatever its part",
        "progress: span.from, basis",
        "progress: 0, basis",
      ],
    ],
  ),
  ...of(
    "src/queue/learned-durations.ts",
    ["tests/queue/learned-durations.test.ts"],
    [
      [
        "runs are read from a closed database",
        "      if (this.#isStopped) return\n      try {",
        "      try {",
      ],
    ],
  ),
  ...of(
    "src/http/page-files.ts",
    ["tests/http/page-files.test.ts"],
    [["after one failure the page is never served", "      loaded = undefined\n", ""]],
  ),
  ...of(
    "src/http/routes/websockets.ts",
    ["tests/http/routes/websockets.test.ts"],
    [["pings count for the whole life of a socket", "      this.#pings = 0\n", ""]],
  ),
  ...of(
    "src/http/ingest-query.ts",
    ["tests/item/declared-steps.test.ts"],
    [["the end of a first step completes its item", "  if (isFinal) checkLast(span?.step)\n", ""]],
  ),
  ...of(
    "src/http/curl-board.ts",
    ["tests/http/curl.test.ts"],
    [
      [
        "a board is as wide as its client says",
        "Math.min(MAX_COLUMNS, Math.max(20, Number(columns)))",
        "Math.max(20, Number(columns))",
      ],
      [
        "a board is as high as its client says",
        "Math.min(MAX_COLUMNS, Math.max(4, Number(rows)))",
        "Math.max(4, Number(rows))",
      ],
    ],
  ),
  ...of(
    "src/access/redis-rate-limit.ts",
    ["tests/access/fleet-rate-limit.test.ts"],
    [
      [
        "Redis keeps the bucket of each client for ever",
        'redis.call("PEXPIRE", KEYS[1], math.ceil((burst - units) * 1000 / perSecond) + 1000)\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/queue/known-workers.ts",
    ["tests/queue/known-workers.test.ts"],
    [
      [
        "a worker whose claim waits at another server is away",
        "isWaiting || heardMs > sinceMs",
        "heardMs > sinceMs",
      ],
    ],
  ),
  ...of(
    "src/queue/ingest-throttle.ts",
    ["tests/queue/ingest-throttle.test.ts"],
    [["a timer that ran early has to wait again", "    if (nowMs < sinceMs) return\n", ""]],
  ),
  ...of(
    "src/queue/ingest.ts",
    ["tests/queue/ingest-outage.test.ts"],
    [["after an outage the end of an output is always an error", "      this.#unstored = undefined\n", ""]],
  ),
  ...of(
    "src/http/client-address.ts",
    ["tests/http/client-address.test.ts"],
    [["one IPv6 network has several names", "Number.parseInt(group, 16).toString(16)", "group"]],
  ),
  ...of(
    "src/store/postgres/group-decisions.ts",
    ["tests/store/postgres/group-decisions.test.ts"],
    [
      [
        "a decision that changes nothing writes its item",
        "    if (quiet && work === before.work) return change\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/history.ts",
    ["tests/store/postgres/rollback.test.ts"],
    [
      [
        "the bounds are those from before the database went back",
        "const isBack = newest > found.head",
        "const isBack = newest < 0",
      ],
    ],
  ),
  ...of(
    "src/queue/output.ts",
    ["tests/queue/output.test.ts"],
    [
      [
        "a full database does not say where an output ends",
        "if (pieces.length > 0) room?.check()",
        "room?.check()",
      ],
    ],
  ),
  ...of(
    "src/queue/start-forecasts.ts",
    ["tests/queue/foreseen.test.ts"],
    [
      [
        "after the clock went back, the forecast is an old one",
        "Math.abs(nowMs - this.#madeMs) < FRESH_MS",
        "nowMs - this.#madeMs < FRESH_MS",
      ],
    ],
  ),
  ...of(
    "src/queue/queue.ts",
    ["tests/queue/history-pages.test.ts"],
    [["each change of a whole item looks at 500 updates", "      else if (read.length > 0) break\n", ""]],
  ),
]
