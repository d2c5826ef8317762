import { type Mistake, of } from "./mistake.ts"

/** Mistakes in what is stored, and how it is read back. */
export const STORE: readonly Mistake[] = [
  ...of(
    "src/store/contract/items.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "an idempotency key is forgotten after an hour",
        "const IDEMPOTENCY_MS = 24 * 60 * 60 * 1000",
        "const IDEMPOTENCY_MS = 60 * 60 * 1000",
      ],
    ],
  ),
  ...of(
    "src/store/list-order.ts",
    ["tests/store/sqlite/list.test.ts"],
    [["a search finds what only looks alike", "if (hasWords(row, words)) byId", "byId"]],
  ),
  ...of(
    "src/store/outages-extend-leases.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "an outage soon after another one is counted from its own beginning",
        "const isSame = this.#endedMs > 0 && sinceMs < this.#endedMs + SAME_MS",
        "const isSame = false",
      ],
      [
        "an outage that comes soon after another is counted twice",
        "isSame ? this.#endedMs : sinceMs",
        "sinceMs",
      ],
    ],
  ),
  ...of(
    "src/store/list-order.ts",
    ["tests/store/sqlite/list.test.ts"],
    [
      [
        "a search goes on behind what it has not looked at",
        "slice.length === most ? slice.at(-1) : end",
        "end",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/restore.ts",
    ["tests/store/sqlite/restored.test.ts"],
    [
      [
        "a restore that fails leaves its lock file behind",
        "else if (!wasLockThere) remove",
        "else if (wasLockThere) remove",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/database-file-reader.ts",
    ["tests/store/sqlite/unusable-database.test.ts"],
    [
      [
        "what is in the file already is taken for what comes from the log",
        "this.#pages(checkpointed + 1, log)",
        "this.#pages(1, log)",
      ],
      [
        "a database that was rewritten is taken for another one until that is in its file",
        "      if (this.#log.has({ from: now, to: now })) return true\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/backup.ts",
    ["tests/commands/backup.test.ts"],
    [
      ["the journal of a killed backup stays", ".unfinished(?:-journal)?$/", ".unfinished$/"],
      [
        "a backup that another one still writes is removed",
        "LEFT_BEHIND_MS = 3_600_000",
        "LEFT_BEHIND_MS = 3600",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/group-commit.ts",
    ["tests/store/sqlite/group-commit.test.ts"],
    [
      [
        "a write that waits for the lock is not refused with the others",
        "    for (;;) {\n      if (this.#refusal) return { ok: false, error: this.#refusal }\n",
        "    if (this.#refusal) return { ok: false, error: this.#refusal }\n    for (;;) {\n",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/figures.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "a moved item does not count as the first of its priority",
        "ORDER BY place, id LIMIT 1)) AS at",
        "ORDER BY id LIMIT 1)) AS at",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/lock.ts",
    ["tests/store/sqlite/lock.test.ts"],
    [
      [
        "a start after an older version says that something is lost",
        "this.#leftOpen() !== memory.starts",
        "this.#leftOpen() === undefined",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/kept-by-restore.ts",
    ["tests/store/sqlite/restored.test.ts"],
    [
      [
        "a restore takes deliveries that were made for failed ones",
        "WHERE status = 'pending' AND update_id > ?",
        "WHERE update_id > ?",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/restore.ts",
    ["tests/store/sqlite/lock.test.ts"],
    [
      [
        "what a killed restore has left keeps every later one from its work",
        "if (existsSync(target) || !existsSync(copy)) return",
        "if (!existsSync(copy)) return",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/group-commit.ts",
    ["tests/store/sqlite/group-commit.test.ts"],
    [
      [
        "writes that wait for another program's lock are left behind by a close",
        "    const begun = await this.#beginWithin(BUSY_LIMIT_MS)\n    const writes = this.#waiting\n    this.#waiting = []\n",
        "    const writes = this.#waiting\n    this.#waiting = []\n    const begun = await this.#beginWithin(BUSY_LIMIT_MS)\n",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/due-items.ts",
    ["tests/store/sqlite/waiting-sets.test.ts"],
    [
      [
        "once a release could not be stored, no later one is tried",
        ".finally(() => (this.#batch = undefined))",
        ".then(() => (this.#batch = undefined))",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/group-decisions.ts",
    ["tests/store/postgres/group-decisions.test.ts"],
    [
      [
        "a second change in one group makes a delayed item claimable",
        "isMoved ? steadyOf(item.available_at, moment) : row.availableMs",
        "isMoved ? steadyOf(item.available_at, moment) : null",
      ],
      [
        "a claim whose item another server has taken finds none",
        "this.#isOpen = ids.some((id) => this.rows.get(id)?.change === undefined)",
        "this.#isOpen = false",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/faults.ts",
    ["tests/store/postgres/faults.test.ts"],
    [["a write that breaks a constraint fails its whole group", "/^2[23]|^54/", "/^22|^54/"]],
  ),
  ...of(
    "src/queue/waiting-claims.ts",
    ["tests/queue/bell.test.ts"],
    [
      [
        "an answered claim takes the bell from a later one with its tags",
        "group.rings.size === 0 && this.#groups.get(key) === group)",
        "group.rings.size === 0)",
      ],
    ],
  ),
  ...of(
    "src/queue/workers.ts",
    ["tests/queue/rescue-and-stall.test.ts"],
    [
      [
        "a drain stops a later start of its worker, too",
        "this.presence.took(change.item.id, tags, instance, tokenOf(change.work))",
        "this.presence.took(change.item.id, tags, undefined, tokenOf(change.work))",
      ],
    ],
  ),
]
