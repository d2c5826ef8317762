import { type Mistake, of } from "./mistake.ts"

/** Mistakes in which worker gets an item, which workers are present, and which are gone. */
export const WORKERS: readonly Mistake[] = [
  ...of(
    "src/queue/known-workers.ts",
    ["tests/queue/known-workers.test.ts"],
    [
      [
        "only the first of the workers that other servers know can be drained",
        "others.filter((report) => this.#drained.learn(report)).length > 0",
        "others.some((report) => this.#drained.learn(report))",
      ],
      [
        "a worker that has waited for an hour is forgotten",
        "if (waits === 0 && heardMs < sinceMs)",
        "if (heardMs < sinceMs)",
      ],
      [
        "a worker that waited for long is forgotten when its claim ends",
        "        entry.heardMs = this.#nowMs()\n",
        "",
      ],
      [
        "a worker of another server takes items though it was drained here",
        "    for (const start of others.flatMap(({ starts }) => starts)) known.instances.add(start)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/queue/drained-workers.ts",
    ["tests/queue/known-workers.test.ts"],
    [
      [
        "a worker that does not identify its starts cannot be drained",
        "(instance === undefined || drained.has(instance))",
        "(instance !== undefined && drained.has(instance))",
      ],
      [
        "each look at the other servers answers all claims",
        "if (drainedMs <= (this.#drains",
        "if (drainedMs < (this.#drains",
      ],
    ],
  ),
  ...of(
    "src/queue/rescue-and-stall.ts",
    ["tests/queue/outage.test.ts", "tests/queue/rescue-and-stall.test.ts"],
    [
      [
        "a suspended machine costs its workers their leases",
        "if (lateMs > SUSPENDED_MS) outages.begin(beganMs - lateMs)",
        "",
      ],
      [
        "a machine that is suspended within a round costs its workers their leases",
        "      outages.begin(stoodSinceMs)\n",
        "",
      ],
      ["items stall because nothing could be stored", "if (now - outages.endedMs >= stallAfterMs) {", "{"],
      [
        "only the first page of lost items is taken back",
        "while (!this.isStopped && (await",
        "if (!this.isStopped && (await",
      ],
    ],
  ),
  ...of(
    "src/queue/rescue-and-stall.ts",
    ["tests/queue/rescue-and-stall.test.ts"],
    [
      [
        "a rescue is counted with the wrong reason",
        'isRevoked(stored.work) ? "revoked" : "silent"',
        '!isRevoked(stored.work) ? "revoked" : "silent"',
      ],
      [
        "without a leased item the end of an outage is not noticed",
        "if (outages.isUnderWay || isAnyLeased) await",
        "if (isAnyLeased) await",
      ],
    ],
  ),
  ...of(
    "src/queue/ingest-throttle.ts",
    ["tests/queue/ingest-throttle.test.ts"],
    [
      [
        "after a flood the end of a torn line is read as a line",
        "this.#isTorn = isCut && end === null",
        "this.#isTorn = false",
      ],
      ["what was read late does not count", "    this.#units -= slice.length\n", ""],
    ],
  ),
  ...of(
    "src/queue/ingest-turns.ts",
    ["tests/queue/ingest-turns.test.ts"],
    [
      ["many slices are read in one tick", "this.#spentMs < TICK_MS && ", ""],
      ["reading never rests", " && this.#savedMs > 0) {", ") {"],
      [
        "a client with many slices goes first again",
        "this.#lines.delete(client)\n",
        "if (line.length === 0) this.#lines.delete(client)\n",
      ],
    ],
  ),
  ...of(
    "src/queue/waiting-claims.ts",
    ["tests/queue/looks.test.ts"],
    [
      ["a look that is asked for during a look is forgotten", "if (this.#isAsked) this.look()", ""],
      [
        "a look goes on for as long as claims wait again",
        "of [...this.#groups.values()])",
        "of this.#groups.values())",
      ],
    ],
  ),
  ...of(
    "src/queue/waiting-claims.ts",
    ["tests/queue/bell.test.ts"],
    [
      [
        "the same tags in another order count as other tags",
        "JSON.stringify(tags.toSorted())",
        "JSON.stringify(tags)",
      ],
      [
        "one set of tags more may wait than is allowed",
        "(counts?.size ?? 0) >= this.#mostTagSets",
        "(counts?.size ?? 0) > this.#mostTagSets",
      ],
      ["a claim that has ended counts", "this.#count(client, key, -1)", "this.#count(client, key, 1)"],
    ],
  ),
  ...of(
    "src/queue/workers.ts",
    ["tests/queue/crew.test.ts"],
    [
      ["a claim of a drained worker takes an item", "if (isDraining) {", "if (isNew === null) {"],
      ["the waiting claims of a drained worker go on waiting", "if (isDraining) this.#waiting.ringAll()", ""],
    ],
  ),
  ...of(
    "src/queue/workers.ts",
    ["tests/queue/bell.test.ts"],
    [
      [
        "a claim whose client left while it waited takes an item",
        "if (signal.aborted || this.#draining) return null",
        "if (this.#draining) return null",
      ],
      ["a claim is not announced", "if (!quiet) this.#bus.notify()", ""],
    ],
  ),
  ...of(
    "src/queue/workers.ts",
    ["tests/upkeep/size-limit.test.ts"],
    [
      [
        "a report for which there is no room is no sign of life",
        "if (token !== undefined && this.hasNoRoom) await this.heartbeat(id, token)",
        "",
      ],
      [
        "a report for which the disk is full does not renew the lease",
        "this.#room.isFull || this.#room.isDiskFull",
        "this.#room.isFull",
      ],
    ],
  ),
  ...of(
    "src/queue/workers.ts",
    ["tests/queue/clock.test.ts", "tests/queue/looks.test.ts", "tests/queue/outage.test.ts"],
    [
      [
        "the wait for the next attempt does not grow",
        "backoff(RETRY, stored.item.retry_count,",
        "backoff(RETRY, 0,",
      ],
    ],
  ),
  ...of(
    "src/queue/workers.ts",
    ["tests/queue/claim.test.ts"],
    [
      [
        "a worker is asked to renew when its lease is nearly over",
        "Math.round(leaseMs / 300) / 10",
        "Math.round(leaseMs / 110) / 10",
      ],
    ],
  ),
  ...of(
    "src/queue/start-forecasts.ts",
    ["tests/queue/song.test.ts"],
    [
      [
        "an item that was started without a worker delays the start of others of its song",
        'status === "processing" && worker !== ""',
        'status === "processing"',
      ],
    ],
  ),
  ...of(
    "src/queue/learned-durations.ts",
    ["tests/queue/learned-durations.test.ts"],
    [
      [
        "what is stopped while it starts reads a database that may be closed",
        "if (!this.#isStopped) this.#past = this.#learnPast()",
        "this.#past = this.#learnPast()",
      ],
    ],
  ),
]
