import { type Mistake, of } from "./mistake.ts"

const TESTS = "tests/store/postgres"

/** Mistakes in the store on PostgreSQL. */
export const POSTGRES: readonly Mistake[] = [
  ...of(
    "src/store/postgres/append-statement.ts",
    [`${TESTS}/way.test.ts`],
    [
      [
        "a write of an earlier epoch is stored when it arrives late",
        "id = $1 AND epoch = $3 AND",
        "id = $1 AND $3::int8 > 0 AND",
      ],
      [
        "the note of a group lacks the items that it added",
        "$2, ARRAY(SELECT id FROM held UNION ALL SELECT id FROM added) FROM me",
        "$2, ARRAY(SELECT id FROM held) FROM me",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/append-statement.ts",
    [`${TESTS}/rollback.test.ts`],
    [
      ["a database that knows less than was seen is written", "$4::int8 <= ${HEAD}", "$4::int8 >= 0"],
      [
        "what was decided before the database went back is written",
        "resumed_id = $22::int8 AND database_timeline() IN (timeline, 0)",
        "$22::int8 >= 0 AND database_timeline() IN (timeline, 0)",
      ],
      [
        "an instance that knows nothing goes on after a standby has taken over",
        "resumed_id = $22::int8 AND database_timeline() IN (timeline, 0)",
        "resumed_id = $22::int8",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/append-statement.ts",
    [`${TESTS}/together.test.ts`],
    [
      [
        "a change is written over that of another instance",
        "ON q.id = c.id AND q.version = c.version",
        "ON q.id = c.id",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/append-statement.ts",
    [`${TESTS}/once.test.ts`],
    [
      [
        "an item is added although its key is another instance's",
        "own.key IS NULL OR own.key IN (SELECT key FROM keys)",
        "true",
      ],
      [
        "an idempotency key that has not expired is taken over",
        "WHERE idempotency_keys.created_at <= $7::int8",
        "WHERE $7::int8 > 0",
      ],
      [
        "two instances give workers two items of one song",
        "c.id <> ALL($21::int8[]) OR",
        "c.id <> ALL($21::int8[]) OR true OR",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/double-write-fence.ts",
    [`${TESTS}/way.test.ts`],
    [
      [
        "whether a group was stored is not looked up",
        "return group && idsIn(group.kept)",
        "return undefined",
      ],
      [
        "after a lost answer the instance does not enter again",
        "if (isConnectionLost(error)) this.#epoch = undefined",
        "void isConnectionLost",
      ],
      [
        "what may have been stored is called unchanged",
        "throw isOpen ? unknownOutcome(error) : withoutChange(error)",
        "throw withoutChange(error)",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/double-write-fence.ts",
    [`${TESTS}/once.test.ts`],
    [
      [
        "notes of groups are kept for ever",
        "this.#group - this.#forgotten < KEPT_GROUPS",
        "this.#forgotten < KEPT_GROUPS",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/double-write-fence.ts",
    [`${TESTS}/rollback.test.ts`],
    [
      [
        "an instance that enters does not learn that the database has gone back",
        "if (row) this.#backCheck.begin(row)",
        "void row",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/group-commit.ts",
    [`${TESTS}/together.test.ts`],
    [
      [
        "a refusal counts that was decided on a remembered row",
        "(row.change ? kept.has(id) : row.isFresh)",
        "(row.change ? kept.has(id) : true)",
      ],
      [
        "a change that was not stored is acknowledged",
        "(row.change ? kept.has(id) : row.isFresh)",
        "(row.change ? true : row.isFresh)",
      ],
      ["an outage makes leases no longer", "outage?.sinceMs ?? null", "outage === undefined ? null : nowMs"],
    ],
  ),
  ...of(
    "src/store/postgres/group-commit.ts",
    [`${TESTS}/together.test.ts`],
    [
      [
        "one write that a constraint refuses makes its whole group fail",
        "if (isOfOneWrite(error) && writes.length > 1)",
        "if (isOfOneWrite(error) && writes.length > 1e9)",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/faults.ts",
    [`${TESTS}/together.test.ts`],
    [
      [
        "one write with a value that no column holds makes its whole group fail",
        "const OF_ONE_WRITE = /^2[23]|^54/",
        "const OF_ONE_WRITE = /^23|^54/",
      ],
      [
        "one write with a value that no index holds makes its whole group fail",
        "const OF_ONE_WRITE = /^2[23]|^54/",
        "const OF_ONE_WRITE = /^2[23]/",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/columns.ts",
    [`${TESTS}/contracts.test.ts`],
    [
      [
        "an item with many long tags cannot be added",
        "Buffer.byteLength(tag) <= TAG_BYTES ? tag",
        "Buffer.byteLength(tag) > 0 ? tag",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/sign-of-life.ts",
    [`${TESTS}/together.test.ts`],
    [
      [
        "each instance that saw an outage makes leases longer by it",
        "greatest($2::int8, coalesce(alive_at, 0))",
        "$2::int8",
      ],
      [
        "a lease runs on for as long as the server's clock went back",
        "q.lease_ms > 0 AND q.lease_expires_at > $1::int8 + q.lease_ms",
        "q.lease_ms > 0 AND q.lease_expires_at > $1::int8 + 9e15 + q.lease_ms",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/database-clock.ts",
    [`${TESTS}/database-clock.test.ts`],
    [
      [
        "measuring sets the clock back",
        "Math.max(this.#lastMs, Math.round(performance.now() + this.#offsetMs))",
        "Math.round(performance.now() + this.#offsetMs)",
      ],
      ["a server's clock that has jumped back is not followed", "this.#lastMs = 0\n", "void this.#lastMs\n"],
      [
        "a jump of the server's clock is no doubt",
        "this.#onJump(Math.floor(sinceMs), isBack)",
        "void isBack",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/connections.ts",
    [`${TESTS}/way.test.ts`],
    [
      ["a frozen network is waited for", "new Deadline(LIMIT_MS)", "new Deadline(1e6)"],
      [
        "after a frozen network no other connections are made",
        "        answer.catch(() => undefined)\n        this.#renew(pool)",
        "        answer.catch(() => undefined)",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/connections.ts",
    [`${TESTS}/connections.test.ts`],
    [
      [
        "each call that waits probes by itself",
        "this.#probing ??= this.#probe()",
        "this.#probing = this.#probe()",
      ],
      [
        "a connection to a standby is kept while another server takes writes",
        'if (is === "off" || (',
        "if ((",
      ],
      [
        "what the server has undone fails at once",
        "if (!isConnectionLost(error) && !isUndone(error))",
        "if (!isConnectionLost(error) || !isUndone(error))",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/connections.ts",
    [`${TESTS}/connections.test.ts`],
    [
      [
        "a database that was away is no outage",
        "if (isConnectionLost(error)) this.#options.onDoubt(performance.now() - askedMs, false)",
        "void isConnectionLost",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/open.ts",
    [`${TESTS}/together.test.ts`],
    [
      [
        "instances that start at once migrate at once",
        '"SELECT pg_advisory_lock($1)"',
        '"SELECT pg_advisory_lock_shared($1)"',
      ],
    ],
  ),
  ...of(
    "src/store/postgres/connections.ts",
    [`${TESTS}/refused.test.ts`],
    [
      [
        "a pooler that swallows settings is taken for a server",
        'if (row?.is === "pooler") throw',
        'if (row?.is === "") throw',
      ],
    ],
  ),
  ...of(
    "src/store/postgres/pool-settings.ts",
    [`${TESTS}/refused.test.ts`],
    [["who answers on a connection that replaces a lost one is not asked", "opened > max", "opened < 0"]],
  ),
  ...of(
    "src/store/postgres/open.ts",
    [`${TESTS}/refused.test.ts`],
    [
      ["too few connections are not noticed", "free + 1 >= CONNECTIONS", "free + 1 >= 0"],
      [
        "a pooler that refuses settings is not called one",
        "if (cause.state === UNKNOWN_PARAMETER) return pooler(url)",
        "void pooler",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/open.ts",
    [`${TESTS}/start.test.ts`],
    [
      [
        "a database that cannot hold every text is served",
        'if (encoding !== "UTF8")',
        'if (encoding === "")',
      ],
      [
        "a start on a standby is not waited for",
        'if (server?.read_only === "off") return server',
        "if (server) return server",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/pool-settings.ts",
    [`${TESTS}/start.test.ts`],
    [
      [
        "an acknowledged write may be lost in a crash",
        'synchronous_commit: "on"',
        'synchronous_commit: "off"',
      ],
      ["the schema is that of the user", 'search_path: "public"', 'search_path: "elsewhere, public"'],
      ["numbers are read with fewer digits", 'extra_float_digits: "1"', 'extra_float_digits: "-3"'],
      ["migrations and moves have the user's time limit", 'statement_timeout: "0"', 'geqo: "on"'],
      ["kept connections are ended by the server", 'idle_session_timeout: "0"', 'geqo: "on"'],
    ],
  ),
  ...of(
    "src/store/postgres/faults.ts",
    [`${TESTS}/refused.test.ts`],
    [
      ["a server that takes no writes is an error", '"08006", READ_ONLY, "53300"', '"08006", "53300"'],
      [
        "an error says what the server says of it",
        'super(`PostgreSQL did not do what was asked (${why.filter((part) => part !== "").join(", ")})`)',
        "super(`${why.join()} ${Bun.inspect(error)}`)",
      ],
      ["a pooler is an error", "...AWAY, ...SHUT, ...POOLED,", "...AWAY, ...SHUT,"],
      ["a server that lets nobody in is an error", "code === LATE || isEnding ||", "code === LATE ||"],
      ["a server without room is an error", "const UNABLE = /^53(?!300)|", "const UNABLE = /"],
      ["a server without a connection is not waited for", "/^53(?!300)|", "/^53|"],
      ["a database without tables is an error", "42(501|P01)/", "42(501)/"],
    ],
  ),
  ...of(
    "src/store/postgres/deliveries.ts",
    [`${TESTS}/contracts.test.ts`],
    [
      [
        "two servers send one delivery",
        "AND (taken_until IS NULL OR taken_until <= $2)",
        "AND (taken_until IS NULL OR taken_until > 0)",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/move-database.ts",
    [`${TESTS}/move-database.test.ts`],
    [
      [
        "event IDs begin again after a move",
        "UPDATE history SET floor = $1",
        "UPDATE history SET floor = 0 * $1",
      ],
      ["item numbers begin again after a move", "[Math.max(1, last), last > 0]", "[1, last < 0]"],
      [
        "a move begins while a server runs",
        "if ((row?.n ?? 0) === 0) return",
        "if ((row?.n ?? 0) >= 0) return",
      ],
      ["a move fills a database that is in use", "if (used?.is)", "if (used?.is && false)"],
      [
        "a move to a file that was interrupted leaves a file",
        "const copy = `${target}.moving`",
        "const copy = target",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/postgres.ts",
    [`${TESTS}/once.test.ts`],
    [
      [
        "writes wait for slow reads",
        "new DoubleWriteFence(writing, backCheck, measured)",
        "new DoubleWriteFence(reading, backCheck, measured)",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/deliveries.ts",
    ["tests/store/postgres/contracts.test.ts"],
    [
      [
        "a webhook that is new makes the others miss what they have not examined",
        "SELECT min(cursor)::float8",
        "SELECT max(cursor)::float8",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/connections.ts",
    ["tests/store/postgres/connections.test.ts"],
    [["a server that stops waits for its database", "this.#isDraining || performance", "performance"]],
  ),
  ...of(
    "src/store/postgres/claim-order.ts",
    [`${TESTS}/plans.test.ts`],
    [["a claim reads every set of tags that waiting items need", " AND q.needs >= next.least", ""]],
  ),
]
