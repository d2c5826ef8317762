import { type Mistake, of } from "./mistake.ts"

/** Mistakes in keepalives. */
export const KEEPALIVES: readonly Mistake[] = [
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
]
