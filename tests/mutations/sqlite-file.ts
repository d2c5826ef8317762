import { type Mistake, of } from "./mistake.ts"

/** Mistakes in the end of an SQLite file, in its restore, and in what is removed from it. */
export const SQLITE_FILE: readonly Mistake[] = [
  ...of(
    "src/store/sqlite/database-file-watch.ts",
    ["tests/store/sqlite/lock.test.ts"],
    [
      [
        "a server that ends empties the log of the one that has its database now",
        "!lock.isTaken && (this.#isOverwritten()",
        "(this.#isOverwritten()",
      ],
      [
        "a server that ends writes into the database that another one has now",
        "else if (!lock.isTaken) this.#writeAll",
        "else this.#writeAll",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/restore.ts",
    ["tests/store/sqlite/restored.test.ts"],
    [
      [
        "of more than a hundred leases in a backup some stay",
        'while ((await store.sweep({ due: "lease", by: Number.MAX_SAFE_INTEGER }, handedOver)) > 0);',
        'await store.sweep({ due: "lease", by: Number.MAX_SAFE_INTEGER }, handedOver)',
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/group-commit.ts",
    ["tests/store/sqlite/group-commit.test.ts"],
    [
      [
        "a write that has failed before its commit is said to be perhaps stored",
        "let isCommitting = false",
        "let isCommitting = true",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/upkeep.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "one call removes output beyond what it may remove",
        "this.#removeOutput(id, limit - removed - ids.length)",
        "this.#removeOutput(id, limit - removed)",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/runs.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "the kind with the most runs is named first",
        ".orderBy(desc(max(runs.id)))",
        ".orderBy(desc(count()))",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/compact.ts",
    ["tests/upkeep/compaction.test.ts"],
    [
      [
        "a compaction beside a server leaves its result in the log",
        '    client.run("PRAGMA wal_checkpoint(TRUNCATE)")\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/database-file-watch.ts",
    ["tests/store/sqlite/lock.test.ts"],
    [
      [
        "the mark of a start that could not be written is not tried again",
        "      this.#isMarkLogged ??= false\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/database-file-watch.ts",
    ["tests/store/sqlite/read-while-starting.test.ts"],
    [
      [
        "the lock relies on a mark that is only in the log",
        "      if (!writeLog(client)) return\n",
        "      writeLog(client)\n",
      ],
      [
        "a stop lets the lock rely on a mark that is only in the log",
        "      if (writeLog(client, true)) lock.remember(last)\n",
        "      writeLog(client, true)\n      lock.remember(last)\n",
      ],
    ],
  ),
]
