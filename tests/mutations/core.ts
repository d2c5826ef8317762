import { type Mistake, of } from "./mistake.ts"

/** Mistakes in the core that no test had noticed: in items, queue, store, streams, webhooks, upkeep, worker and client. */
export const CORE: readonly Mistake[] = [
  ...of(
    "src/item/report.ts",
    ["tests/item/report.test.ts"],
    [
      [
        "a report without progress takes a guess of the command itself back",
        "const isTakeover = report.outer === undefined && !work.has_inner",
        "const isTakeover = report.outer === undefined",
      ],
    ],
  ),
  ...of(
    "src/item/pace.ts",
    ["tests/item/pace.test.ts"],
    [
      [
        "what is counted keeps an attempt from being stalled whose progress is known",
        "work.done === 0 && goesOn",
        "goesOn",
      ],
    ],
  ),
  ...of(
    "src/item/update.ts",
    ["tests/item/item.test.ts"],
    [["a progress by time of 0 is not sent", "if (item.time_progress !== null)", "if (item.time_progress)"]],
  ),
  ...of(
    "src/item/moves.ts",
    ["tests/item/report.test.ts"],
    [
      [
        "a completed item still says on what its progress rested",
        'outcome: "completed", basis: null,',
        'outcome: "completed",',
      ],
    ],
  ),
  ...of(
    "src/queue/output.ts",
    ["tests/queue/output.test.ts"],
    [
      [
        "a follower of an earlier attempt ends before the last one",
        "return isFinished(item.status) && !isOther",
        "return isFinished(item.status)",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/sqlite.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [
      [
        "after a failed commit an item that was claimed is remembered as it never was",
        "      taken.push(first.id)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/claim-by-tags.ts",
    ["tests/store/sqlite/claim-by-tags.test.ts"],
    [["a worker with many tags gets an item whose time has not come", "isReady === 1 && fits(", "fits("]],
  ),
  ...of(
    "src/store/sqlite/restore.ts",
    ["tests/store/sqlite/restored.test.ts"],
    [
      [
        "a restore counts one update more than are kept",
        "resumed + 1 - lastUpdate)",
        "resumed - lastUpdate)",
      ],
      [
        "a restore that fails at its last step leaves the database under another name",
        'before === null ? [] : ["-wal", ""]',
        "[]",
      ],
      [
        "a restore removes the log of the database that was there",
        "    if (before !== null) moveIfThere(`${target}-wal`, `${before}-wal`)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/stream/one-item-viewer.ts",
    ["tests/stream/one-item-viewer.test.ts"],
    [
      [
        "a slow viewer of one item learns how far the whole queue is",
        'control.reason === "slow" || control.reason === "unreadable"',
        'control.reason === "unreadable"',
      ],
    ],
  ),
  ...of(
    "src/stream/stream-limits.ts",
    ["tests/stream/stream-limits.test.ts"],
    [
      [
        "an owner without limits has no more streams than others",
        "owner?.isLimited === true && mostOfOwner > 0",
        "owner !== undefined && mostOfOwner > 0",
      ],
    ],
  ),
  ...of(
    "src/webhooks/webhooks.ts",
    ["tests/webhooks/store-faults.test.ts"],
    [
      [
        "an answer that comes at the stop is asked for again",
        "if (signal.aborted && reply.status === null)",
        "if (signal.aborted)",
      ],
    ],
  ),
  ...of(
    "src/upkeep/retention.ts",
    ["tests/upkeep/retention.test.ts"],
    [
      ["minutes of service beyond an hour are lost", "this.#unstored -= minutes", "this.#unstored = 0"],
      [
        "runs of ever new kinds are kept for ever",
        "    await this.#repeat(() => this.#upkeep.forgetRuns(KEEP_RUNS, BATCH))\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/stream/viewer.ts",
    ["tests/stream/resuming.test.ts"],
    [
      [
        "a stream that resumes ends by an update that is still to come",
        "if (request.lastEventId === undefined) this.last =",
        "this.last =",
      ],
    ],
  ),
  ...of(
    "src/client/reconnecting.ts",
    ["tests/client/reconnecting.test.ts"],
    [
      [
        "after a failure a client waits for less than the server asks",
        "mostMs: Math.max(retryMs, MAX_RETRY_MS)",
        "mostMs: MAX_RETRY_MS",
      ],
    ],
  ),
  ...of(
    "src/runner/reporter.ts",
    ["tests/runner/reporter.test.ts"],
    [
      [
        "after a standstill no heartbeat is held any more",
        "      this.#isWoken = false\n      try",
        "      try",
      ],
    ],
  ),
  ...of(
    "src/runner/output-spool.ts",
    ["tests/runner/output-spool.test.ts"],
    [
      [
        "data that is no text is not counted in the places of what follows",
        "      this.#end += Math.max(0, from - lines.to)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/item/moves.ts",
    ["tests/item/report.test.ts"],
    [
      [
        "a failed item still says what it counted",
        "completed_at: now,\n        ...unknownPace(),",
        "completed_at: now,",
      ],
    ],
  ),
  ...of(
    "src/client/requests.ts",
    ["tests/client/requests.test.ts"],
    [
      [
        "the letters of an answer that is cut in one are broken",
        "text += decoder.decode(read.value, { stream: true })",
        "text += decoder.decode(read.value)",
      ],
    ],
  ),
  ...of(
    "src/queue/workers.ts",
    ["tests/queue/claim-left.test.ts"],
    [
      [
        "a claim that waits is not answered at a stop",
        "    this.#unlisten()\n    this.#waiting.ringAll()\n",
        "    this.#unlisten()\n",
      ],
      [
        "a claim of a worker that was drained at another server waits on",
        "if (this.presence.learn(others)) this.#waiting.ringAll()",
        "this.presence.learn(others)",
      ],
    ],
  ),
  ...of(
    "src/queue/ingest.ts",
    ["tests/queue/ingest-silence.test.ts"],
    [["only the first text that is kept of a flood is read later", "        this.#hasAsked = false\n", ""]],
  ),
  ...of(
    "src/queue/output.ts",
    ["tests/queue/output.test.ts"],
    [
      [
        "pieces of an earlier attempt say that they began with the last one",
        "this.#begunMs = attempt === item.attempt ? msOf(item) : undefined",
        "this.#begunMs = msOf(item)",
      ],
    ],
  ),
  ...of(
    "src/stream/selection.ts",
    ["tests/stream/selection.test.ts"],
    [
      [
        "an added item lacks the state of the last update that was examined",
        "update.id <= cursor",
        "update.id < cursor",
      ],
      [
        "who may know of one item alone can add others",
        "    if (only && other !== undefined) throw only.refusal(other)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/stream/viewer.ts",
    ["tests/stream/resuming.test.ts"],
    [
      [
        "a pause is said in the middle of a replay, and again before live",
        'this.kind === "global" && this.liveAt === undefined)',
        'this.kind === "global")',
      ],
    ],
  ),
  ...of(
    "src/stream/viewer.ts",
    ["tests/stream/stream-limits.test.ts"],
    [
      [
        "a client that does not read is sent one keepalive after the other",
        "(this.#isReading && this.#sink !== undefined && this.#blocked === undefined)",
        "(this.#isReading && this.#sink !== undefined)",
      ],
    ],
  ),
  ...of(
    "src/item/report.ts",
    ["tests/item/report.test.ts"],
    [
      [
        "the progress in a step of an unknown number of steps is no number",
        "if (step === null || step.total === 0) {",
        "if (step === null) {",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/backup.ts",
    ["tests/store/sqlite/check.test.ts"],
    [["a backup that fails leaves its copy", "} catch (error) {\n    remove(copy)\n", "} catch (error) {\n"]],
  ),
  ...of(
    "src/upkeep/retention.ts",
    ["tests/upkeep/retention.test.ts"],
    [["a stop waits until everything old is removed", "while (!this.isStopped) {", "for (;;) {"]],
  ),
  ...of(
    "src/client/event-parser.ts",
    ["tests/client/reconnecting.test.ts"],
    [
      [
        "an event without an ID has that of the one before",
        '    this.#event = ""\n    this.#id = undefined\n',
        '    this.#event = ""\n',
      ],
    ],
  ),
  ...of(
    "src/client/reconnecting.ts",
    ["tests/client/reconnecting.test.ts"],
    [
      [
        "a client does not say that the server has shut down",
        "const { said, ending, reason = ended } = understood\n    ended = reason",
        "const { said, ending } = understood",
      ],
    ],
  ),
  ...of(
    "src/stream/one-item-viewer.ts",
    ["tests/stream/rollback.test.ts"],
    [
      [
        "after a restore the viewer of one item is given an event ID that is gone",
        "      this.#last = 0\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/stream/history-reader.ts",
    ["tests/stream/rollback.test.ts"],
    [
      [
        "a stream that begins again does not say that the queue goes on",
        "return before === seat.pause ? seat.pause.opening : seat.pause.change",
        "return seat.pause.opening",
      ],
    ],
  ),
  ...of(
    "src/stream/shared-snapshots.ts",
    ["tests/stream/shared-snapshots.test.ts"],
    [
      [
        "a stream is sent a page of another snapshot",
        "page.ids === ids && page.from === from",
        "page.from === from",
      ],
    ],
  ),
  ...of(
    "src/stream/shared-pages.ts",
    ["tests/stream/shared-pages.test.ts"],
    [
      [
        "the last page is kept, though it grows",
        "more && this.#broadcaster.rings === rings",
        "this.#broadcaster.rings === rings",
      ],
    ],
  ),
  ...of(
    "src/stream/unreadable-updates.ts",
    ["tests/stream/unreadable-updates.test.ts"],
    [
      [
        "the rest of a page that cannot be read is passed over",
        "return others && [...updates, ...others]",
        "return [...updates, ...(others ?? [])]",
      ],
    ],
  ),
  ...of(
    "src/item/stalled.ts",
    ["tests/item/pace.test.ts"],
    [["a stalled item still has a band", "    ...UNFORESEEN,\n", ""]],
  ),
  ...of(
    "src/queue/ingest.ts",
    ["tests/queue/ingest-silence.test.ts"],
    [
      [
        "an output that broke off at its total completes the item",
        "if (hasEnded && isWhole(reached ?? 0))",
        "if (isWhole(reached ?? 0))",
      ],
    ],
  ),
]
