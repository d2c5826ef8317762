import { type Mistake, of } from "./mistake.ts"

/** Mistakes that were written from the source alone, all over the core, and that no test had noticed. */
export const MISSED: readonly Mistake[] = [
  ...of(
    "src/stream/opening.ts",
    ["tests/stream/opening.test.ts"],
    [
      [
        "an opening that is remembered grows with each update",
        "MOST_UPDATES - base.updates.length",
        "MOST_UPDATES",
      ],
    ],
  ),
  ...of(
    "src/stream/streams.ts",
    ["tests/stream/opening.test.ts"],
    [
      ["a stream that could not begin counts as open for ever", "      broadcaster.leave(viewer)\n", ""],
      [
        "what waited for changes of an item counts as open for ever",
        "    } finally {\n      broadcaster.leave(seat)\n",
        "    } finally {\n",
      ],
      [
        "a client that has seen an end before this server waits for it",
        "if (isAhead(request, item)) item = await openings.itemNow(queueId)",
        "void openings",
      ],
    ],
  ),
  ...of(
    "src/stream/streams.ts",
    ["tests/stream/leaving.test.ts"],
    [
      [
        "what waits for changes of an item goes on without a pause while the server drains",
        "      while (!signal.aborted && !broadcaster.draining) {\n        seat.cursor",
        "      while (!signal.aborted) {\n        seat.cursor",
      ],
      [
        "what waits for changes of an item holds up the stop of the server",
        "seat.cursor >= broadcaster.head && !signal.aborted && !broadcaster.draining",
        "seat.cursor >= broadcaster.head && !signal.aborted",
      ],
      ["a list of streams has all of them", ".slice(0, limit)", ""],
    ],
  ),
  ...of(
    "src/stream/seats.ts",
    ["tests/stream/leaving.test.ts"],
    [["each item that was ever watched is remembered", "    else this.#byItem.delete(seat.queueId)\n", ""]],
  ),
  ...of(
    "src/http/caller-of-request.ts",
    ["tests/http/client-limits.test.ts"],
    [
      [
        "bad tokens do not count against their address",
        `limits.ask({ role: "nobody", token: undefined, client: from().key, ended: undefined }, "")`,
        "void from",
      ],
    ],
  ),
  ...of(
    "src/http/caller-of-request.ts",
    ["tests/http/bound.test.ts"],
    [
      [
        "a report whose token ends while its body comes is refused",
        `caller.ended?.aborted && leaseFor(matched) === ""`,
        "caller.ended?.aborted",
      ],
    ],
  ),
  ...of(
    "src/http/caller-of-request.ts",
    ["tests/http/routes/metrics.test.ts"],
    [["refusals are counted by the reason of others", `? "origin" : "host"`, `? "host" : "origin"`]],
  ),
  ...of(
    "src/http/body-time-limit.ts",
    ["tests/http/unread-body.test.ts"],
    [["each body that was read keeps a timer", "      clearTimeout(timer)\n", ""]],
  ),
  ...of(
    "src/http/routes/claim-and-report.ts",
    ["tests/queue/cancelling.test.ts"],
    [["a heartbeat is held until its lease is over", "(answer.leaseMs ?? 0) / 2", "answer.leaseMs ?? 0"]],
  ),
  ...of(
    "src/item/moves.ts",
    ["tests/item/moves.test.ts"],
    [
      [
        "an end that is said again as it was is refused",
        `change.status === "completed" ? (["current_step"] as const)`,
        `change.status === "queued" ? (["current_step"] as const)`,
      ],
    ],
  ),
  ...of(
    "src/runner/attempt.ts",
    ["tests/runner/attempt.test.ts"],
    [
      [
        "a command that is suspended twice counts as away since the second time",
        "this.#suspendedMs ??= stopwatch()",
        "this.#suspendedMs = stopwatch()",
      ],
    ],
  ),
  ...of(
    "src/runner/own-lease.ts",
    ["tests/runner/own-lease.test.ts"],
    [
      [
        "a claim that reached no server may hold the item",
        "if (!isRefused(error)) this.#unanswered += 1",
        "this.#unanswered += 1",
      ],
    ],
  ),
  ...of(
    "src/runner/lease-file.ts",
    ["tests/runner/lease-file-listed.test.ts"],
    [
      [
        "each look at the leases of a living worker leaves a file open",
        "    // The file was removed.\n  }\n  closeSync(descriptor)\n",
        "    // The file was removed.\n  }\n",
      ],
      [
        "leases that were taken over stay locked after their heir has closed its file",
        "[{ descriptor: this.#descriptor }, ...this.#former.values()]",
        "[{ descriptor: this.#descriptor }]",
      ],
      [
        "a lease that an older version kept is not found in another file",
        "(lease.queued_at ?? queued_at) === queued_at",
        "lease.queued_at === queued_at",
      ],
    ],
  ),
  ...of(
    "src/webhooks/webhooks.ts",
    ["tests/webhooks/store-faults.test.ts"],
    [
      [
        "a receiver that asks for a short wait is asked that often for a day",
        "Math.max(Math.min(waitMs, RETRY.mostMs), backoff(RETRY, attempts, random))",
        "Math.min(waitMs, RETRY.mostMs) || backoff(RETRY, attempts, random)",
      ],
    ],
  ),
  ...of(
    "src/bus/bell-or-polling.ts",
    ["tests/bus/bell-or-polling.test.ts"],
    [
      [
        "a bell that was just heard is tested again in each round",
        "    this.heardMs = performance.now()\n    this.#awaitedMs",
        "    this.#awaitedMs",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/stream-trust.ts",
    ["tests/dashboard/live/stream-trust.test.ts"],
    [
      [
        "a page that was stale before its first stream is connecting again after each attempt",
        "confirmedMs === null && !isStale",
        "confirmedMs === null",
      ],
      ["a stream that has caught up is cut", "this.#ahead.id <= seen", "this.#ahead.id < seen"],
    ],
  ),
  ...of(
    "src/dashboard/live/tabs.ts",
    ["tests/dashboard/live/tabs.test.ts"],
    [
      [
        "a tab that is shown again loses its stream",
        "    send: (message) => {\n      clearTimeout(timer)\n",
        "    send: (message) => {\n",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/search.ts",
    ["tests/dashboard/live/search.test.ts"],
    [
      [
        "a late page of a former search is shown among the results",
        "    if (reading !== this.#reading) return\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/hub.ts",
    ["tests/dashboard/live/hub-lists.test.ts"],
    [["what could not be read while there was no stream is not read", "    this.#doubt([])\n", ""]],
  ),
  ...of(
    "src/renderers/bars.ts",
    ["tests/renderers/bars-together.test.ts"],
    [["a bar that follows a whole with parts counts as a whole", "    this.#isOuter = false\n", ""]],
  ),
  ...of(
    "src/renderers/done-in-any-order.ts",
    ["tests/renderers/done-in-any-order.test.ts"],
    [["a pass in order after one in any order counts lines", "    this.#isMixed = false\n", ""]],
  ),
  ...of(
    "src/http/routes/claim-and-report.ts",
    ["tests/queue/learned-durations.test.ts"],
    [
      [
        "nothing is learned from a worker that sends a former lease with every request",
        `(id !== undefined && request.headers.get("lease")) || undefined`,
        `request.headers.get("lease") || undefined`,
      ],
    ],
  ),
  ...of(
    "src/access/authorize.ts",
    ["tests/access/authorize.test.ts"],
    [["a token that is used seems unused", "    this.#tokens.use(token)\n", ""]],
  ),
  ...of(
    "src/runner/reporter.ts",
    ["tests/runner/reporter-options.test.ts"],
    [
      ["long output is sent without a pause", "Math.max(waitMs, REPORT_EVERY_MS)", "REPORT_EVERY_MS"],
      [
        "a worker whose item is gone goes on reporting",
        "    this.#hasGivenUp = true\n    this.#over.abort()\n",
        "    this.#hasGivenUp = true\n",
      ],
    ],
  ),
  ...of(
    "src/runner/leases-of-killed-workers.ts",
    ["tests/runner/leases-of-killed-workers.test.ts"],
    [
      [
        "the command of a killed worker goes on beside the next attempt",
        "if (mark !== undefined) await new ProcessTree(undefined, mark).stop(0)",
        "void mark",
      ],
    ],
  ),
  ...of(
    "src/queue/waiting-claims.ts",
    ["tests/queue/bell.test.ts"],
    [["an item that is added during a search wakes no claim", "    if (this.#isAsked) this.look()\n", ""]],
  ),
  ...of(
    "src/queue/output-writer.ts",
    ["tests/queue/output-writer.test.ts"],
    [
      [
        "output after the first pause is stored only at the end",
        "    } finally {\n      this.#writing = undefined\n    }\n",
        "    }\n",
      ],
    ],
  ),
  ...of(
    "src/queue/start-forecasts.ts",
    ["tests/queue/foreseen.test.ts"],
    [
      [
        "the next item starts as if only its pace told when the one before it ends",
        "(eta_low_seconds ?? eta * (1 - PACE_ALONE))",
        "eta * (1 - PACE_ALONE)",
      ],
    ],
  ),
  ...of(
    "src/queue/learned-durations.ts",
    ["tests/queue/learned-durations.test.ts"],
    [
      [
        "runs are still being read when the database is closed",
        "    await Promise.all(this.#loading.values())\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/upkeep/backups.ts",
    ["tests/upkeep/backups.test.ts"],
    [
      [
        "backups are removed in the order in which the folder names them",
        " < aheadMs).sort()",
        " < aheadMs)",
      ],
    ],
  ),
  ...of(
    "src/http/routes/tickets.ts",
    ["tests/access/tickets.test.ts"],
    [
      [
        "a request with a header is counted and read for a ticket that it does not use",
        'ticket === undefined || request.headers.has("authorization")',
        "ticket === undefined",
      ],
    ],
  ),
  ...of(
    "src/http/routes/store-and-read-output.ts",
    ["tests/http/client-limits.test.ts"],
    [
      [
        "each HEAD of an output that is followed counts as an answer that is open",
        'limits.hold(caller, "answer", signal)',
        'limits.hold(caller, "answer")',
      ],
    ],
  ),
  ...of(
    "src/http/caller-of-request.ts",
    ["tests/http/fair-turns.test.ts"],
    [["each client seems to be alone while others ask", "      turns.heard(caller.client)\n", ""]],
  ),
  ...of(
    "src/queue/ingest-throttle.ts",
    ["tests/queue/ingest-throttle.test.ts"],
    [
      [
        "the beginning of a piece is lost while little may be read",
        "Math.max(PIECE, Math.min(most, this.#units))",
        "Math.min(most, this.#units)",
      ],
      ["a piece is read later than renderers print", "(PIECE - this.#units) / PER_MS", "PIECE / PER_MS"],
    ],
  ),
  ...of(
    "src/queue/known-workers.ts",
    ["tests/queue/known-workers.test.ts"],
    [
      [
        "a worker that was started again after its drain stops after its first item",
        "this.#taken.set(id, { tags, instance, token })",
        "this.#taken.set(id, { tags, instance: undefined, token })",
      ],
    ],
  ),
  ...of(
    "src/runner/reporter.ts",
    ["tests/runner/reporter-options.test.ts"],
    [
      [
        "a heartbeat from before the question confirms the lease",
        "if (waitS === 0) this.#confirmations",
        "this.#confirmations",
      ],
      [
        "each item that was rendered is watched for standstills for ever",
        '      this.#over.signal.addEventListener("abort", () => void watch.stop())\n',
        "      void watch\n",
      ],
    ],
  ),
  ...of(
    "src/client/missed-keepalives.ts",
    ["tests/client/missed-keepalives.test.ts"],
    [
      [
        "what was ended before its pause waits for the whole pause",
        "    if (signal?.aborted) return resolve()\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/queue/output.ts",
    ["tests/queue/output.test.ts"],
    [["each look for output is remembered for ever", "        wakes.delete(wake)\n", ""]],
  ),
  ...of(
    "src/webhooks/webhooks.ts",
    ["tests/webhooks/repeated-and-stopped.test.ts"],
    [
      [
        "of many pages of the history webhooks get one at each ring",
        "return more && !this.#stopped.signal.aborted",
        "return false",
      ],
    ],
  ),
]
