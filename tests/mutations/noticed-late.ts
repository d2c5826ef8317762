import { type Mistake, of } from "./mistake.ts"

/** Mistakes at lines that were picked by chance, which no test noticed until one was written for each. */
export const NOTICED_LATE: readonly Mistake[] = [
  ...of(
    "src/dashboard/model/list-figures.ts",
    ["tests/dashboard/model/tab-and-headings.test.ts"],
    [
      [
        "items that start later count among those that wait and are not shown",
        "total: all - apart",
        "total: all",
      ],
    ],
  ),
  ...of(
    "src/dashboard/view/server-version.ts",
    ["tests/dashboard/view/parts.test.ts"],
    [
      [
        "each new connection says again that the server has another version",
        "  const isOther = shownVersion !== undefined && shownVersion !== version\n  shownVersion = version",
        "  const isOther = shownVersion !== undefined && shownVersion !== version\n  shownVersion ??= version",
      ],
    ],
  ),
  ...of(
    "src/dashboard/view/item.ts",
    ["tests/dashboard/long.test.ts"],
    [
      [
        "an item counts as deleted once another one is",
        "      if (update.queue_id !== this.#id) continue",
        "",
      ],
    ],
  ),
  ...of(
    "src/dashboard/view/printed-text.ts",
    ["tests/dashboard/view/parts.test.ts"],
    [
      [
        "words at the beginning of a part of the output are not marked",
        "      if (at < from + text.length) {",
        "      if (at <= from + text.length) {",
      ],
    ],
  ),
  ...of(
    "src/http/caller-of-request.ts",
    ["tests/http/caller-of-request.test.ts"],
    [
      [
        "what is no number of an item counts as an item that is missing",
        "if (item === undefined || id === undefined || !ITEM_ID.test(id) || Number(id) === item) return",
        "if (item === undefined || id === undefined || Number(id) === item) return",
      ],
    ],
  ),
  ...of(
    "src/item/estimate/step-durations.ts",
    ["tests/item/estimate/own-pace.test.ts"],
    [
      [
        "an attempt's own pace hardly counts, even at its end",
        "    inertia: Math.max(MIN_INERTIA, Math.min(MAX_INERTIA, inertia)),",
        "    inertia: Math.max(MIN_INERTIA, inertia),",
      ],
    ],
  ),
  ...of(
    "src/renderers/ffmpeg.ts",
    ["tests/renderers/ffmpeg.test.ts"],
    [
      [
        "the progress counts as declared while another ffmpeg may be a still picture",
        "    const isLikely = this.#mayBeStill || this.#pass.hasEnded",
        "    const isLikely = this.#pass.hasEnded",
      ],
    ],
  ),
  ...of(
    "src/renderers/counts-in-line.ts",
    ["tests/renderers/counted-bars.test.ts"],
    [
      [
        "a percentage that was rounded down does not agree with its count",
        "  Math.abs(n / total - fraction) <= ROUNDING",
        "  Math.abs(n / total - fraction) < ROUNDING / 2",
      ],
    ],
  ),
  ...of(
    "src/renderers/ffmpeg-failures.ts",
    ["tests/renderers/ffmpeg-failures.test.ts"],
    [["a pipe that failed once counts as failed for good", "    this.#unfinished.delete(output)", ""]],
  ),
  ...of(
    "src/renderers/side-by-side.ts",
    ["tests/renderers/side-by-side.test.ts"],
    [
      [
        "any number of kinds of bars is kept",
        "    if (this.#kinds.size < MOST) this.#kinds.set(label, kind)",
        "    this.#kinds.set(label, kind)",
      ],
    ],
  ),
  ...of(
    "src/non-blocking-output.ts",
    ["tests/non-blocking-output.test.ts"],
    [
      [
        "the pauses of a terminal that was halted go on after the halt",
        "        this.#tries = 0\n        if (one.bytes.length > 0) continue",
        "        if (one.bytes.length > 0) continue",
      ],
    ],
  ),
  ...of(
    "src/runner/run-one-item.ts",
    ["tests/runner/exit-code.test.ts"],
    [
      [
        "a command of a worker says how to report its result later",
        '    if (!isLent && delivery === "pending") sayUnreported(verdict, this.#reporter.last, this.#options)',
        '    if (delivery === "pending") sayUnreported(verdict, this.#reporter.last, this.#options)',
      ],
    ],
  ),
  ...of(
    "src/runner/reporter.ts",
    ["tests/runner/reporter.test.ts"],
    [
      [
        "the last output is lost if the last report came",
        '        for (const each of both) if (each.status === "rejected") throw each.reason',
        '        if (both[0].status === "rejected") throw both[0].reason',
      ],
    ],
  ),
  ...of(
    "src/serve/serve.ts",
    ["tests/commands/serve.test.ts"],
    [
      [
        "a port in use hides that the options are wrong",
        '    if (isRefusal(error, "invalid")) throw error',
        "",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/postgres.ts",
    ["tests/store/postgres/start.test.ts"],
    [
      [
        "a server that stops leaves its notes in the database",
        "    await this.#fence.leave().catch(() => undefined)",
        "",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/history.ts",
    ["tests/store/postgres/contracts.test.ts"],
    [
      [
        "an update that is longer than a page stands in the way of the others",
        "OVER (ORDER BY id) - length(data) AS before,",
        "OVER (ORDER BY id) AS before,",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/open.ts",
    ["tests/store/postgres/start.test.ts"],
    [
      [
        "a start that failed keeps its connections",
        "    await Promise.all([writing.close(), reading.close()])\n    throw explained(error, url)",
        "    throw explained(error, url)",
      ],
    ],
  ),
  ...of(
    "src/store/postgres/group-commit.ts",
    ["tests/store/postgres/start.test.ts"],
    [
      [
        "a store closes while a group is being stored",
        "    while (this.#isFlushing) await this.#flushing",
        "    await Promise.resolve()",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/list.ts",
    ["tests/store/sqlite/list.test.ts"],
    [
      [
        "a search looks at ten items in a tick, however quick it is",
        "(SEARCH_MS * 1000) / (user + system)",
        "SEARCH_MS / (user + system)",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/open.ts",
    ["tests/store/sqlite/unusable-database.test.ts"],
    [
      [
        "a link that leads to another database by now is not noticed",
        "    lock.watch([named, ...DATABASE_PARTS.map((part) => `${absolute}${part}`)])",
        "    lock.watch(DATABASE_PARTS.map((part) => `${absolute}${part}`))",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/deliveries.ts",
    ["tests/store/sqlite/contracts.test.ts"],
    [
      [
        "deliveries that were made become failed once their webhook is gone",
        '      const others = and(notInArray(deliveries.url, [...urls]), eq(deliveries.status, "pending"))',
        "      const others = notInArray(deliveries.url, [...urls])",
      ],
    ],
  ),
  ...of(
    "src/stream/history-reader.ts",
    ["tests/stream/thin.test.ts"],
    [
      [
        "a thinned stream that is left reads for ever",
        "      const isDone = (): boolean => this.#seat.cursor >= head || !this.#isWatched",
        "      const isDone = (): boolean => this.#seat.cursor >= head",
      ],
    ],
  ),
  ...of(
    "src/terminal/board.ts",
    ["tests/terminal/board.test.ts"],
    [
      [
        "the first update alone says how far the clocks are apart",
        "    if (isFirst || aheadMs < this.#aheadMs) this.#aheadMs = aheadMs",
        "    if (isFirst) this.#aheadMs = aheadMs",
      ],
    ],
  ),
  ...of(
    "src/terminal/drawing.ts",
    ["tests/terminal/drawing.test.ts"],
    [
      [
        "a change of the screen while a frame is written is lost",
        "    this.#tell = resolve\n    if (this.#latest) resolve(this.#latest)",
        "    this.#tell = resolve",
      ],
    ],
  ),
  ...of(
    "src/webhooks/webhooks.ts",
    ["tests/webhooks/store-faults.test.ts"],
    [
      [
        "each start stores the place of the webhooks again",
        "    this.#cursor = (await this.#deliveries.cursor()) ?? 0\n    this.#stored = this.#cursor",
        "    this.#cursor = (await this.#deliveries.cursor()) ?? 0",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/hub.ts",
    ["tests/dashboard/live/hub-lists.test.ts"],
    [
      [
        "the figures come seconds after a reader has tried again",
        "        this.#owed.now()\n        this.#count()\n        return",
        "        this.#owed.now()\n        return",
      ],
      [
        "a server that was lost is waited for although another one is there",
        "    if (isNew && this.#isReloading) void this.#reload()\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/owed-lists.ts",
    ["tests/dashboard/live/owed-lists.test.ts"],
    [
      [
        "a list that fails after everything was read waits as long as an earlier one",
        "    this.#owed.clear()\n    this.now()",
        "    this.#owed.clear()",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/hub.ts",
    ["tests/dashboard/live/hub-lists.test.ts"],
    [
      [
        "a list is read on although everything was read again",
        "    this.#owed.clear()\n    for (let times = 0; ; times += 1) {",
        "    for (let times = 0; ; times += 1) {",
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/counts.ts",
    ["tests/dashboard/model/tab-and-headings.test.ts"],
    [
      [
        "lost items are no failures of the last hour",
        "failed: last_hour.failed + last_hour.lost",
        "failed: last_hour.failed",
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/model.ts",
    ["tests/dashboard/model/changes.test.ts"],
    [["what was read again is not drawn again", "    this.#all = true\n", ""]],
  ),
  ...of(
    "src/renderers/nested-counts.ts",
    ["tests/renderers/counted-bars.test.ts"],
    [
      [
        "a new bar inside the last counted thing is the next work",
        "    if (innermost) innermost.hasInner = true\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/renderers/failures-in-flood.ts",
    ["tests/renderers/failures-in-flood.test.ts"],
    [["a failure in a flood of UTF-16 is not read", " || all.includes(NUL)", ""]],
  ),
]
