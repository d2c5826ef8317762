import { type Mistake, of } from "./mistake.ts"

/** Mistakes in reading a server from elsewhere. */
export const CLIENT: readonly Mistake[] = [
  ...of(
    "src/client/ask.ts",
    ["tests/client/asked.test.ts"],
    [
      [
        "a claim that waits is broken off after ten seconds",
        "ANSWER_MS + (ask.heldS ?? 0) * 1000",
        "ANSWER_MS",
      ],
    ],
  ),
  ...of(
    "src/client/client.ts",
    ["tests/client/asked.test.ts"],
    [
      [
        "runs of a kind with a slash in its name cannot be forgotten",
        "`/kinds/${encodeURIComponent(kind)}/runs`",
        "`/kinds/${kind}/runs`",
      ],
    ],
  ),
  ...of(
    "src/client/connections.ts",
    ["tests/client/asked.test.ts"],
    [
      [
        "the client waits as long as any answer asks it to",
        "Math.min(refusal?.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS)",
        "refusal?.retryAfterMs ?? 0",
      ],
    ],
  ),
  ...of(
    "src/client/silence.ts",
    ["tests/client/silence.test.ts"],
    [
      [
        "a server looks dead to a client that is slow",
        "    this.#sinceMs = undefined\n    // What",
        "    // What",
      ],
      [
        "a stream is given up after one missed keepalive",
        "return 2 * everyMs + GRACE_MS",
        "return everyMs + GRACE_MS",
      ],
    ],
  ),
]
