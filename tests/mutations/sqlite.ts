import { type Mistake, of } from "./mistake.ts"

/** Mistakes in what is stored in the SQLite file. */
export const SQLITE: readonly Mistake[] = [
  ...of(
    "src/store/sqlite/access.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "a lease that was ended with its token goes on in memory",
        "for (const item of ended) this.#onItem(item.id)",
        "",
      ],
      [
        "a token that was revoked long ago is revoked again",
        ".where(and(eq(tokens.id, id), isNull(tokens.revoked_at)))",
        ".where(eq(tokens.id, id))",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/backup.ts",
    ["tests/store/sqlite/restored.test.ts"],
    [["everybody may read a backup while it is written", '    closeSync(openSync(to, "wx", 0o600))\n', ""]],
  ),
  ...of(
    "src/store/sqlite/claim-by-tags.ts",
    ["tests/store/sqlite/claim-by-tags.test.ts"],
    [
      [
        "of two items that fit the later one is taken",
        "compare(found, best) < 0",
        "compare(found, best) > 0",
      ],
      ["each of thousands of sets of tags is looked at", "steps % STEPS_A_LOOK === 0", "steps < 0"],
      [
        "the beginning of the queue is looked at again and again",
        "last = page.at(-1) ?? last",
        "last = BEGINNING",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/deliveries.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "the attempts of a delivery are not counted",
        "attempts: sql`${deliveries.attempts} + 1`",
        "attempts: sql`${deliveries.attempts}`",
      ],
      ["a new webhook is told the whole past", "cursor: sql.raw(HEAD) })", "cursor: 0 })"],
      [
        "a webhook that is configured again is called for what happened meanwhile",
        "      db.delete(webhooks)\n        .where(notInArray(webhooks.url, [...urls]))\n        .run()\n",
        "",
      ],
      [
        "deliveries that are under way keep the others from being taken",
        ".limit(limit + this.#taken.size)",
        ".limit(limit)",
      ],
      [
        "a page of deliveries begins with the last one of the page before",
        "lt(deliveries.id, before)",
        "lte(deliveries.id, before)",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/deliveries.ts",
    ["tests/webhooks/store-faults.test.ts"],
    [
      [
        "a delivery that was settled is taken until the time is over",
        "    )\n    this.#taken.delete(id)\n  }\n\n  async standing",
        "    )\n  }\n\n  async standing",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/database-file-watch.ts",
    ["tests/store/sqlite/unusable-database.test.ts"],
    [
      [
        "a file that another program is about to make longer counts as cut",
        "return wasCut && this.#wasCut",
        "return this.#wasCut",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/group-commit.ts",
    ["tests/store/sqlite/group-commit.test.ts"],
    [
      [
        "what a refused write has written stays",
        "this.#undo.run()\n      this.#release.run()",
        "this.#release.run()",
      ],
      ["a full disk looks like an error of ours", "isFault(error) ? unavailable(error) : error }", "error }"],
      [
        "a server that stops waits for the write lock of another program",
        "!busy || this.#isDraining || performance.now()",
        "!busy || performance.now()",
      ],
      [
        "a commit that fails leaves the transaction open",
        '      if (this.#client.inTransaction) this.#client.run("ROLLBACK")\n',
        "",
      ],
      [
        "one write that meets a fault of the disk is not noted while others succeed",
        "      if (fault && !fault.ok) this.#observer.failed(nowMs, nameOfFault(fault.error))\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/history.ts",
    ["tests/store/sqlite/restored.test.ts"],
    [
      [
        "after a restore the event IDs of both histories are counted",
        "Math.max(row?.id ?? 0, row?.resumed ?? 0)",
        "(row?.id ?? 0)",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/history.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "the update before an update is that update",
        'lt(updates.id, sql.placeholder("id"))',
        'sql`${updates.id} <= ${sql.placeholder("id")}`',
      ],
      [
        "what was removed of other items makes the stream of an item begin again",
        "(own?.id ?? id) + 1",
        "Math.max(own?.id ?? 0, id) + 1",
      ],
      [
        "after a retention what is missed is counted as if all were kept",
        "if (after >= Math.max(row?.id ?? 0, row?.resumed ?? 0)) return upTo - after",
        "if (after >= (row?.resumed ?? 0)) return upTo - after",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/database-mark.ts",
    ["tests/commands/identity.test.ts"],
    [
      [
        "an older copy of the database is taken for it",
        "return ahead >= 0 && ahead <= MOST_AHEAD",
        "return ahead <= MOST_AHEAD",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/outputs.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "half of what is to be kept of an output is kept",
        "to: end - keepBytes }",
        "to: end - keepBytes / 2 }",
      ],
      ["of a long output only the first page is read", "more: rows.length > limit }", "more: false }"],
      [
        "a page that is just full says that more follow",
        "more: rows.length > limit }",
        "more: rows.length >= limit }",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/kept-by-restore.ts",
    ["tests/store/sqlite/restored.test.ts"],
    [["tickets of before a restore are good still", '  client.run("DELETE FROM tickets")\n', ""]],
  ),
  ...of(
    "src/store/sqlite/runs.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "a run that is remembered pushes out those of all other kinds",
        "and(alike, notInArray(runs.id, newest))",
        "notInArray(runs.id, newest)",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/sqlite.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "leases that an outage made longer are remembered as they were",
        "this.#leases.wait.run(tookMs)\n      this.#recent.clear()",
        "this.#leases.wait.run(tookMs)",
      ],
      [
        "a deleted item is remembered",
        "    if (deleted) this.#recent.delete(item.id)\n    else this.#recent.set",
        "    this.#recent.set",
      ],
      [
        "a claim that does not wait misses an item whose time has come",
        "    await this.#dueItems.release()\n    const taken",
        "    const taken",
      ],
      [
        "an outage shortens the wait for workers after a restore",
        "      this.#leases.wait.run(tookMs)\n",
        "",
      ],
      [
        "a retried item still has the output from before",
        "    if (item.attempt > before.item.attempt) this.outputs.forgetFrom(item.id, item.attempt)\n",
        "",
      ],
      [
        "a queue that is paused again is paused since just now",
        "this.#pausedAt() ?? momentOf(this.clock).time",
        "momentOf(this.clock).time",
      ],
      [
        "after a failed commit an item that was swept is remembered as it never was",
        "        taken.push(row.id)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/sqlite.ts",
    ["tests/store/sqlite/group-commit.test.ts"],
    [["the status of a refused write is counted", "this.#statuses.length = length", ""]],
  ),
  ...of(
    "src/store/sqlite/sqlite.ts",
    ["tests/queue/order.test.ts"],
    [
      [
        "a moved item looks for its neighbour among other priorities",
        "this.#reads.ahead.get(-item.priority,",
        "this.#reads.ahead.get(item.priority,",
      ],
      [
        "moving an item to where it is changes it",
        "item.turn ?? item.id, id)?.place",
        "item.turn ?? item.id, 0)?.place",
      ],
      [
        "an item stands for its old place after a move of it before another one",
        "const ahead = this.#reads.ahead.get(-item.priority, item.turn ?? item.id, id)?.place ?? null",
        "const ahead = this.#reads.ahead.get(-item.priority, item.turn ?? item.id, before)?.place ?? null",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/sqlite.ts",
    ["tests/store/sqlite/unusable-database.test.ts"],
    [["after a commit that succeeded the fault of the disk stays", '        this.#failure = ""\n', ""]],
  ),
  ...of(
    "src/store/sqlite/sqlite.ts",
    ["tests/http/routes/store-and-read-output.test.ts"],
    [
      [
        "output of an attempt that is retried under the same number is mixed with the new one",
        "if (item.attempt > before.item.attempt) this.outputs",
        "if (item.attempt > before.item.attempt + 1) this.outputs",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/claim-order.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "an item that nobody leased keeps those of its song from workers",
        "WHERE section = 0 AND lease_expires_at IS NOT NULL)",
        "WHERE section = 0)",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/upkeep.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "retention removes the last update of an item",
        "id > upTo || id === row.last || ids",
        "id > upTo || ids",
      ],
      [
        "retention removes what a webhook has not examined",
        "Math.min(thinning.upTo, this.#examinedByAll())",
        "thinning.upTo",
      ],
      [
        "the updates of the newest completed items are removed",
        "AND id NOT IN (${NEWEST_COMPLETED}) ORDER",
        "AND (SELECT count(*) FROM (${NEWEST_COMPLETED})) >= 0 ORDER",
      ],
      [
        "a deleted item goes before every webhook has seen it",
        "Math.min(upTo, this.#examinedByAll())",
        "upTo",
      ],
      [
        "the hours of service are not counted on",
        "coalesce(max(hour) + 1, 0)",
        "coalesce(max(hour), -1) + count(*) % 2",
      ],
      [
        "what was changed lately is thinned with what was not",
        "thin_at BETWEEN ? AND ? AND last_update_id <= ?",
        "thin_at BETWEEN ? AND ? AND ? > 0",
      ],
      [
        "the stream of an item does not say which of its updates are gone",
        '    this.#client.query("UPDATE queue_items SET pruned_id = max(pruned_id, ?) WHERE id = ?").run(highest, item)\n',
        "    void item\n",
      ],
      [
        "an item is done with though webhooks have not examined its end",
        'SET thinned_id = last_update_id WHERE id = ? AND last_update_id <= ?")\n      .run(id, upTo)',
        'SET thinned_id = last_update_id WHERE id = ?")\n      .run(id)',
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/group-commit.ts",
    ["tests/store/sqlite/group-commit.test.ts"],
    [
      [
        "an error that ends a transaction is told as another one",
        "      if (!this.#client.inTransaction) throw error\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/columns.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "what only the lease or the steps change is not written",
        "  otherItemKeys.every((key) => item[key] === before.item[key]) &&\n  otherWorkKeys.every((key) => work[key] === before.work[key])",
        "  otherItemKeys.every((key) => item[key] === before.item[key])",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/list.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "a list of one status goes on with nothing after an item of another",
        '(s ?? 0) < SECTIONS[status] === (sign === ">") ? sql`true` : sql`false`',
        "sql`false`",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/deliveries.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "deliveries to a webhook that is followed no more are kept for ever",
        "next_attempt_at: null, finished_at: this.#time() })",
        "next_attempt_at: null })",
      ],
    ],
  ),
]
