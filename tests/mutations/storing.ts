import { type Mistake, of } from "./mistake.ts"

/** Mistakes in what is stored, in the lock file and in what stores keep in memory. */
export const STORING: readonly Mistake[] = [
  ...of(
    "src/store/postgres/group-decisions.ts",
    ["tests/store/postgres/group-decisions.test.ts"],
    [
      [
        "a lease that was renewed in the same moment is taken back",
        "ids.filter((id) => this.#isDue(id, due))",
        "ids",
      ],
      [
        "an item that was delayed in the same moment is claimed",
        "isWaiting(row.now.item.status) && !isLater",
        "isWaiting(row.now.item.status)",
      ],
      [
        "a refused decision leaves its runs",
        "[this.adds, this.keys, this.said, this.runs, this.claims, this.soleClaims]",
        "[this.adds, this.keys, this.said, this.claims, this.soleClaims]",
      ],
      [
        "an older row replaces a newer one",
        "there.before.version <= known.version",
        "there.before.version >= known.version",
      ],
      ["a quiet change shows its item", "item: quiet ? before.item : item, work", "item, work"],
    ],
  ),
  ...of(
    "src/store/sqlite/list.ts",
    ["tests/store/sqlite/plans.test.ts"],
    [
      [
        "a slice of a search is read to the end of the queue",
        'end && beside("<=", end, query.status)',
        "undefined",
      ],
      ["a page is read from the beginning of the queue", "start ? undefined : sql`", "sql`"],
    ],
  ),
  ...of(
    "src/store/postgres/list.ts",
    ["tests/store/postgres/plans.test.ts"],
    [
      [
        "a search reads the rest of the queue for each slice",
        'end && beside("<=", end, query.status)',
        "undefined",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/access.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "a used ticket ends a minute after it was given out",
        "and(isNull(tickets.used_at), lte(tickets.use_by, time))",
        "lte(tickets.use_by, time)",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/deliveries.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      ["more deliveries are taken than asked for", "      .slice(0, limit)\n", ""],
      [
        "a delivery that waits has ended",
        'finished_at: status === "pending" ? null : this.#time()',
        "finished_at: this.#time()",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/group-commit.ts",
    ["tests/store/sqlite/group-commit.test.ts"],
    [
      [
        "an outage begins when the wait for the lock ends",
        "    const triedMs = this.#observer.nowMs()\n    const begun = await this.#beginWithin(BUSY_LIMIT_MS)\n",
        "    const begun = await this.#beginWithin(BUSY_LIMIT_MS)\n    const triedMs = this.#observer.nowMs()\n",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/lock.ts",
    ["tests/store/sqlite/lock.test.ts"],
    [
      [
        "an unreadable lock file without a database is refused though a new one may begin",
        "if (sizeOf(path) === 0 && !isNewAllowed) {",
        "if (sizeOf(path) === 0) {",
      ],
      [
        "the shared memory of another file stays when a new database is allowed",
        'for (const part of ["-wal", "-shm"]) {',
        'for (const part of ["-wal"]) {',
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/open.ts",
    ["tests/store/sqlite/lock.test.ts"],
    [
      [
        "another name without a log is refused",
        "&& file.ino === ino && sizeOf(`${other}-wal`) > 0",
        "&& file.ino === ino",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/open.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "a new database was migrated",
        "const migrated = before.isNew ? 0 : before.newest",
        "const migrated = before.newest",
      ],
      ["a long log stays long", "  client.run(`PRAGMA journal_size_limit = ${WAL_BYTES}`)\n", ""],
    ],
  ),
  ...of(
    "src/store/sqlite/sqlite.ts",
    ["tests/store/sqlite/unusable-database.test.ts"],
    [
      [
        "damage is forgotten at the next failure",
        "        this.#isDamaged ||= isDamage(code)\n",
        "        this.#isDamaged = isDamage(code)\n",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/sqlite.ts",
    ["tests/store/sqlite/rest.test.ts"],
    [
      [
        "an outage that was counted is counted again after a crash",
        "      this.#signOfLife(nowMs)\n    }\n    this.#changes",
        "    }\n    this.#changes",
      ],
      ["the steady clock may start before the last sign of life", "clockOf(aliveMs ?? 0)", "clockOf(0)"],
    ],
  ),
  ...of(
    "src/store/sqlite/sqlite.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "a run is noted at the time of the report before its end",
        "this.runs.keep(run, item.updated_at)",
        "this.runs.keep(run, before.item.updated_at)",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/statements.ts",
    ["tests/store/sqlite/outage.test.ts"],
    [
      [
        "a server that starts for the second time does not know the outage before the first",
        "course ->> 'unwatchedMs' + max(",
        "course ->> 'unwatchedMs' + min(",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/statements.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      ["an outage lengthens the wait after a failure", "AND verdict IS NULL`", "`"],
      [
        "an outage moves the time that a person gave an item whose lease ran out",
        "AND lease_token NOT LIKE '${RAN_OUT}%'",
        "AND lease_token IS NOT NULL",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/upkeep.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "the newest removed event ID goes back",
        "UPDATE history SET pruned_id = max(pruned_id, ?), pruned",
        "UPDATE history SET pruned_id = ?, pruned",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/waiting-sets.ts",
    ["tests/store/sqlite/waiting-sets.test.ts"],
    [
      [
        "the search ends at the first set that has an item",
        "if (best && compare(best, set.first) < 0) break",
        "if (best) break",
      ],
      [
        "a search for work lets nothing else go on",
        "value\n      if (slice.isOver) await slice.next()\n",
        "value\n",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/open.ts",
    ["tests/store/postgres/start.test.ts"],
    [
      [
        "a start ends if PostgreSQL restarts in its middle",
        "throw isConnectionLost(error) ? error : explained(error, url)",
        "throw explained(error, url)",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/group-commit.ts",
    ["tests/store/sqlite/group-commit.test.ts"],
    [
      [
        "a database closes before the writes that follow the last ones",
        "while (this.#waiting.length > 0) await",
        "if (this.#waiting.length > 0) await",
      ],
    ],
  ),
  ...of(
    "src/store/list-order.ts",
    ["tests/store/list-order.test.ts"],
    [["items that did not fit on a page are on none", "(fit.at(-1) ?? end)", "(end ?? fit.at(-1))"]],
  ),
  ...of(
    "src/store/sqlite/runs.ts",
    ["tests/store/sqlite/contracts.test.ts"],
    [
      [
        "runs of one look are forgotten for those of another",
        "const alike = and(eq(runs.kind, kind), eq(runs.look, look))\n    const newest",
        "const alike = eq(runs.kind, kind)\n    const newest",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/connections.ts",
    ["tests/store/postgres/connections.test.ts"],
    [
      [
        "a connection that was replaced replaces the one in use",
        "if (pool !== this.#sql || this.#isClosed) return",
        "if (this.#isClosed) return",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/connections.ts",
    ["tests/store/postgres/connections.test.ts"],
    [
      [
        "a pooler behind a connection that was opened again is taken for a server",
        "    this.#isOfServer = false\n    this.#asking = undefined\n    pool",
        "    this.#asking = undefined\n    pool",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/connections.ts",
    ["tests/store/postgres/connections.test.ts"],
    [
      [
        "a write that a read-only server does not take holds up all reads",
        "isReadOnly(error) && (await this.#canBeRead())",
        "false",
      ],
      ["reads are answered by a standby", '(is) => is === "on",', '(is) => is !== "off",'],
      [
        "after an outage reads wait for a server that takes writes",
        ' || (is === "on" && this.#options.isForReads)',
        "",
      ],
      [
        "a connection that leads to a standby is kept",
        "        if (isReadOnly(error) && !canBeRead) this.#renew(this.#sql)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/connections.ts",
    ["tests/store/postgres/refused.test.ts"],
    [
      [
        "after another server took over reads go on at the one that takes no writes",
        'if (is === "off" && wasReadOnly) this.#options.onTakesWrites?.()\n        ',
        "",
      ],
    ],
  ),
]
