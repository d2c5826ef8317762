import { type Mistake, of } from "./mistake.ts"

/** Mistakes in the work on the whole queue: reports, outputs, forecasts, figures. */
export const QUEUE: readonly Mistake[] = [
  ...of(
    "src/queue/calendar.ts",
    ["tests/queue/calendar.test.ts"],
    [
      [
        "a week begins on Sunday",
        '["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]',
        '["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]',
      ],
    ],
  ),
  ...of(
    "src/queue/start-forecasts.ts",
    ["tests/queue/foreseen.test.ts"],
    [
      [
        "an item that is being cancelled keeps its worker busy in the forecast",
        "  if (cancel_requested_at !== null) return NOW\n",
        "",
      ],
      [
        "the time that has passed since the last report is not taken off a forecast",
        "const reported = secondsTo(updated_at, nowMs)",
        "const reported = 0",
      ],
      [
        "a forecast that failed is answered for a second",
        "    made.catch(() => (this.#latest = undefined))",
        "    made.catch(() => undefined)",
      ],
    ],
  ),
  ...of(
    "src/queue/ingest.ts",
    ["tests/queue/ingest-silence.test.ts"],
    [
      [
        "an ingest that is heard all the time loses its lease after the longest silence",
        "    this.#isAlive = true\n    this.#heardMs = this.#now()\n",
        "    this.#isAlive = true\n",
      ],
      ["a renewal outlasts the silence that is allowed", "    if (silentMs + leaseMs > mostMs) return\n", ""],
    ],
  ),
  ...of(
    "src/queue/ingest.ts",
    ["tests/queue/ingest.test.ts"],
    [["the last line of an ingest is not read if it has no end", 'this.#hear("\\n")', 'this.#hear("")']],
  ),
  ...of(
    "src/queue/ingest.ts",
    ["tests/queue/ingest-outage.test.ts"],
    [
      ["a report that a full database refuses is not sent again", "      this.#report ??= report\n", ""],
      [
        "after an outage nothing more of an output is kept",
        'if (isRefusal(error, "unavailable")) this.#printed',
        "if (false) this.#printed",
      ],
      [
        "a result waits until the database takes reports",
        "if (this.#current === undefined) await this.#send",
        "if (this.#attempt === undefined) await this.#send",
      ],
      [
        "the verdict of a renderer is lost in an outage",
        'if (!isRefusal(error, "unavailable") || isInVain || this.#workers.draining) throw error',
        "throw error",
      ],
      [
        "a result for which there is no room keeps its sender waiting",
        "|| isInVain || this.#workers.draining",
        "|| this.#workers.draining",
      ],
      [
        "a server that stops cuts a sender whose result waits for the database",
        "|| isInVain || this.#workers.draining",
        "|| isInVain",
      ],
    ],
  ),
  ...of(
    "src/queue/ingest.ts",
    ["tests/queue/ingest-request.test.ts"],
    [
      [
        "the output of an attempt that was cancelled and retried completes the new one",
        "    await this.#queue.update(id, change, this.#current)\n    return undefined\n  }\n\n  async #fail",
        "    await this.#queue.update(id, change)\n    return undefined\n  }\n\n  async #fail",
      ],
      ["a renderer whose lease was lost is listened to on and on", "      this.#refusal = error\n", ""],
    ],
  ),
  ...of(
    "src/queue/learned-durations.ts",
    ["tests/queue/foreseen.test.ts"],
    [
      [
        "a run that ends teaches nothing about items that say no kind",
        'found.kind === run.kind || found.kind === "" || isNear(found, run)',
        "found.kind === run.kind || isNear(found, run)",
      ],
      [
        "a read that is under way may replace what a newer one has found",
        "(this.#loading.get(key) ?? Promise.resolve()).then(load)",
        "load()",
      ],
    ],
  ),
  ...of(
    "src/queue/deleted-item.ts",
    ["tests/queue/cancelling.test.ts"],
    [
      [
        "the worker of a deleted item learns that it never existed",
        "if (!(await store.wasDeleted(id))) throw error",
        "if (id > 0) throw error",
      ],
      [
        "a lease that is made up tells which items were deleted",
        "!(await store.wasDeleted(id, lease))",
        "id < 0",
      ],
    ],
  ),
  ...of(
    "src/queue/output-writer.ts",
    ["tests/queue/output-writer.test.ts"],
    [
      [
        "bytes that show nothing are asked for again and again",
        "Math.max(end, this.#from + this.#bytes)",
        "end",
      ],
    ],
  ),
  ...of(
    "src/queue/output.ts",
    ["tests/http/routes/store-and-read-output.test.ts"],
    [
      [
        "a reader that asks for another attempt goes on at the position of the one before",
        "const after = isOfAttempt ? query.from.after : 0",
        "const after = query.from.after",
      ],
      [
        "a reader beyond the end of a retried attempt gets nothing",
        "attempt, isKnown ? after : 0)",
        "attempt, after)",
      ],
      ["the output of a song is that of its first render", "msOf(b) - msOf(a)", "msOf(a) - msOf(b)"],
    ],
  ),
  ...of(
    "src/queue/output.ts",
    ["tests/queue/output.test.ts"],
    [
      [
        "who follows output gets the next attempt from where the one before ended",
        "    this.#begunMs = msOf(item)\n    this.#at = 0\n",
        "    this.#begunMs = msOf(item)\n",
      ],
      [
        "what is printed just before the end of an attempt is left out",
        "        // The item is read first, so that everything that is printed until its attempt ends is read after it.\n        item = await this.#itemOf(reader.id)\n        for await (const event of reader.pieces()) {\n          yield event\n          heardMs = performance.now()\n        }",
        "        for await (const event of reader.pieces()) {\n          yield event\n          heardMs = performance.now()\n        }\n        item = await this.#itemOf(reader.id)",
      ],
      [
        "a follower sees new lines at its next look only",
        "    for (const wake of this.#followers.get(id) ?? []) wake()\n",
        "",
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
      ["only the first hundred failed items are retried", "after = next ?? undefined", "after = undefined"],
    ],
  ),
  ...of(
    "src/queue/queue.ts",
    ["tests/upkeep/size-limit.test.ts"],
    [
      [
        "the end of a render is refused while the database is full",
        "if (change.status === undefined || !isFinished(change.status)) this.#room.check()",
        "this.#room.check()",
      ],
      [
        "a full database takes changes that are no end of a render",
        "if (change.status === undefined || !isFinished(change.status)) this.#room.check()",
        "if (change.status !== undefined && !isFinished(change.status)) this.#room.check()",
      ],
    ],
  ),
  ...of(
    "src/queue/queue.ts",
    ["tests/queue/retry-all.test.ts"],
    [
      [
        "an item that another has retried meanwhile fails the retry of all",
        "isUnwanted(stored.item) ? retried(stored, moment) : { ...stored, quiet: true },",
        "retried(stored, moment),",
      ],
      [
        "an item that was deleted meanwhile fails the retry of all",
        '      if (isRefusal(error, "not_found")) return false\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/queue/queue.ts",
    ["tests/queue/history-pages.test.ts"],
    [
      ["a page of a long history has no end", " || size > HISTORY_SIZE", ""],
      [
        "a page of the history that was cut says that nothing follows",
        "return { updates: found, more }",
        "return { updates: found, more: false }",
      ],
      [
        "a page of history is longer than its limit",
        "limit: Math.min(rest, PAGE_UPDATES)",
        "limit: PAGE_UPDATES",
      ],
    ],
  ),
  ...of(
    "src/queue/totals.ts",
    ["tests/queue/totals.test.ts"],
    [
      [
        "the dashboard shows cancelled items as failed",
        "failed.items.filter(hasFailed).slice",
        "failed.items.slice",
      ],
      ["after many cancels the latest failures are not shown", "limit: LATEST * 5", "limit: LATEST"],
    ],
  ),
  ...of(
    "src/queue/calendar.ts",
    ["tests/queue/calendar.test.ts"],
    [
      [
        "a week in which the clock was changed begins on a Sunday",
        "dayMs - weekday * DAY_MS + DAY_MS / 2",
        "dayMs - weekday * DAY_MS",
      ],
    ],
  ),
  ...of(
    "src/queue/learned-durations.ts",
    ["tests/queue/foreseen.test.ts"],
    [
      [
        "runs that were forgotten still estimate",
        "this.#known.delete(key)\n    this.#inMemory.clear()",
        "this.#known.delete(key)",
      ],
    ],
  ),
  ...of(
    "src/queue/ingest.ts",
    ["tests/queue/ingest-silence.test.ts"],
    [
      ["of what is printed before the start the newest is lost", "this.#early.shift()", "this.#early.pop()"],
      [
        "a renderer whose report is refused is read on",
        "      chunks.return?.().catch(() => undefined)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/queue/output.ts",
    ["tests/http/routes/store-and-read-output.test.ts"],
    [
      [
        "a follower of an attempt that is over waits while the next one renders",
        'return isOther || item.status !== "processing"',
        'return item.status !== "processing"',
      ],
    ],
  ),
  ...of(
    "src/queue/start-forecasts.ts",
    ["tests/queue/foreseen.test.ts"],
    [
      [
        "of a queue that was looked at in part it is foretold when all is done",
        "    const isWhole =\n      next === null || ",
        "    const isWhole =\n      true || ",
      ],
    ],
  ),
  ...of(
    "src/queue/waiting-claims.ts",
    ["tests/queue/looks.test.ts"],
    [
      [
        "after a slow look claims wait for minutes",
        "Math.max(Math.min(pauseMs, MAX_PAUSE_MS), this.#restMs)",
        "Math.max(pauseMs, this.#restMs)",
      ],
    ],
  ),
  ...of(
    "src/queue/learned-durations.ts",
    ["tests/queue/learned-durations.test.ts"],
    [
      [
        "a stop waits until all items of an older database are read",
        "      if (this.#isStopped) return\n      const run",
        "      const run",
      ],
      ["more runs of similar looks are read than count", "if (found.length < MAX_RUNS) found", "found"],
      [
        "what was learned of an older database foretells nothing until another run",
        "    this.#hasRuns ||= learned.length > 0\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/queue/totals.ts",
    ["tests/queue/totals.test.ts"],
    [["a week begins today", "this.#since(startOfWeek(nowMs, timeZone))", "this.#since(dayMs)"]],
  ),
]
