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
    "src/store/sqlite/database-file-watch.ts",
    ["tests/store/sqlite/unusable-database.test.ts"],
    [
      [
        "a write-ahead log that another program has emptied is written on",
        "this.#onDisk.isCut || this.#onDisk.isLogCut",
        "this.#onDisk.isCut",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/database-file-reader.ts",
    ["tests/store/sqlite/unusable-database.test.ts"],
    [
      [
        "a write-ahead log that was emptied once all of it was in the file ends the server",
        "if (checkpointed >= before) return false",
        "if (before <= 0) return false",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/ids-after-restore.ts",
    ["tests/store/sqlite/restored.test.ts"],
    [
      [
        "after a restore new items have the numbers of lost ones",
        "Math.max(lastItem, present?.itemId ?? 0) + jump",
        "lastItem + jump",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/check.ts",
    ["tests/store/sqlite/check.test.ts"],
    [["a deleted item whose history is being removed counts as a fault", " AND i.deleted_at IS NULL`", "`"]],
  ),
  ...of(
    "src/store/sqlite/check.ts",
    ["tests/store/sqlite/check.test.ts"],
    [
      [
        "check asks for no legal moves",
        "(before, status) NOT IN (VALUES ${legalMoves})",
        "(before, status) IN (VALUES ${legalMoves})",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/lock.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "a start that is refused leaves a file behind",
        "    if (isEmpty) rmSync(",
        "    if (isEmpty && this.#isNew === undefined) rmSync(",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/database-file-watch.ts",
    ["tests/store/sqlite/unusable-database.test.ts"],
    [
      [
        "a file that was written over in the moment of a look is taken for the one that was read",
        "known.readMs - known.seenMs >= STEP_OF_CHANGES_MS",
        "known.readMs >= known.seenMs",
      ],
      ["what has changed a file is looked for once alone", "isOther || isOpen ? undefined : {", "{"],
    ],
  ),
  ...of(
    "src/store/sqlite/lock.ts",
    ["tests/store/sqlite/lock.test.ts"],
    [
      [
        "an empty queue is begun beside a database that a killed restore had moved away",
        "!isThere && !isFilled && setAside(path) !== undefined",
        "false",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/open.ts",
    ["tests/store/sqlite/lock.test.ts"],
    [
      [
        "the group of the owner may read the database",
        "(file.mode & 0o077) !== 0",
        "(file.mode & 0o007) !== 0",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/check.ts",
    ["tests/store/sqlite/check.test.ts"],
    [["check names all faults, though there are thousands", "    .slice(0, MOST_FAULTS)\n", ""]],
  ),
  ...of(
    "src/store/sqlite/access.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "a ticket that was not used in time is kept",
        ".where(or(lte(tickets.expires_at, time), isUnused))",
        ".where(or(lte(tickets.expires_at, time), and(isUnused, lte(tickets.expires_at, time))))",
      ],
    ],
  ),
  ...of(
    "src/store/contract/deliveries.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [["the last page of deliveries names a next one", "rows.length > limit ?", "rows.length >= limit ?"]],
  ),
  ...of(
    "src/store/outages-extend-leases.ts",
    ["tests/store/outages-extend-leases.test.ts"],
    [
      [
        "an outage soon after another one counts from its own beginning",
        "sinceMs < this.#endedMs + SAME_MS",
        "sinceMs < this.#endedMs",
      ],
      [
        "an outage ends before it has begun",
        "if (this.#sinceMs === undefined || this.#sinceMs >= nowMs) return undefined",
        "if (this.#sinceMs === undefined) return undefined",
      ],
    ],
  ),
  ...of(
    "src/store/list-order.ts",
    ["tests/store/list-order.test.ts"],
    [
      [
        "a page whose first item is very long is empty",
        "rows.slice(0, Math.max(1, fitting))",
        "rows.slice(0, fitting)",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/lock.ts",
    ["tests/store/sqlite/lock.test.ts"],
    [
      [
        "a database that was deleted counts as another server's",
        "identityOf(lock) !== this.#opened.get(lock) && inodeOf(path) === this.#inode",
        "identityOf(lock) !== this.#opened.get(lock)",
      ],
      [
        "a database that was closed counts as one with losses",
        "if (memory === null || this.#leftOpen() !== memory.starts || isLog(path)) return undefined",
        "if (memory === null || isLog(path)) return undefined",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/ids-after-restore.ts",
    ["tests/store/sqlite/restored.test.ts"],
    [
      [
        "a restore where no database was jumps far ahead",
        "isReplaced && present === null ? UNKNOWN_JUMP : 0",
        "present === null ? UNKNOWN_JUMP : 0",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/database-file-reader.ts",
    ["tests/commands/identity.test.ts"],
    [
      [
        "a second rescued file replaces the first",
        "while (isThere(`${path}.${number}`)) number += 1",
        "number = 1",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/upkeep.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "an item with too many updates loses more than it must",
        "this.#removable(id, upTo, Math.min(excess, limit))",
        "this.#removable(id, upTo, limit)",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/database-mark.ts",
    ["tests/store/sqlite/database-mark.test.ts"],
    [
      [
        "a much later database counts as the remembered one",
        "return ahead >= 0 && ahead <= MOST_AHEAD",
        "return ahead >= 0",
      ],
      [
        "a copy of a database counts as the one that was moved away",
        "starts: mark.starts + MOST_AHEAD + 1 }",
        "starts: mark.starts + 1 }",
      ],
      [
        "a mark two starts ahead is not found in a cut file",
        "Array.from({ length: MOST_AHEAD + 1 }",
        "Array.from({ length: MOST_AHEAD }",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/list.ts",
    ["tests/store/list-order.test.ts"],
    [
      [
        "a list of one status ends behind an earlier section",
        "(s ?? 0) < SECTIONS[status] === (sign",
        "(s ?? 0) > SECTIONS[status] === (sign",
      ],
    ],
  ),
  ...of(
    "src/store/runs-to-compare-with.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "runs of different looks are taken for those of an unnamed kind",
        "all.length >= SURE_RUNS && all.every((run) => run.look === first?.look)",
        "all.length >= SURE_RUNS",
      ],
      [
        "one item without a kind is expected to be like the one before",
        "all.length >= SURE_RUNS && all.every",
        "all.every",
      ],
      [
        "a run without any report stands for all of its kind",
        'look === "" ? [] : await of(kind, look)',
        "await of(kind, look)",
      ],
      ["the newest of all kinds decides for one", "newest(SURE_RUNS, kind)", "newest(SURE_RUNS)"],
    ],
  ),
  ...of(
    "src/store/sqlite/database-file-watch.ts",
    ["tests/store/sqlite/lock.test.ts"],
    [
      [
        "the mark of a start that could not be written is not tried again",
        "on the previous mark.\n      this.#isMarkKept = false\n",
        "on the previous mark.\n",
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
]
