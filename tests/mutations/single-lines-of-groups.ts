import { type Mistake, of } from "./mistake.ts"

/** Mistakes in lines that no test needed for long: bodies, turns, outputs, what was learned, and PostgreSQL's groups. */
export const LINES_OF_GROUPS: readonly Mistake[] = [
  ...of(
    "src/http/body.ts",
    ["tests/http/answer-cost.test.ts"],
    [
      [
        "a body that comes in chunks costs nothing",
        "  if (bytes.length === 0) return {}\n  checkType(request)\n  await charge(bytes.length)\n",
        "  if (bytes.length === 0) return {}\n  checkType(request)\n",
      ],
    ],
  ),
  ...of(
    "src/http/fair-turns.ts",
    ["tests/http/fair-turns.test.ts"],
    [
      [
        "a client that is no longer alone keeps its long ticks",
        "      client.mostMs = this.#mostMs(name, nowMs)\n",
        "",
      ],
      ["a client counts as alone while a search of another one goes on", "!isOtherHere && ", ""],
      [
        "the requests of a client that is alone rest, too",
        "if (isTooLong && !this.#isAlone(client.name, nowMs))",
        "if (isTooLong)",
      ],
    ],
  ),
  ...of(
    "src/http/routes/store-and-read-output.ts",
    ["tests/http/answer-cost.test.ts"],
    [["an output that is followed ends after a day, whatever is printed", "    silence.restart()\n", ""]],
  ),
  ...of(
    "src/queue/learned-durations.ts",
    ["tests/queue/learned-durations.test.ts"],
    [
      [
        "a look that another server has learned is not found by one that is nearly the same",
        "    if (this.#isOld(this.#kindsReadMs)) await this.#readKinds()\n    const isExact",
        "    const isExact",
      ],
    ],
  ),
  ...of(
    "src/queue/waiting-claims.ts",
    ["tests/queue/bell.test.ts"],
    [
      [
        "of claims with the same tags only the last one hears the bell",
        "this.#groups.get(key) ?? { tags",
        "{ tags",
      ],
    ],
  ),
  ...of(
    "src/queue/output-writer.ts",
    ["tests/queue/output-writer.test.ts"],
    [["a single byte that was dropped shifts all that follows", "dropped > 0 ?", "dropped > 1 ?"]],
  ),
  ...of(
    "src/runner/leases-of-killed-workers.ts",
    ["tests/runner/leases-of-killed-workers.test.ts"],
    [["an item is claimed again to fail it", ' || verdict.end !== "complete"', ""]],
  ),
  ...of(
    "src/stream/thinning.ts",
    ["tests/stream/thin.test.ts"],
    [["a beat that is overdue is struck twice", "    if (this.#next) return\n", ""]],
  ),
  ...of(
    "src/store/sqlite/check.ts",
    ["tests/store/sqlite/check.test.ts"],
    [
      [
        "a newer database is judged by old rules",
        "applied > knownMigrations()",
        "applied > knownMigrations() + 1",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/schema-of-version.ts",
    ["tests/store/sqlite/check.test.ts", "tests/commands/damage.test.ts"],
    [["a trigger that was changed passes the check", "found.get(name) !== sql", "!found.has(name)"]],
  ),
  ...of(
    "src/store/sqlite/connect.ts",
    ["tests/store/sqlite/check.test.ts"],
    [["a check moves the log of a killed server into the file", "isLogged ? { readonly: true } : ", ""]],
  ),
  ...of(
    "src/store/sqlite/upkeep.ts",
    ["tests/upkeep/size-limit.test.ts"],
    [["the log beside the file takes no room", "- free + wal, wal", "- free, wal"]],
  ),
  ...of(
    "src/store/postgres/double-write-fence.ts",
    ["tests/store/postgres/double-write-fence.test.ts"],
    [["a transaction that has failed is not ended before the next", "    await this.rollBack()\n", ""]],
  ),
  ...of(
    "src/store/postgres/double-write-fence.ts",
    ["tests/store/postgres/once.test.ts"],
    [["each group removes the notes of earlier ones", "    this.#forgotten = this.#group\n", ""]],
  ),
  ...of(
    "src/store/postgres/group-reads.ts",
    ["tests/store/postgres/contracts.test.ts"],
    [
      [
        "an item that is moved to where it is has itself before it",
        "AND q.id <> $2 ORDER",
        "AND q.id <> -$2 ORDER",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/group-commit.ts",
    ["tests/store/postgres/together.test.ts"],
    [
      [
        "a row that was old is decided on again and again",
        "      for (const id of attempt.seen) this.#recent.delete(id)\n",
        "",
      ],
      [
        "a deleted item is decided on",
        "    if (change?.deleted) this.#recent.delete(id)\n    else this",
        "    this",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/group-decisions.ts",
    ["tests/store/postgres/group-decisions.test.ts"],
    [
      [
        "a claim that was refused has the group depend on the pause",
        "this.runs, this.claims, this.soleClaims]",
        "this.runs, this.soleClaims]",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/group-commit.ts",
    ["tests/store/postgres/group-patience.test.ts"],
    [
      [
        "a write that has waited for the group before it waits as long again",
        "Math.min(first, write.sinceMs)",
        "Math.max(first, write.sinceMs)",
      ],
    ],
  ),
  ...of(
    "src/stream/broadcaster.ts",
    ["tests/stream/leaving.test.ts"],
    [
      [
        "what was read for streams that have left is kept for the next ones",
        "if (this.#followed !== followed || this.#seats.size === 0) return true",
        "if (this.#seats.size === 0) return true",
      ],
    ],
  ),
  ...of(
    "src/stream/opening.ts",
    ["tests/stream/resuming.test.ts"],
    [
      [
        "what came while a stream that resumes was opened is sent twice",
        "const head = Math.max(newest, updates.at(-1)?.id ?? 0)",
        "const head = newest",
      ],
    ],
  ),
  ...of(
    "src/stream/one-item-viewer.ts",
    ["tests/stream/one-item-viewer.test.ts"],
    [["a stream of one item names an event ID that was lost", "      this.#last = 0\n", ""]],
  ),
  ...of(
    "src/stream/broadcaster.ts",
    ["tests/stream/queue-pause.test.ts"],
    [
      [
        "whether the queue is paused is read once more for nobody",
        "    this.#keepalives.stop()\n    this.#pauses.rest()\n",
        "    this.#keepalives.stop()\n",
      ],
    ],
  ),
  ...of(
    "src/runner/attempt.ts",
    ["tests/runner/attempt.test.ts"],
    [
      [
        "a command that was suspended for long counts as away ever after",
        "    this.#suspendedMs = undefined\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/stream/streams.ts",
    ["tests/stream/stream-metrics.test.ts"],
    [
      [
        "streams of one item are missing while there are none",
        'for (const kind of ["global", "item"] as const)',
        'for (const kind of ["global"] as const)',
      ],
    ],
  ),
  ...of(
    "src/stream/sse-ndjson-text.ts",
    ["tests/stream/sse-ndjson-text.test.ts"],
    [
      [
        "a message of a WebSocket counts as one byte",
        "size: (texts) => texts.reduce((sum, one) => sum + Buffer.byteLength(one), 0)",
        "size: (texts) => texts.length",
      ],
    ],
  ),
  ...of(
    "src/upkeep/size-limit.ts",
    ["tests/upkeep/size-limit-steps.test.ts"],
    [["the log makes a database full", "used - wal >= this.#mostPages", "used >= this.#mostPages"]],
  ),
]
