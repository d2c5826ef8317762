import { type Mistake, of } from "./mistake.ts"

/** Mistakes in what the page knows: its one stream, its lists, and what is read late. */
export const DASHBOARD: readonly Mistake[] = [
  ...of(
    "src/dashboard/live/hub.ts",
    ["tests/dashboard/live/hub.test.ts"],
    [
      [
        "a page of a list that was replaced is added to the new one",
        "      const read = await queue.more(list, signal)\n      if (signal.aborted) return\n",
        "      const read = await queue.more(list, signal)\n",
      ],
      [
        "an item that was asked for before everything was read again replaces what is newer",
        "    if (signal.aborted) return\n    const read = found",
        "    const read = found",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/stream-trust.ts",
    ["tests/dashboard/live/hub.test.ts"],
    [
      [
        "the list is not read again after a gap",
        "      this.#gap = { reason, missed }\n      this.#isFresh = true\n",
        "      this.#gap = { reason, missed }\n",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/list-reading.ts",
    ["tests/dashboard/live/hub.test.ts"],
    [
      [
        "a list of several statuses ends where the last of them ends",
        "lasts.sort(this.#order)[0] ?? null",
        "lasts.sort(this.#order).at(-1) ?? null",
      ],
      [
        "of two pages that are read together the one that came is lost when the other fails",
        "({ part, ...(await this.#read(part, signal)) })",
        "{ const { queue, next } = await this.#read(part, signal); part.next = next; return { part, queue, next } }",
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/apply-updates.ts",
    ["tests/dashboard/model/apply-updates.test.ts"],
    [
      [
        "a page of a list overwrites what is newer",
        "if (!this.items.has(item.id)) this.items.set(item.id, item)",
        "this.items.set(item.id, item)",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/hub.ts",
    ["tests/dashboard/live/hub.test.ts"],
    [
      ["counts are asked for once", "    } finally {\n      this.#isCountDue = false\n    }", "    }"],
      [
        "an item that could not be read is not read again",
        "          else if (!signal.aborted) this.#unsure.add(id)\n",
        "",
      ],
      [
        "an older reading replaces a newer one",
        "      if (signal.aborted) return\n      if (failed",
        "      if (failed",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/stream-trust.ts",
    ["tests/dashboard/live/stream-trust.test.ts"],
    [
      ["a page is never behind", "sinceMs: this.#ahead?.sinceMs ?? nowMs }", "sinceMs: nowMs }"],
      ["a connection that is heard is cut as delayed", " && nowMs - this.#heardMs > HELD_UP_MS)", ")"],
      [
        "one gap is told at each new connection",
        "    this.#isFresh = false\n    this.#gap = undefined\n",
        "    this.#isFresh = false\n",
      ],
      [
        "a retry by hand waits for its time",
        "    this.#resume?.()\n    this.#attempt.abort()\n  }\n\n",
        "    this.#resume?.()\n  }\n\n",
      ],
      [
        "a page resumes after a snapshot as if it had all before it",
        "    if (!this.#isFresh) this.#lastEventId = last.id",
        "    this.#lastEventId = last.id",
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/apply-updates.ts",
    ["tests/dashboard/model/apply-updates.test.ts"],
    [
      [
        "a new attempt keeps the start of the one before",
        "(item.status !== status || item.attempt !== update.attempt)",
        "item.status !== status",
      ],
      [
        "of several changes at once a deletion is left out",
        "lists = this.items.delete(id) || lists",
        "lists ||= this.items.delete(id)",
      ],
      ["a list that was cut is taken for whole", "    this.ends = { ...this.ends, finished: last }\n", ""],
    ],
  ),
  ...of(
    "src/dashboard/model/lists.ts",
    ["tests/dashboard/model/apply-updates.test.ts"],
    [["lost items are not counted among the failed", "failed: failed + lost", "failed"]],
  ),
  ...of(
    "src/dashboard/live/output-reading.ts",
    ["tests/dashboard/live/output-reading.test.ts"],
    [
      [
        "after a retry the new output is added to the old one's",
        "before !== undefined && begunMs !== undefined && before !== begunMs",
        "false",
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/timeline.ts",
    ["tests/dashboard/model/timeline.test.ts"],
    [
      [
        "an attempt that follows at once is not shown",
        " || (before.attempt ?? 0) < (update.attempt ?? 0)",
        "",
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/apply-updates.ts",
    ["tests/dashboard/model/apply-updates.test.ts"],
    [["an item that came and went at once is asked for", "        unsure.delete(id)\n", ""]],
  ),
  ...of(
    "src/dashboard/model/query.ts",
    ["tests/dashboard/model/apply-updates.test.ts"],
    [
      [
        "a cancelled item is among the failed ones",
        'if (which === "failed") return hasFailed(item)',
        'if (which === "failed") return item.status === "failed"',
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/timeline.ts",
    ["tests/dashboard/model/timeline.test.ts"],
    [["an item is stalled again with each report", "update.stalled && !before.stalled", "update.stalled"]],
  ),
  ...of(
    "src/dashboard/model/counts.ts",
    ["tests/dashboard/model/apply-updates.test.ts"],
    [["delayed items do not count as waiting", "waiting.length + delayed.length", "waiting.length"]],
  ),
  ...of(
    "src/dashboard/model/counts.ts",
    ["tests/dashboard/model/apply-updates.test.ts"],
    [
      [
        "the last hour is unknown of a list that reaches back for longer",
        "const isWhole = ends.finished === null || isHourKnown",
        "const isWhole = ends.finished === null",
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/lists.ts",
    ["tests/dashboard/model/apply-updates.test.ts"],
    [
      [
        "a filter is cut by a list that it does not show",
        "statuses[list].length > 0 && ends[list] !== null",
        "ends[list] !== null",
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/apply-updates.ts",
    ["tests/dashboard/model/apply-updates.test.ts"],
    [
      [
        "waiting items are shown without those before them",
        'else if (!isKnown(item, "waiting")) continue\n    ',
        "",
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/wording.ts",
    ["tests/dashboard/model/timeline.test.ts"],
    [["a render of 30 hours takes one day", "if (hours < 48)", "if (hours < 24)"]],
  ),
  ...of(
    "src/dashboard/model/rights.ts",
    ["tests/dashboard/model/model.test.ts"],
    [
      [
        "a worker is not told why it sees no queue",
        'if (may.includes("change")) return ""',
        'if (may.includes("add")) return ""',
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/hub.ts",
    ["tests/dashboard/live/hub.test.ts"],
    [
      [
        "a pause that was said by a stream that is lost hides newer figures",
        "    if (!isLive) this.#pausedAt = undefined\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/hub.ts",
    ["tests/dashboard/live/hub.test.ts"],
    [
      [
        "an item that is deleted while more is read comes back",
        "      const { unsure } = this.#state.apply(meanwhile)\n      const items",
        "      const { unsure } = this.#state.apply([])\n      const items",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/hub.ts",
    ["tests/dashboard/live/hub.test.ts"],
    [["the waiting items that are known run out", "    if (lists) this.#refill()\n", ""]],
  ),
  ...of(
    "src/dashboard/live/output-reading.ts",
    ["tests/dashboard/live/output-reading.test.ts"],
    [
      [
        "a tab that was hidden shows no more of the output",
        "      // The server refuses: the item, or its attempt, no longer exists.\n      if (!connection.signal.aborted) this.#over()",
        "      this.#over()",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/search.ts",
    ["tests/dashboard/live/search.test.ts"],
    [
      [
        "a search that got no answer is never made again",
        "      this.#after(AGAIN_MS)\n    } finally",
        "    } finally",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/stream-trust.ts",
    ["tests/dashboard/live/stream-trust.test.ts"],
    [
      [
        "a server that answers is not connected to before its time",
        'if (this.#now.state !== "live") return this.retry()',
        'if (this.#now.state !== "live") return',
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/output-reading.ts",
    ["tests/dashboard/live/output-reading.test.ts"],
    [
      [
        "nobody learns that output is missing",
        "missing > 0 ? `[${notKept(missing)}]\\n${text}` : text",
        "text",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/item-history.ts",
    ["tests/dashboard/live/past.test.ts"],
    [
      [
        "an item that another history has is still missing",
        "    this.missing = false\n    if (this.#meanwhile)",
        "    if (this.#meanwhile)",
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/wording.ts",
    ["tests/dashboard/model/timeline.test.ts"],
    [
      [
        "a message repeats the name of the step",
        "const isSaid = message === current_step ||",
        "const isSaid =",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/hub.ts",
    ["tests/dashboard/live/hub-lists.test.ts"],
    [
      [
        "a deleted item that was asked for stays",
        "error instanceof ServerError && error.status === 404",
        "error instanceof ServerError && error.status === 410",
      ],
      [
        "a tab that is seen again keeps two timers",
        "  wake(): void {\n    clearInterval(this.#timer)\n",
        "  wake(): void {\n",
      ],
      [
        "more of a list can be read only once",
        "    } finally {\n      this.#readingOn = null",
        "    } finally {\n      this.#readingOn = meanwhile",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/stream-trust.ts",
    ["tests/dashboard/live/stream-trust.test.ts"],
    [
      ["a refused stream is tried again at once", "this.#rest(REFUSED_RETRY_MS)", "this.#rest(0)"],
      [
        "a new connection counts the delay of the old one",
        "    this.#ahead = undefined\n    this.#to.paused",
        "    this.#to.paused",
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/apply-updates.ts",
    ["tests/dashboard/model/apply-updates.test.ts"],
    [
      [
        "finished items are forgotten too early",
        "this.items.size <= MAX_FINISHED * 2",
        "this.items.size <= MAX_FINISHED",
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/wording.ts",
    ["tests/dashboard/model/timeline.test.ts"],
    [
      ["two days are 48 h", "if (hours < 48)", "if (hours <= 48)"],
      [
        "a band is shown after its time is over",
        'return left === null || left.seconds < 1 ? "" : bandWords(left)',
        'return left === null ? "" : bandWords(left)',
      ],
    ],
  ),
  ...of(
    "src/dashboard/view/running-lane.ts",
    ["tests/dashboard/model/timeline.test.ts"],
    [["a bar passes the next percent", "Math.floor(done) + 0.95", "Math.ceil(done) + 0.95"]],
  ),
  ...of(
    "src/dashboard/view/item-facts.ts",
    ["tests/dashboard/failures.test.ts"],
    [
      [
        "an item without a video has a size",
        'item.video_file_size > 0 ? sizeWords(item.video_file_size) : ""',
        "sizeWords(item.video_file_size)",
      ],
    ],
  ),
  ...of(
    "src/dashboard/view/recent-failures.ts",
    ["tests/dashboard/failures.test.ts"],
    [["a failure without a reason is an empty line", ' || "No reason was given"', ""]],
  ),
  ...of(
    "src/dashboard/view/reorder.ts",
    ["tests/dashboard/object.test.ts"],
    [
      [
        "the place of a moved item is read out wrongly",
        'const place = at + 1 + (direction === "up" ? -1 : 1)',
        'const place = at + (direction === "up" ? -1 : 1)',
      ],
    ],
  ),
]
