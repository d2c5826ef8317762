import { type Mistake, of } from "./mistake.ts"

/** Mistakes in what webhooks get, and in what the queue says about workers and outputs. */
export const NOTICES: readonly Mistake[] = [
  ...of(
    "src/webhooks/webhooks.ts",
    ["tests/webhooks/repeated-and-stopped.test.ts"],
    [
      [
        "a stalled item is told of with each update",
        'isStalled(update) && !(before && isStalled(before)) ? "stalled"',
        'isStalled(update) ? "stalled"',
      ],
      [
        "a bell that rings while the history is read is not heard",
        "        this.#rung = false\n        while (await this.#read());",
        "        while (await this.#read());\n        this.#rung = false",
      ],
      [
        "a stop counts as a failure of the receiver",
        "    if (signal.aborted && reply.status === null) return this.#deliveries.giveBack(delivery.id)\n",
        "",
      ],
      [
        "a secret in the query of a webhook is shown",
        'pathname === "/" && search === "" ? "/" : "/..."',
        'pathname === "/" ? "/" : "/..."',
      ],
      [
        "webhooks that are stopped still listen",
        "  async stop(): Promise<void> {\n    this.#unlisten()\n",
        "  async stop(): Promise<void> {\n",
      ],
      ["a receiver that is gone is asked for a day", "if (answer === GONE || isOver)", "if (isOver)"],
      ["replies are not counted", "    this.#options.onReply?.(urlId(delivery.url), reply.status)\n", ""],
      [
        "after a restart webhooks read the whole history again",
        "(await this.#deliveries.cursor()) ?? 0",
        "0",
      ],
      [
        "a server without webhooks reads the history for them",
        "if (this.#options.urls.length === 0 || this.#stopped.signal.aborted) return",
        "if (this.#stopped.signal.aborted) return",
      ],
      [
        "two webhooks of one host have the same digits",
        "webhook: urlId(url),",
        "webhook: urlId(new URL(url).origin),",
      ],
      [
        "of two receivers that fail only the first is told of",
        "this.#watch(delivery, reply.error)",
        'this.#watch({ ...delivery, url: "" }, reply.error)',
      ],
    ],
  ),
  ...of(
    "src/webhooks/webhooks.ts",
    ["tests/webhooks/store-faults.test.ts"],
    [["after a thousand updates each page stores its place", "      this.#stored = last.id\n", ""]],
  ),
  ...of(
    "src/webhooks/post.ts",
    ["tests/webhooks/repeated-and-stopped.test.ts"],
    [
      ["the time of a delivery is in milliseconds", "Math.floor(now() / 1000)", "Math.floor(now())"],
      [
        "a signature can be used for another delivery",
        "`${id}.${timestampS}.${body}`",
        "`${timestampS}.${body}`",
      ],
      [
        "a secret in base64 is used as it is written",
        'Buffer.from(secret.slice(prefix.length), "base64")',
        "secret.slice(prefix.length)",
      ],
      [
        "a delivery of another history has the same id",
        "`${update_id}-${hashOf(data, 32)}`",
        "`${update_id}`",
      ],
      ["an answer of 204 is a failure", 'error: reply.ok ? "" :', 'error: reply.status === 200 ? "" :'],
      ["a delivery does not say by which program it was sent", '        "user-agent": userAgent,\n', ""],
    ],
  ),
  ...of(
    "src/queue/known-workers.ts",
    ["tests/queue/known-workers.test.ts"],
    [
      [
        "a worker has the version that a server heard first",
        "b.heardMs - a.heardMs)\n        return",
        "a.heardMs - b.heardMs)\n        return",
      ],
      [
        "of very many workers the one that was heard last is forgotten",
        "a.heardMs - b.heardMs)\n      if (silent)",
        "b.heardMs - a.heardMs)\n      if (silent)",
      ],
      [
        "a worker is idle since its last report",
        'if (status !== "processing") entry.idleMs',
        'if (status === "processing") entry.idleMs',
      ],
      [
        "a worker loses its tags by a report to another server",
        "(reports.findLast(({ isTaking }) => isTaking) ?? latest)?.tags",
        "latest?.tags",
      ],
      [
        "the starts of a worker are remembered without end",
        "entry.instances.size > MANY_INSTANCES && oldest",
        "entry.instances.size < 0 && oldest",
      ],
      [
        "each worker of another server counts as waiting",
        "this.#others.filter(({ isWaiting }) => isWaiting)",
        "this.#others",
      ],
      [
        "a drained worker is expected to take another item",
        "if (taken?.tags === null || this.isDrainingAt({ id, worker })) return null",
        "if (taken?.tags === null) return null",
      ],
    ],
  ),
  ...of(
    "src/queue/output-writer.ts",
    ["tests/queue/output-writer.test.ts"],
    [
      [
        "letters of several bytes move what follows in an output",
        "at + Buffer.byteLength(text)",
        "at + text.length",
      ],
    ],
  ),
  ...of(
    "src/queue/output.ts",
    ["tests/queue/output.test.ts"],
    [
      [
        "a silence is told of again with each look",
        '        yield { type: "keepalive" }\n        heardMs = performance.now()',
        '        yield { type: "keepalive" }',
      ],
      [
        "a reader is told that what it has read was lost",
        "missing = Math.max(0, piece.from - this.#at)",
        "missing = Math.max(0, piece.to - this.#at)",
      ],
      ["the output of a song is that of its first render by time", "msOf(b) - msOf(a)", "msOf(a) - msOf(b)"],
    ],
  ),
  ...of(
    "src/stream/tail.ts",
    ["tests/stream/tail.test.ts"],
    [
      [
        "a batch larger than all that is kept is read from the disk by each stream",
        "this.#size > KEPT_SIZE && this.#batches.length > 1",
        "this.#size > KEPT_SIZE",
      ],
      [
        "thinned streams are given the list of another place",
        "known?.after === cursor && known.head === head",
        "known?.head === head",
      ],
    ],
  ),
  ...of(
    "src/stream/viewer.ts",
    ["tests/stream/thin.test.ts"],
    [
      [
        "a thinned stream gets more at once after the current state",
        "if (this.beat) this.#noteTaken(frames)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/stream/history-reader.ts",
    ["tests/stream/thin.test.ts"],
    [
      [
        "a thinned stream that has to read the history gets each item once for each page",
        "this.#seat.beat ? thinnedPages(",
        "false ? thinnedPages(",
      ],
    ],
  ),
]
