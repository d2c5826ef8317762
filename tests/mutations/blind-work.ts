import { type Mistake, of } from "./mistake.ts"

/**
 * Mistakes in the work on items and in webhooks that were written from the source alone, before a look at the tests. Of these and of those in `blind-rest.ts` the
 * tests noticed 66 of 94; tests were then written for the others.
 */
export const BLIND_WORK: readonly Mistake[] = [
  ...of(
    "src/queue/workers.ts",
    ["tests/queue/crew.test.ts"],
    [
      [
        "a claim of a drained worker takes an item",
        "if (this.presence.isDraining(claim.worker, instance)) {",
        "if (isNew === null) {",
      ],
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
      ["a claim is not announced", "this.#bus.notify()\n        this.presence.took(", "this.presence.took("],
    ],
  ),
  ...of(
    "src/queue/workers.ts",
    ["tests/upkeep/space.test.ts"],
    [
      [
        "a report for which there is no room is no sign of life",
        "if (token !== undefined && (room?.isFull || room?.isDiskFull)) await this.heartbeat(id, token)",
        "",
      ],
    ],
  ),
  ...of(
    "src/queue/missing.ts",
    ["tests/queue/cancel.test.ts"],
    [
      [
        "the worker of a deleted item learns that it never existed",
        "if (await store.wasDeleted(id)) throw",
        "if (id < 0) throw",
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
    "src/queue/waiting-claims.ts",
    ["tests/queue/looks.test.ts"],
    [["a look that is asked for during a look is forgotten", "if (this.#isAsked) this.look()", ""]],
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
        "this.#groups.size >= this.#mostGroups",
        "this.#groups.size > this.#mostGroups",
      ],
    ],
  ),
  ...of(
    "src/queue/queue.ts",
    ["tests/queue/bell.test.ts"],
    [
      [
        "the same body with its keys in another order counts as another body",
        "? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))",
        "? value",
      ],
      [
        "claims that wait do not hear that the queue goes on",
        "// There is something to claim now.\n    this.#bus.notify()",
        "",
      ],
    ],
  ),
  ...of(
    "src/queue/queue.ts",
    ["tests/queue/totals.test.ts"],
    [
      [
        "what was cancelled is retried with what failed",
        'outcome === "failed" || outcome === "lost"',
        'outcome !== "completed"',
      ],
    ],
  ),
  ...of(
    "src/queue/queue.ts",
    ["tests/upkeep/space.test.ts"],
    [
      [
        "the end of a render is refused while the database is full",
        "if (change.status === undefined || !isFinished(change.status)) this.#room.check()",
        "this.#room.check()",
      ],
    ],
  ),
  ...of(
    "src/queue/queue.ts",
    ["tests/queue/history.test.ts"],
    [
      [
        "a page of the history that was cut says that nothing follows",
        "return { updates: found, more }",
        "return { updates: found, more: false }",
      ],
    ],
  ),
  ...of(
    "src/queue/rescue.ts",
    ["tests/queue/outage.test.ts"],
    [
      [
        "a suspended machine costs its workers their leases",
        "if (lateMs > SUSPENDED_MS) outages.begin(clock.steadyMs() - lateMs)",
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
    "src/item/pace.ts",
    ["tests/item"],
    [["an ETA is told in the first second", "done < 100 && elapsedMs >= MIN_ELAPSED_MS", "done < 100"]],
  ),
  ...of(
    "src/item/report.ts",
    ["tests/item"],
    [
      ["a report that moves nothing ends a stall", "...(work === kept ? {} : MOVING)", "...MOVING"],
      [
        "a worker cannot take its ETA back",
        "report.eta_seconds === null ? null : eta_seconds",
        "eta_seconds",
      ],
      [
        "the same steps again begin again",
        "if (JSON.stringify(item.steps) === JSON.stringify(steps)) return { item, work, quiet: true }",
        "",
      ],
    ],
  ),
  ...of(
    "src/item/search.ts",
    ["tests/store/search.test.ts"],
    [["one of several words is enough", "words.every(", "words.some("]],
  ),
  ...of(
    "src/item/tags.ts",
    ["tests/item"],
    [["the worker that lacks the most is named", "some.length < least.length", "some.length > least.length"]],
  ),
  ...of(
    "src/item/lease.ts",
    ["tests/item", "tests/queue/workers.test.ts"],
    [
      [
        "an item that was given back keeps its worker",
        '{ ...transition(item, { status: "queued", message }, moment.time), worker: "" }',
        'transition(item, { status: "queued", message }, moment.time)',
      ],
    ],
  ),
  ...of(
    "src/item/lease.ts",
    ["tests/item", "tests/queue/steps.test.ts"],
    [
      [
        "a claimed item keeps the step of the attempt before",
        '...taken,\n      current_step: "",',
        "...taken,",
      ],
    ],
  ),
  ...of(
    "src/runner/reporter.ts",
    ["tests/runner/reporter.test.ts"],
    [
      [
        "after a cancel the server is flooded with heartbeats",
        "this.#isCancelled ? leaseS * 300 : HEARTBEAT_PAUSE_MS",
        "HEARTBEAT_PAUSE_MS",
      ],
      [
        "a claim whose answer was lost ends the reports",
        'if (error.code === "illegal_move" && this.#last === undefined) return this.#refused(error)',
        "",
      ],
      [
        "the last report of a lent item keeps its command waiting",
        "isLent ? Math.min(withinMs, LENT_WITHIN_MS) : withinMs",
        "withinMs",
      ],
      ["an older server is asked twice for each report", "this.#isOlder = true\n", ""],
    ],
  ),
  ...of(
    "src/runner/lease-file.ts",
    ["tests/runner/lease-file.test.ts"],
    [
      [
        "the leases of another server are taken over",
        "if (contents && contents.server !== this.#server) return []",
        "",
      ],
      ["leases that were taken over are not written down", "if (leases.length > 0) this.#write()", ""],
    ],
  ),
  ...of(
    "src/runner/lease-file.ts",
    ["tests/runner/steps.test.ts"],
    [
      [
        "a lease that is kept for a next step is taken over",
        "if (contents?.leases.some(isKept)) return []",
        "",
      ],
    ],
  ),
  ...of(
    "src/runner/unreported.ts",
    ["tests/runner/unreported.test.ts"],
    [
      [
        "the old token of a lease stays in the file",
        "if (before.token !== current.token) this.#remove(before)",
        "",
      ],
    ],
  ),
  ...of(
    "src/runner/attempt.ts",
    ["tests/runner/work.test.ts"],
    [["a command that cannot be found is tried again", "!FINAL_CODES.includes(end.code)", "end.code > 0"]],
  ),
  ...of(
    "src/runner/output-spool.ts",
    ["tests/runner/output-spool.test.ts"],
    [["a part of the output is taken for sent", "at >= end", "at > end"]],
  ),
  ...of(
    "src/runner/session.ts",
    ["tests/runner/session.test.ts"],
    [["a suspended command is only killed, not ended", 'this.signal("SIGCONT")', ""]],
  ),
  ...of(
    "src/runner/inherit.ts",
    ["tests/runner/lease-file.test.ts"],
    [
      [
        "an earlier result counts over a later attempt",
        "claimed.item.attempt === lease.attempt + 1",
        "claimed.item.attempt >= lease.attempt + 1",
      ],
    ],
  ),
  ...of(
    "src/webhooks/post.ts",
    ["tests/webhooks"],
    [
      [
        "two databases send the same ids",
        "const id = `${historyId}-${update_id}`",
        "const id = `${update_id}`",
      ],
    ],
  ),
  ...of(
    "src/webhooks/webhooks.ts",
    ["tests/webhooks/faults.test.ts"],
    [
      [
        "a delivery whose result could not be stored waits long",
        "await this.#deliveries.giveBack(delivery.id).catch(this.#options.onError)\n",
        "",
      ],
      [
        "a webhook recovers with each delivery",
        "if (this.#failing.delete(url)) this.#options.onRecovered",
        "this.#failing.delete(url)\n      this.#options.onRecovered",
      ],
    ],
  ),
  ...of(
    "src/webhooks/webhooks.ts",
    ["tests/webhooks"],
    [
      ["an item stalls again with each update", "&& !(before && isStalled(before)) ?", "?"],
      [
        "the list of deliveries shows the secret path",
        "url: `${origin}${rest}` }",
        "url: url + rest.slice(0, 0) }",
      ],
    ],
  ),
  ...of(
    "src/webhooks/webhooks.ts",
    ["tests/webhooks/faults.test.ts", "tests/webhooks/webhooks.test.ts"],
    [["a webhook that is gone is called on", "if (answer === GONE || nextMs", "if (nextMs"]],
  ),
]
