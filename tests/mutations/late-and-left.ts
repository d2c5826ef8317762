import { type Mistake, of } from "./mistake.ts"

/** Mistakes about what comes late, what is left behind, and what only looks the same. */
export const LATE_AND_LEFT: readonly Mistake[] = [
  ...of(
    "src/runner/own-lease.ts",
    ["tests/runner/own-lease.test.ts"],
    [
      [
        "the late answer that an earlier lease was lost drops the present one",
        "    if (this.#held === held) this.#held = undefined\n",
        "    this.#held = undefined\n",
      ],
    ],
  ),
  ...of(
    "src/runner/kill-guard.ts",
    ["tests/runner/kill-guard.test.ts"],
    [["a guard without commands is looked at for ever", "        void this.#looking?.stop()\n", ""]],
  ),
  ...of(
    "src/stream/viewer.ts",
    ["tests/stream/resuming.test.ts"],
    [
      [
        "a stream ends by an end after which its item has gone on",
        "    if (this.cursor >= broadcaster.head) return this.#hasSeenEnd",
        "    if (this.cursor >= broadcaster.head || this.#hasSeenEnd) return this.#hasSeenEnd",
      ],
    ],
  ),
  ...of(
    "src/stream/selection.ts",
    ["tests/stream/selection.test.ts"],
    [
      [
        "a choice that is refused is kept all the same",
        "    const known = this.#ids\n    const added",
        "    const known = this.#ids\n    this.#ids = chosen\n    const added",
      ],
    ],
  ),
  ...of(
    "src/stream/reading-turns.ts",
    ["tests/stream/reading-turns.test.ts"],
    [
      [
        "owners who read nothing any more are remembered for ever",
        "      if (line.running === 0 && line.waiting.length === 0) this.#lines.delete(owner)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/http/host-and-origin.ts",
    ["tests/http/host-and-origin.test.ts"],
    [
      [
        "a page whose host ours only begins like counts as ours",
        "?.host === url.host",
        "?.host.startsWith(url.host) === true",
      ],
    ],
  ),
  ...of(
    "src/http/routes/claim-and-report.ts",
    ["tests/http/routes/claim-and-report.test.ts"],
    [
      [
        "a claim repeats that of another token",
        "JSON.stringify([caller.token?.id, body.worker, body.id, given])",
        "JSON.stringify([body.worker, body.id, given])",
      ],
    ],
  ),
  ...of(
    "src/http/routes/websockets.ts",
    ["tests/http/routes/websocket-ends.test.ts"],
    [["a socket that has left is asked for a sign of life", "    this.#goneWebsockets.forget(this)\n", ""]],
  ),
  ...of(
    "src/serve/first-token.ts",
    ["tests/serve/first-token.test.ts"],
    [
      [
        "a database without tokens is served to other machines",
        "  else if (isForOthers(settings)) throw unprotected(settings)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/serve/configured-upkeep.ts",
    ["tests/serve/configured-upkeep.test.ts"],
    [
      [
        "a database that is far too large takes new items",
        'fill === "full" || room.isFarTooLarge',
        'fill === "full"',
      ],
    ],
  ),
]
