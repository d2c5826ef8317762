import { type Mistake, of } from "./mistake.ts"

/** The mistakes of `blind-second-work.ts` in all that is around the work on items. */
export const BLIND_SECOND_REST: readonly Mistake[] = [
  ...of(
    "src/store/sqlite/sqlite.ts",
    ["tests/queue/order.test.ts"],
    [
      [
        "moving an item to where it is changes it",
        "item.turn ?? item.id, id)?.place",
        "item.turn ?? item.id, 0)?.place",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/sqlite.ts",
    ["tests/store/store.test.ts"],
    [
      [
        "a claim that does not wait misses an item whose time has come",
        "      this.#ripen()\n      const first",
        "      const first",
      ],
      [
        "an outage shortens the wait for workers after a restore",
        "      this.#leases.wait.run(tookMs)\n",
        "",
      ],
      [
        "an idempotency key is remembered for ever",
        "    this.#db.delete(idempotencyKeys).where(lte(idempotencyKeys.created_at, oldest)).run()\n",
        "",
      ],
      [
        "a retried item still has the output from before",
        "    if (item.attempt > before.item.attempt) this.outputs.forgetFrom(item.id, item.attempt)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/history.ts",
    ["tests/store/store.test.ts"],
    [
      [
        "what was removed of other items makes the stream of an item begin again",
        "(own?.id ?? id) + 1",
        "Math.max(own?.id ?? 0, id) + 1",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/runs.ts",
    ["tests/store/store.test.ts"],
    [
      [
        "a run that is remembered pushes out those of all other kinds",
        "and(alike, notInArray(runs.id, newest))",
        "notInArray(runs.id, newest)",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/upkeep.ts",
    ["tests/store/store.test.ts"],
    [
      [
        "the updates of the newest completed items are removed",
        " AND id NOT IN (${NEWEST_COMPLETED}) ORDER",
        " AND (SELECT count(*) FROM (${NEWEST_COMPLETED})) >= 0 ORDER",
      ],
      [
        "a deleted item goes before every webhook has seen it",
        "deleted_at <= ? AND last_update_id <= ? LIMIT 1",
        "deleted_at <= ? AND ? >= 0 LIMIT 1",
      ],
      [
        "the stream of an item does not say which of its updates are gone",
        '    this.#client.query("UPDATE queue_items SET pruned_id = max(pruned_id, ?) WHERE id = ?").run(highest, item)\n',
        "    void item\n",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/deliveries.ts",
    ["tests/store/store.test.ts"],
    [
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
    ],
  ),
  ...of(
    "src/stream/tail.ts",
    ["tests/stream/thin.test.ts"],
    [
      [
        "a thinned stream of one song gets what the thinned streams of all get",
        "queueId === undefined && !wanted",
        "queueId === undefined",
      ],
    ],
  ),
  ...of(
    "src/stream/one-item.ts",
    ["tests/stream/one-item.test.ts"],
    [
      [
        "the end of a stream shows the newest event ID to a viewer of one item",
        'control.event === "live" || control.event === "end"',
        'control.event === "live"',
      ],
    ],
  ),
  ...of(
    "src/stream/selection.ts",
    ["tests/stream/selection.test.ts"],
    [
      [
        "a socket chooses more items than it may, little by little",
        "if (chosen.size > MAX_CHOSEN)",
        "if (ids.length > MAX_CHOSEN)",
      ],
    ],
  ),
  ...of(
    "src/stream/reader.ts",
    ["tests/stream/salvage.test.ts"],
    [
      [
        "a stream of one item shows others where the history is damaged",
        '        (one) => one.type === "hole" || one.update.queue_id === (queueId ?? one.update.queue_id),',
        '        (one) => one.type === "hole" || one.update.queue_id > 0,',
      ],
    ],
  ),
  ...of(
    "src/access/tokens.ts",
    ["tests/access/gate.test.ts"],
    [
      [
        "a token that was revoked is let in if it was used before",
        "    if (this.#inForce !== before) this.#known.clear()\n",
        "",
      ],
      [
        "a token for an item of another history shows the item of the same number",
        "return isOurs && row.revoked_at === null",
        "return (isOurs || row.item !== null) && row.revoked_at === null",
      ],
    ],
  ),
  ...of(
    "src/access/roles.ts",
    ["tests/access/roles.test.ts"],
    [
      [
        "a viewer on another machine reads the metrics",
        'need === "operations" && role === "viewer") return isLocal()',
        'need === "operations" && role === "viewer") return true',
      ],
    ],
  ),
  ...of(
    "src/upkeep/backups.ts",
    ["tests/upkeep/backups.test.ts"],
    [
      [
        "what an ended backup left behind stays",
        "      for (const name of await names()) if (UNFINISHED.test(name)) await remove(name)\n",
        "      await names()\n",
      ],
    ],
  ),
  ...of(
    "src/upkeep/event-loop.ts",
    ["tests/upkeep/looking.test.ts"],
    [["one jump of the clock is reported each second", "    this.#aheadMs = aheadMs\n", ""]],
  ),
  ...of(
    "src/upkeep/missed-rings.ts",
    ["tests/upkeep/looking.test.ts"],
    [
      [
        "streams that are behind for a moment count as deaf",
        "before !== undefined && heard === before.heard && head > heard",
        "before !== undefined && head > (heard ?? 0)",
      ],
    ],
  ),
  ...of(
    "src/upkeep/retention.ts",
    ["tests/upkeep/retention.test.ts"],
    [["updates of the last day are removed", "ago(Math.max(updatesMs, DAY_MS))", "ago(updatesMs)"]],
  ),
  ...of(
    "src/upkeep/finished.ts",
    ["tests/upkeep/retention.test.ts"],
    [
      [
        "an item that finished again meanwhile is deleted",
        "stored.item.completed_at !== null && stored.item.completed_at < before && isFinished",
        "stored.item.completed_at !== null && isFinished",
      ],
    ],
  ),
  ...of(
    "src/http/workers.ts",
    ["tests/queue/claim-left.test.ts"],
    [
      [
        "a claim of a client that has gone keeps its item",
        "    await workers.release(claimed.item.id, claimed.lease.token)\n",
        "    void workers.draining\n",
      ],
    ],
  ),
  ...of(
    "src/http/workers.ts",
    ["tests/queue/cancel.test.ts"],
    [
      [
        "a worker that has gone renews its lease",
        "return client.aborted ? answer : workers.heartbeat(id, token)",
        "return workers.heartbeat(id, token)",
      ],
    ],
  ),
  ...of(
    "src/http/queue.ts",
    ["tests/http/access.test.ts"],
    [
      [
        "a worker that gives an item back as it was read is refused",
        "allowKeys(caller, Object.keys(change))",
        "allowKeys(caller, Object.keys(body))",
      ],
    ],
  ),
  ...of(
    "src/stream/reading-turns.ts",
    ["tests/stream/reading-turns.test.ts"],
    [
      [
        "one owner reads the history with one stream more than it may",
        "line.running < this.#mostOfOwner",
        "line.running <= this.#mostOfOwner",
      ],
    ],
  ),
  ...of(
    "src/access/bucket.ts",
    ["tests/access/bucket.test.ts"],
    [["a client that asks all the time is never stopped", "    known.atMs = nowMs\n", ""]],
  ),
  ...of(
    "src/access/tickets.ts",
    ["tests/access/gate.test.ts"],
    [["a ticket for an address with a cache key is good for nothing", "path: pathOfTicket(path),", "path,"]],
  ),
  ...of(
    "src/health.ts",
    ["tests/health.test.ts"],
    [
      [
        "a reason for being degraded always began just now",
        "this.#held.get(reason)?.since ?? new Date().toISOString()",
        "new Date().toISOString()",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/group.ts",
    ["tests/store/group.test.ts"],
    [
      [
        "a server that stops waits for the write lock of another program",
        "!busy || this.#isDraining || performance.now()",
        "!busy || performance.now()",
      ],
    ],
  ),
  ...of(
    "src/stream/viewer.ts",
    ["tests/stream/rollback.test.ts"],
    [
      [
        "after updates were lost a stream ends by a status that is no longer true",
        "    this.status = undefined\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/stream/reader.ts",
    ["tests/stream/resuming.test.ts"],
    [
      [
        "a stream that has not said live yet is told that it is slow",
        "this.#place.liveAt !== undefined || !isFar",
        "!isFar",
      ],
    ],
  ),
]
