import { type Mistake, of } from "./mistake.ts"

/** Mistakes in what streams share: batches, beats, turns of reading. Those in keepalives are in `common.ts`. */
export const STREAM: readonly Mistake[] = [
  ...of(
    "src/stream/broadcaster.ts",
    ["tests/stream/stream-limits.test.ts"],
    [
      ["a stream that has left still counts for its owner", "if (seat.owner) seat.owner.streams -= 1", ""],
      [
        "a stream that reads the history goes on for a token that was revoked",
        "    owner.hasEnded = true\n    for",
        "    for",
      ],
    ],
  ),
  ...of(
    "src/stream/broadcaster.ts",
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
      [
        "what is announced counts as examined at once",
        "await waking\n    this.#examined = last.id",
        "this.#examined = last.id\n    await waking",
      ],
      ["a ring during a tick is lost", "if (this.#isRung) this.#ring()\n    })", "})"],
      ["lost updates are not noticed", "if (bounds && this.#hasLost(previous, bounds.lost)) return true", ""],
      [
        "a history that cannot be read is not tried again",
        "setTimeout(() => this.#ring(), RETRY_MS)",
        "void RETRY_MS",
      ],
      [
        "a page that was read for others is taken for the next ones",
        "if (this.#followed !== followed || this.#seats.size === 0) return true",
        "",
      ],
    ],
  ),
  ...of(
    "src/stream/broadcaster.ts",
    ["tests/stream/broadcaster.test.ts"],
    [
      [
        "after an error of reading nothing is read until the next ring",
        "      this.#onError(error)\n      setTimeout(() => this.#ring(), RETRY_MS)",
        "      this.#onError(error)",
      ],
      [
        "a stream whose owner may watch no more waits for ever",
        '    seat.wake("over")\n    if (this.#seats.size === 0) this.#unfollow()',
        "    if (this.#seats.size === 0) this.#unfollow()",
      ],
      [
        "a request that is over before its stream begins keeps a seat",
        "    if (signal?.aborted) return undefined\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/stream/broadcaster.ts",
    ["tests/stream/orders.test.ts"],
    [
      [
        "a stream that opens after a ring waits for the read that is under way, which may be older",
        "if (this.#isRung) return (this.#nextRead ??= expected()).promise",
        "if (this.#isRung) return (this.#read ??= expected()).promise",
      ],
    ],
  ),
  ...of(
    "src/stream/stream-limits.ts",
    ["tests/stream/stream-limits.test.ts"],
    [
      [
        "an owner may have one stream too many",
        "owner.streams >= mostOfOwner",
        "owner.streams > mostOfOwner",
      ],
    ],
  ),
  ...of(
    "src/stream/gaps.ts",
    ["tests/stream/orders.test.ts"],
    [["who has seen all that was thinned is told of a gap", "eventId >= oldest - 1", "eventId >= oldest"]],
  ),
  ...of(
    "src/stream/gaps.ts",
    ["tests/stream/rollback.test.ts"],
    [
      ["a gap counts event IDs that no update has", "missed - (upTo + 1 - after)", "missed"],
      ["one update too many counts as expired", "oldest - 1 - eventId)", "oldest - eventId)"],
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
      ["an owner whose stints are over counts as having them still", "      line.running -= 1\n", ""],
    ],
  ),
  ...of(
    "src/stream/unreadable-updates.ts",
    ["tests/stream/unreadable-updates.test.ts"],
    [["a hole begins one update too late", "after: id - 1, count: 1", "after: id, count: 1"]],
  ),
  ...of(
    "src/stream/tail.ts",
    ["tests/stream/opening.test.ts"],
    [
      [
        "a stream in the middle of a batch gets it whole",
        "eventId <= batch.previous ? frames",
        "eventId < batch.head ? frames",
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
    "src/stream/thinning.ts",
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
      ["a thinned stream does not tell of every end", "isFinished(frame.update.status) ||", ""],
      [
        "what came last before a pause is not sent",
        "if (this.#waitMs > 0) this.again()",
        "if (this.#waitMs > 0) return",
      ],
    ],
  ),
  ...of(
    "src/stream/thinning.ts",
    ["tests/stream/thin.test.ts"],
    [
      [
        "after the first beat a thinned stream is woken by each batch",
        "    this.#lastMs = performance.now()\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/stream/broadcaster.ts",
    ["tests/stream/opening.test.ts"],
    [
      [
        "what was stored while nobody watched is missing for those who resume",
        "    this.#isFollowing = false\n    this.tail.clear()",
        "    this.#isFollowing = false",
      ],
    ],
  ),
  ...of(
    "src/stream/tail.ts",
    ["tests/stream/tail.test.ts"],
    [
      [
        "a stream that is behind takes all at once, however much it is",
        "at < batches.length && size < TAKEN_SIZE",
        "at < batches.length && size >= 0",
      ],
    ],
  ),
  ...of(
    "src/stream/broadcaster.ts",
    ["tests/stream/stream-metrics.test.ts"],
    [
      [
        "the time of delivery is measured from the last ring",
        "if (!this.#isRung) this.#rungMs = performance.now()",
        "this.#rungMs = performance.now()",
      ],
    ],
  ),
  ...of(
    "src/stream/broadcaster.ts",
    ["tests/stream/rollback.test.ts"],
    [
      [
        "an event ID that was lost counts as one that the tail has",
        "eventId > this.#head || lossOf(eventId, this.#lost)) return false",
        "eventId > this.#head) return false",
      ],
      [
        "what another instance sent and was lost is unknown here",
        "    this.#lost = lost\n    const loss = lossOf(previous, lost)\n    if (!loss) return false\n",
        "    const loss = lossOf(previous, lost)\n    if (!loss) return false\n    this.#lost = lost\n",
      ],
      [
        "openings from before updates were lost are still given",
        "    this.#examined = this.#head\n    this.#rings += 1\n",
        "    this.#examined = this.#head\n",
      ],
      [
        "the tail keeps updates that were lost",
        "    this.#rings += 1\n    this.tail.clear()",
        "    this.#rings += 1",
      ],
      [
        "what was lost before the first stream follows is not known",
        "      this.#examined = newest\n      this.#lost = lost\n",
        "      this.#examined = newest\n",
      ],
    ],
  ),
  ...of(
    "src/stream/queue-pause.ts",
    ["tests/stream/queue-pause.test.ts"],
    [["whether the queue is paused is read at every ring", "    this.#lookedMs = performance.now()\n", ""]],
  ),
  ...of(
    "src/stream/reading-turns.ts",
    ["tests/stream/reading-turns.test.ts"],
    [
      [
        "the owner who was served stays first in line",
        "      this.#lines.delete(owner)\n      this.#lines.set(owner, line)\n      return begin()",
        "      return begin()",
      ],
    ],
  ),
  ...of(
    "src/stream/stream-limits.ts",
    ["tests/stream/stream-limits.test.ts"],
    [
      [
        "clients that were refused come back at once, perhaps",
        "BUSY_RETRY_MS * (1 + random())",
        "BUSY_RETRY_MS * random()",
      ],
    ],
  ),
  ...of(
    "src/stream/tail.ts",
    ["tests/stream/tail.test.ts"],
    [
      [
        "thinned streams that begin at one place take a list that has grown old",
        "known?.after === cursor && known.head === head",
        "known?.after === cursor",
      ],
    ],
  ),
  ...of(
    "src/stream/viewer.ts",
    ["tests/stream/stream-metrics.test.ts"],
    [
      [
        "an idle client that leaves after a long silence counts as slow",
        "!this.isIdle && performance.now() - this.saidMs > SLOW_MS",
        "performance.now() - this.saidMs > SLOW_MS",
      ],
    ],
  ),
  ...of(
    "src/stream/history-reader.ts",
    ["tests/stream/unreadable-updates.test.ts"],
    [
      [
        "a database that is away is asked on for a client that has left",
        "if (!isAway(error) || !this.#isWatched) throw error",
        "if (!isAway(error)) throw error",
      ],
    ],
  ),
  ...of(
    "src/stream/thinning.ts",
    ["tests/stream/thin.test.ts"],
    [["a beat that was stopped strikes once more", "    clearTimeout(this.#next)\n", ""]],
  ),
  ...of(
    "src/stream/opening.ts",
    ["tests/stream/rollback.test.ts"],
    [
      [
        "an item's state that is older than the tail counts as the latest",
        "this.#broadcaster.covers(head) && this.#broadcaster.tail.after(head, queueId, 0) !== null",
        "this.#broadcaster.tail.after(head, queueId, 0) !== null",
      ],
    ],
  ),
  ...of(
    "src/stream/opening.ts",
    ["tests/stream/opening.test.ts"],
    [
      [
        "as many open items as are shared are read by each stream",
        "if (ids.length > MOST_UPDATES) return null",
        "if (ids.length >= MOST_UPDATES) return null",
      ],
      ["reconnection times differ by twice as much", "/ (2 * RETRY_STEPS)))", "/ RETRY_STEPS))"],
    ],
  ),
  ...of(
    "src/stream/shared-lists.ts",
    ["tests/stream/queue-pause.test.ts"],
    [
      [
        "a stream opens with the pause of an earlier one",
        "kept?.pause === pause ? kept.lists",
        "kept ? kept.lists",
      ],
    ],
  ),
  ...of(
    "src/stream/queue-pause.ts",
    ["tests/stream/queue-pause.test.ts"],
    [
      [
        "a pause that cannot be read is read again without a pause",
        "this.#due ??= setTimeout(() => void this.#lookNow(), RETRY_MS)",
        "this.#due ??= setTimeout(() => void this.#lookNow(), 0)",
      ],
      ["a pause is never read again", "(this.#due)\n    this.#due = undefined", "(this.#due)"],
    ],
  ),
  ...of(
    "src/stream/history-reader.ts",
    ["tests/stream/unreadable-updates.test.ts"],
    [
      [
        "a page that cannot be read for a moment counts as damaged",
        "        onError(error)\n        await retryPause()\n        return read()",
        "        throw error",
      ],
    ],
  ),
  ...of(
    "src/stream/stream-limits.ts",
    ["tests/stream/stream-metrics.test.ts"],
    [
      [
        "a stream that is refused for lack of room is not counted",
        '  metrics.refused.of("streams").add()\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/stream/viewer.ts",
    ["tests/stream/reading-turns.test.ts"],
    [
      [
        "keepalives that are sent during a read are not counted",
        "    if (!chunk) return\n    this.#shared.metrics.bytes.add(this.request.format.size(chunk))\n",
        "    if (!chunk) return\n",
      ],
    ],
  ),
  ...of(
    "src/stream/viewer.ts",
    ["tests/stream/stream-metrics.test.ts"],
    [
      [
        "all clients come back from a drain at the same time",
        "DRAIN_RETRY_SPREAD_MS * this.#shared.random()",
        "DRAIN_RETRY_SPREAD_MS",
      ],
    ],
  ),
]
