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
]
