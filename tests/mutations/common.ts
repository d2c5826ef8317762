import { type Mistake, of } from "./mistake.ts"

/** Mistakes in what is done for many streams at once: keepalives, and reads that they share. */
export const COMMON: readonly Mistake[] = [
  ...of(
    "src/stream/keepalives.ts",
    ["tests/stream/stream-limits.test.ts"],
    [["a silent stream gets a keepalive at every look", "        seat.saidMs = nowMs\n", ""]],
  ),
  ...of(
    "src/stream/keepalives.ts",
    ["tests/stream/keepalives.test.ts"],
    [
      [
        "only the first silent streams get a keepalive",
        "      if (from + SLICE < silent.length) setImmediate(slice, from + SLICE)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/stream/shared-reads.ts",
    ["tests/stream/shared-reads.test.ts"],
    [
      [
        "a read that fails late drops what was read after it",
        "() => isKept() && this.#entries.delete(name)",
        "() => this.#entries.delete(name)",
      ],
    ],
  ),
  ...of(
    "src/stream/reading-turns.ts",
    ["tests/stream/reading-turns.test.ts"],
    [
      [
        "an owner whose reading ends may read more at the same time than it may",
        "line.running === 0 && line.waiting.length === 0",
        "line.waiting.length === 0",
      ],
    ],
  ),
  ...of(
    "src/stream/streams.ts",
    ["tests/stream/leaving.test.ts"],
    [
      [
        "a change that comes while the last one is looked at is missed",
        "        seat.cursor = broadcaster.head\n        yield\n",
        "        yield\n        seat.cursor = broadcaster.head\n",
      ],
    ],
  ),
  ...of(
    "src/stream/broadcaster.ts",
    ["tests/stream/rollback.test.ts"],
    [
      [
        "what was read for streams that have left moves the others back",
        "if (this.#followed !== followed || this.#seats.size === 0) return true",
        "if (this.#seats.size === 0) return true",
      ],
    ],
  ),
]
