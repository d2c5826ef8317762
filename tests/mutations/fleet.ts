import { type Mistake, of } from "./mistake.ts"

const TESTS = "tests/store/postgres"

/** Mistakes by which the servers of a fleet would disturb each other; see `tests/fleet/promises.ts`. */
export const FLEET: readonly Mistake[] = [
  ...of(
    "src/store/postgres/access.ts",
    ["tests/store/postgres/rollback.test.ts"],
    [
      ["as many tokens are the same tokens", "sum(id * (1", "sum(1 * (1"],
      [
        "as many revoked tokens are the same ones",
        "1 + coalesce(revoked_at, 0)",
        "1 + coalesce(revoked_at * 0 + 1, 0)",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/rolled-back-database.ts",
    ["tests/store/postgres/rollback.test.ts"],
    [
      [
        "a server that was cut off knows nothing of its own loss",
        "newest > after && newest <= upTo)",
        "newest > after && newest < 0)",
      ],
      ["lost event IDs are given again", "const JUMP = 1_000_000", "const JUMP = 0"],
      ["what is remembered outlives the era in which it was read", "this.#onBack({", "void ({"],
      ["a head that has gone back is not noticed", "if (head < this.#newest)", "if (head < 0)"],
      [
        "a standby that has taken over is taken for the former server",
        "WHERE t.is_other OR t.head",
        "WHERE t.head",
      ],
      [
        "a server that does not say on which timeline it is counts as another one",
        "coalesce(nullif(database_timeline(), 0), h.timeline)",
        "database_timeline()",
      ],
      [
        "an instance counts only what another one has missed as lost",
        "Math.max(range.upTo - JUMP, newest <= range.upTo ? newest : 0)",
        "range.upTo - JUMP",
      ],
      ["a token gets a number that was given already", "if (found.length > 0) await", "if (!found) await"],
      ["what an earlier takeover has lost is forgotten", "lost = ${LOST} || ARRAY[", "lost = ARRAY["],
    ],
  ),
  ...of(
    "src/store/postgres/postgres-migrations/0001_moves.sql",
    [`${TESTS}/together.test.ts`],
    [
      [
        "servers give event IDs without waiting for the append lock",
        "  PERFORM pg_advisory_xact_lock(1, 'updates'::regclass::oid::int);\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/append-statement.ts",
    [`${TESTS}/together.test.ts`],
    [
      [
        "what another server's change keeps from being stored uses event IDs up",
        "row_number() OVER (ORDER BY u.place) AS n",
        "u.place AS n",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/append-statement.ts",
    [`${TESTS}/once.test.ts`],
    [
      [
        "an idempotency key that has expired stays taken",
        "created_at <= $7::int8",
        "created_at < 0 * $7::int8",
      ],
      [
        "several servers claim and rescue one item",
        "ON q.id = c.id AND q.version = c.version",
        "ON q.id = c.id",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/open.ts",
    [`${TESTS}/refused.test.ts`],
    [
      [
        "reads take the last connections, and none is left for writes",
        "  try {\n    const free = await checkServer",
        "  await Promise.allSettled([1, 2, 3, 4].map(() => reading.ask('SELECT pg_sleep(0.2)')))\n  try {\n    const free = await checkServer",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/group-commit.ts",
    [`${TESTS}/outage.test.ts`],
    [
      [
        "a database that was away takes items from their workers",
        "outage?.sinceMs ?? null",
        "outage === undefined ? null : nowMs",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/schema.ts",
    [`${TESTS}/schema.test.ts`],
    [
      [
        "a column of PostgreSQL may be empty that is never empty in SQLite",
        "    title: text().notNull(),",
        "    title: text(),",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/postgres-migrations/0000_queue.sql",
    [`${TESTS}/schema.test.ts`],
    [
      [
        "each report changes an index",
        'CREATE INDEX "queue_items_deleted" ON',
        'CREATE INDEX ON "queue_items" ("last_update_id");--> statement-breakpoint\nCREATE INDEX "queue_items_deleted" ON',
      ],
    ],
  ),
  ...of(
    "src/stream/broadcaster.ts",
    ["tests/stream/broadcaster.test.ts"],
    [
      [
        "a head that cannot be read counts as 0, and the whole history is read",
        "      this.#onError(error)\n      throw",
        "      this.#onError(error)\n      this.#isFollowing = true\n      throw",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/open.ts",
    [`${TESTS}/later.test.ts`],
    [
      [
        "a server refuses the database of a later version",
        "  if (found >= newest)",
        '  if (found > newest) throw new AppError("unavailable", "it is newer")\n  if (found >= newest)',
      ],
    ],
  ),
  ...of(
    "src/store/postgres/open.ts",
    ["tests/serve/refused-start.test.ts"],
    [["an empty database is prepared before a start is refused", "  if (found === 0) onEmpty()\n", ""]],
  ),
  ...of(
    "src/store/postgres/group-commit.ts",
    [`${TESTS}/outage.test.ts`],
    [["what other servers have counted as outages stays unknown", "    outages.learn(counted)\n", ""]],
  ),
  ...of(
    "src/store/postgres/group-commit.ts",
    [`${TESTS}/rolled-back-database.test.ts`],
    [
      [
        "what was read before the database went back is stored after it",
        "parametersOf(decisions, { era,",
        "parametersOf(decisions, { era: backCheck.era,",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/sign-of-life.ts",
    [`${TESTS}/outage.test.ts`],
    [["while one server is cut off, the others learn nothing", "took > ${SLOW_MS} ON", "took > 0 ON"]],
  ),
  ...of(
    "src/store/postgres/group-commit.ts",
    [`${TESTS}/group-patience.test.ts`],
    [
      [
        "each group of those that have no time left is tried once more",
        "of [...writes, ...this.#waiting])",
        "of writes)",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/group-commit.ts",
    [`${TESTS}/large-bursts.test.ts`],
    [["a group has all writes that wait", "const MOST_WRITES = 200", "const MOST_WRITES = 20_000"]],
  ),
  ...of(
    "src/item/lease.ts",
    ["tests/queue/claim-left.test.ts"],
    [
      [
        "a repeated claim leaves its lease as it is if it comes in the same millisecond",
        "(stored.work.lease_expires_at ?? 0) + 1",
        "stored.work.lease_expires_at ?? 0",
      ],
    ],
  ),
  ...of(
    "src/stream/stream-request.ts",
    ["tests/fleet/chaos.test.ts"],
    [
      [
        "a viewer that comes to another server misses an update",
        ".test(given) ? Number(given) : undefined",
        ".test(given) ? Number(given) + 1 : undefined",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/connections.ts",
    [`${TESTS}/connections.test.ts`],
    [
      [
        "after a pause of this process nobody asks whether a write was stored",
        "const hasStood = this.#stoodUntilMs > sinceMs",
        "const hasStood = false",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/deadline.ts",
    [`${TESTS}/deadline.test.ts`],
    [
      [
        "an answer that came while this process stood still is not read",
        "if (this.#hasJustStood()) this.#begin()",
        "if (false) this.#begin()",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/connections.ts",
    [`${TESTS}/way.test.ts`],
    [
      [
        "a commit on a connection on which no transaction began counts as one",
        "pool`COMMIT AND CHAIN`, pool`ROLLBACK`",
        "pool`COMMIT`",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/group-commit.ts",
    [`${TESTS}/way.test.ts`],
    [
      [
        "an instance that is far from the database never stores what others change often",
        "const LOST_ROUNDS = 3",
        "const LOST_ROUNDS = 1e9",
      ],
      [
        "a write that has waited for another one waits as long again",
        "sinceMs + PATIENCE_MS)",
        "performance.now() + PATIENCE_MS)",
      ],
      [
        "a write that came later is refused together with the first one of its group",
        "sinceMs + PATIENCE_MS > ofNowMs",
        "sinceMs > ofNowMs",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/append-statement.ts",
    [`${TESTS}/way.test.ts`],
    [
      [
        "a claim is stored after the queue was paused",
        "(c.id <> ALL($23::int8[]) OR EXISTS (SELECT FROM running))",
        "$23::int8[] IS NOT NULL",
      ],
      [
        "a pause is answered although a claim before it is stored after it",
        "WHERE paused_at IS NULL FOR KEY SHARE",
        "WHERE paused_at IS NULL",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/postgres.ts",
    [`${TESTS}/serving.test.ts`],
    [["a server goes on with the history of another one", "row.history !== this.historyId", "false"]],
  ),
  ...of(
    "src/serve/wait-for-database.ts",
    ["tests/serve/wait-for-database.test.ts"],
    [
      ["a start never gives up", "performance.now() >= untilMs", "false"],
      ["a start waits although nothing will change", "!isAway()", "false"],
      ["a start does not stop when it is asked to", "if (isStopping)", "if (false)"],
    ],
  ),
  ...of(
    "src/access/redis-rate-limit.ts",
    ["tests/access/fleet-rate-limit.test.ts"],
    [
      [
        "a client that was quiet may send more than its burst to a fleet",
        "units = math.min(burst, units + math.max(0, now - at) * perSecond / 1000)",
        "units = units + math.max(0, now - at) * perSecond / 1000",
      ],
    ],
  ),
  ...of(
    "src/serve/composition-root.ts",
    ["tests/fleet/servers.test.ts"],
    [
      [
        "streams of one item are not counted over a fleet",
        "streams: global + item, crew",
        "streams: global, crew",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/instances.ts",
    ["tests/store/postgres/once.test.ts"],
    [
      [
        "the webhooks of a server are forgotten a minute after it has gone",
        "nowMs - KEPT_MS, ...rest",
        "nowMs - KNOWN_MS, ...rest",
      ],
      ["a server that stood still for minutes calls its webhooks no more", "[...this.#webhooks()]", "[]"],
    ],
  ),
  ...of(
    "src/store/postgres/deliveries.ts",
    ["tests/store/postgres/once.test.ts"],
    [
      [
        "the webhooks of a server that has gone stay for ever",
        "i.seen_at > $4::int8",
        "i.seen_at > $4::int8 - $2::int8",
      ],
      [
        "a delivery that is given back is taken from the server that has taken it since",
        "taken_until = NULL WHERE id = $1 AND taken_until = $2",
        "taken_until = NULL WHERE id = $1 AND $2::int8 > 0",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/deliveries.ts",
    ["tests/store/postgres/way.test.ts"],
    [
      [
        "a delivery that was taken with a lost answer waits for half a minute",
        "before.length > 0",
        "before.length > 9",
      ],
      [
        "an attempt whose result was stored with a lost answer is counted twice",
        "nextAttemptAt === null ? undefined : ne(deliveries.next_attempt_at, nextAttemptAt)",
        "undefined",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/access.ts",
    ["tests/store/postgres/rollback.test.ts"],
    [
      [
        "it does not matter which token has ended",
        "sum(id * (1 + coalesce(revoked_at, 0)::numeric))",
        "sum(id + coalesce(revoked_at, 0)::numeric)",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/outputs.ts",
    ["tests/store/postgres/contracts.test.ts"],
    [
      [
        "the output of earlier attempts goes with the beginning of the present one",
        "o.attempt = $3::int8 AND o.until <= $7::int8",
        "o.until <= $7::int8",
      ],
    ],
  ),
]
