import { type Mistake, of } from "./mistake.ts"

/** Mistakes in what one stream sends: its opening, its replay, its selection and its end. */
export const VIEWERS: readonly Mistake[] = [
  ...of(
    "src/stream/viewer.ts",
    ["tests/stream/queue-pause.test.ts"],
    [
      [
        "an open stream does not say that the queue was paused",
        "this.pause !== broadcaster.pause &&",
        "this.pause === undefined &&",
      ],
    ],
  ),
  ...of(
    "src/stream/history-reader.ts",
    ["tests/stream/queue-pause.test.ts"],
    [
      [
        "a stream that opens while the queue is paused does not say it",
        "before === seat.pause ? seat.pause.opening : seat.pause.change",
        "NO_PAUSE.opening",
      ],
    ],
  ),
  ...of(
    "src/stream/queue-pause.ts",
    ["tests/stream/queue-pause.test.ts"],
    [
      [
        "whether the queue is paused is not read again after a failure",
        "this.#due ??= setTimeout(() => void this.#lookNow(), RETRY_MS)",
        "",
      ],
      [
        "a slow answer replaces a newer one",
        "this.#reading.catch(() => undefined).then(() => this.#read())",
        "this.#read()",
      ],
    ],
  ),
  ...of(
    "src/stream/one-item-viewer.ts",
    ["tests/http/bound.test.ts"],
    [
      [
        "a viewer of one item learns the newest event ID of all",
        'if (control.event === "live" || control.event === "end") return',
        'if (control.event === "end") return',
      ],
    ],
  ),
  ...of(
    "src/stream/one-item-viewer.ts",
    ["tests/stream/one-item-viewer.test.ts"],
    [
      [
        "the end of a stream shows the newest event ID to a viewer of one item",
        'control.event === "live" || control.event === "end"',
        'control.event === "live"',
      ],
    ],
  ),
  ...of(
    "src/stream/opening.ts",
    ["tests/stream/orders.test.ts"],
    [
      ["a resume at an event ID that is not kept gets no gap", "if (!isKept(from, bounds)) return null", ""],
      [
        "what follows the first page of a resume is passed over",
        "return more ? null : new Opening(head,",
        "return new Opening(head,",
      ],
    ],
  ),
  ...of(
    "src/stream/opening.ts",
    ["tests/stream/streams.test.ts"],
    [["a deleted item counts as one that is still to come", "if (ids.length > 0) throw error", ""]],
  ),
  ...of(
    "src/stream/opening.ts",
    ["tests/stream/opening.test.ts"],
    [
      [
        "a stream of one item that wants no state gets it",
        "return snapshot ? item : item.bare",
        "return item",
      ],
      [
        "a client that has seen what another instance stored gets a gap",
        "return seen > bounds.newest ? this.#history.bounds(queueId) : bounds",
        "return bounds",
      ],
    ],
  ),
  ...of(
    "src/stream/opening.ts",
    [
      "tests/stream/stream-limits.test.ts",
      "tests/stream/reading-turns.test.ts",
      "tests/stream/broadcaster.test.ts",
      "tests/stream/opening.test.ts",
      "tests/stream/interleaving.test.ts",
      "tests/stream/orders.test.ts",
      "tests/stream/rollback.test.ts",
      "tests/stream/thin.test.ts",
    ],
    [
      ["a client that is ahead of this server is told of a gap", "seen > bounds.newest ?", "seen < 0 ?"],
      [
        "an item that was touched since is taken for what it was",
        "this.#broadcaster.tail.after(head, queueId, 0) !== null",
        "true",
      ],
    ],
  ),
  ...of(
    "src/stream/history-reader.ts",
    ["tests/stream/distance.test.ts"],
    [
      [
        "a stream skips one update too early",
        "history.count(cursor, broadcaster.head, queueId))) > maxLag",
        "history.count(cursor, broadcaster.head, queueId))) >= maxLag",
      ],
    ],
  ),
  ...of(
    "src/stream/history-reader.ts",
    ["tests/stream/unreadable-updates.test.ts"],
    [
      [
        "what a database that is away cannot give is called damaged",
        "if (!isAway(error) || !this.#isWatched) throw error",
        "throw error",
      ],
      [
        "a filtered stream learns how many updates of others cannot be read",
        "missed: isEverything ? one.count : null",
        "missed: one.count",
      ],
      [
        "a stream of one item shows others where the history is damaged",
        '        (one) => one.type === "hole" || one.update.queue_id === (queueId ?? one.update.queue_id),',
        '        (one) => one.type === "hole" || one.update.queue_id > 0,',
      ],
    ],
  ),
  ...of(
    "src/stream/history-reader.ts",
    ["tests/stream/lag.test.ts"],
    [
      [
        "a slow stream gets more missed updates reported than it missed",
        "wanted ? null : between - ids.length",
        "wanted ? null : between",
      ],
      [
        "the updates that a slow stream gets count as missed",
        "const missed = wanted ? null : between - ids.length",
        "const missed = wanted ? null : between",
      ],
    ],
  ),
  ...of(
    "src/stream/history-reader.ts",
    ["tests/stream/replay.test.ts"],
    [
      [
        "a page beyond the head leaves the cursor behind it, and the updates are sent twice",
        "this.#seat.cursor = more ? last : Math.max(last, head, after)",
        "this.#seat.cursor = more ? last : head",
      ],
    ],
  ),
  ...of(
    "src/stream/history-reader.ts",
    ["tests/stream/resuming.test.ts"],
    [
      [
        "a stream that has not said live yet is told that it is slow",
        "this.#seat.liveAt !== undefined || !isFar",
        "!isFar",
      ],
    ],
  ),
  ...of(
    "src/stream/shared-reads.ts",
    ["tests/stream/opening.test.ts"],
    [["a read that failed is remembered", "() => isKept() && this.#entries.delete(name)", "() => undefined"]],
  ),
  ...of(
    "src/stream/selection.ts",
    ["tests/http/routes/websockets.test.ts"],
    [["an item that is subscribed begins with what is still to come", "update.id <= cursor && (", "("]],
  ),
  ...of(
    "src/stream/selection.ts",
    ["tests/stream/selection.test.ts"],
    [
      ["an item that is watched already is told of again", ".filter((id) => !known?.has(id))", ""],
      ["one item fewer can be chosen", "if (chosen.size > MAX_CHOSEN) {", "if (chosen.size >= MAX_CHOSEN) {"],
      [
        "a socket chooses more items than it may, little by little",
        "if (chosen.size > MAX_CHOSEN)",
        "if (ids.length > MAX_CHOSEN)",
      ],
      [
        "a socket with until=finished may unsubscribe from its item",
        "  #unsubscribe(ids: readonly number[]): void {\n    this.#mayChange()\n",
        "  #unsubscribe(ids: readonly number[]): void {\n",
      ],
      [
        "a socket of one item that subscribes to another gets nothing of that",
        "!(this.#ids?.size === 1 && this.#ids.has(queueId))",
        "!this.#ids?.has(queueId)",
      ],
    ],
  ),
  ...of(
    "src/stream/streams.ts",
    ["tests/stream/orders.test.ts"],
    [["who has seen the end waits for it", "seen >= last.id &&", "seen > last.id &&"]],
  ),
  ...of(
    "src/stream/streams.ts",
    ["tests/stream/replay.test.ts"],
    [
      [
        "a client of another history with a high event ID is told that its item is finished",
        "&& seen >= last.id && seen <= head",
        "&& seen >= last.id",
      ],
    ],
  ),
  ...of(
    "src/stream/streams.ts",
    ["tests/http/stream-list.test.ts"],
    [
      [
        "the streams that lag least are listed first",
        "b.lag - a.lag || a.openedMs",
        "a.lag - b.lag || a.openedMs",
      ],
    ],
  ),
  ...of(
    "src/stream/viewer.ts",
    ["tests/stream/rollback.test.ts"],
    [
      [
        "after updates were lost a stream ends by a status that is no longer true",
        "    this.last = undefined\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/stream/viewer.ts",
    [
      "tests/stream/leaving.test.ts",
      "tests/stream/stream-limits.test.ts",
      "tests/stream/reading-turns.test.ts",
      "tests/stream/broadcaster.test.ts",
      "tests/stream/opening.test.ts",
      "tests/stream/interleaving.test.ts",
      "tests/stream/orders.test.ts",
      "tests/stream/rollback.test.ts",
      "tests/stream/thin.test.ts",
    ],
    [
      [
        "a stream whose client has left keeps its seat until the next update",
        '    this.#ending ??= "left"\n    this.keeper?.leave(this)',
        '    this.#ending ??= "left"',
      ],
      [
        "a question passes over what is not examined",
        'this.wake("asked", this.#shared.broadcaster.examined)',
        'this.wake("asked", this.#shared.broadcaster.head)',
      ],
      [
        "a stream that waits for the end does not see it come",
        "this.last = lastSeen(this.request, list, this.last)",
        "void 0",
      ],
      ["a full socket is not waited for", "if (next instanceof Promise) this.#blocked = next", "void next"],
      ["a stream that was revoked goes on", " || this.owner?.hasEnded === true", ""],
      [
        "live comes before what was missed",
        "if (this.liveAt !== undefined && this.cursor >= this.liveAt) return this.#live()",
        "if (this.liveAt !== undefined) return this.#live()",
      ],
      [
        "a keepalive during a read drops what is blocked",
        "if (!(written instanceof Promise)) return\n    this.#blocked = written",
        "if (!(written instanceof Promise)) return",
      ],
    ],
  ),
  ...of(
    "src/stream/viewer.ts",
    ["tests/stream/orders.test.ts"],
    [
      [
        "a page is sent to a client that has not read the keepalive before it",
        "        if (this.#blocked) await this.#unblocked()\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/stream/one-item-viewer.ts",
    ["tests/stream/one-item-viewer.test.ts"],
    [
      [
        "the viewer of one item goes back to nothing after each gap",
        'control.reason === "rolled_back" && this.#given === undefined',
        "this.#given === undefined",
      ],
      [
        "the viewer of one item that has seen all of it is told of a gap",
        "const isAhead = given !== undefined && given > last",
        "const isAhead = given !== undefined && given >= last",
      ],
    ],
  ),
  ...of(
    "src/stream/selection.ts",
    ["tests/stream/selection.test.ts"],
    [
      [
        "the items of others are shown when they are added by choice",
        "update.id <= cursor && (this.#among?.(update) ?? true)",
        "update.id <= cursor",
      ],
      [
        "one more question than may be waits for its answer",
        "this.#asked.length >= MAX_ASKED",
        "this.#asked.length > MAX_ASKED",
      ],
    ],
  ),
  ...of(
    "src/stream/sse-ndjson-text.ts",
    ["tests/stream/sse-ndjson-text.test.ts"],
    [
      [
        "a format without a quality is wanted half",
        "q === undefined ? 1 : Number(q.slice(2))",
        "q === undefined ? 0.5 : Number(q.slice(2))",
      ],
    ],
  ),
  ...of(
    "src/stream/item-end.ts",
    ["tests/stream/opening.test.ts", "tests/stream/sse-ndjson-text.test.ts"],
    [["every stream of one item ends with it", "(untilFinished ? (", "(true ? ("]],
  ),
  ...of(
    "src/stream/viewer.ts",
    ["tests/stream/stream-metrics.test.ts"],
    [
      [
        "of several updates at once the first says whether the item has ended",
        "lastSeen(this.request, list, this.last)",
        "lastSeen(this.request, list.slice(0, 1), this.last)",
      ],
    ],
  ),
  ...of(
    "src/stream/viewer.ts",
    ["tests/stream/rollback.test.ts"],
    [
      [
        "a stream whose updates were lost says live twice",
        "    this.last = undefined\n    this.liveAt = undefined\n",
        "    this.last = undefined\n",
      ],
    ],
  ),
]
