import { type Mistake, of } from "./mistake.ts"

/** Mistakes in lines that no other test needed: leases of workers, streams, tickets, outputs and clocks. */
export const SINGLE_LINES: readonly Mistake[] = [
  ...of(
    "src/access/tickets.ts",
    ["tests/access/tickets.test.ts"],
    [
      [
        "a clock that went back keeps ended tickets",
        "if (Math.abs(nowMs - this.#searchedMs) < SEARCH_EVERY_MS)",
        "if (nowMs - this.#searchedMs < SEARCH_EVERY_MS)",
      ],
    ],
  ),
  ...of(
    "src/http/body-time-limit.ts",
    ["tests/http/unread-body.test.ts"],
    [["a slow body may take for ever after two seconds", "      else timer.refresh()\n", ""]],
  ),
  ...of(
    "src/http/exact-numbers.ts",
    ["tests/http/numbers.test.ts"],
    [
      [
        "a number with zeros at its end is inexact",
        'const short = digits.replace(/0+$/, "")',
        "const short = digits",
      ],
    ],
  ),
  ...of(
    "src/item/moment.ts",
    ["tests/item/decisions.test.ts"],
    [["the steady clock starts before the last sign of life", "Math.max(Date.now(), aliveMs)", "Date.now()"]],
  ),
  ...of(
    "src/item/state-in-one-word.ts",
    ["tests/item/decisions.test.ts"],
    [
      [
        "a finished item that was to be cancelled is cancelling",
        'if (status === "processing" && cancel_requested_at !== null) return',
        "if (cancel_requested_at !== null) return",
      ],
    ],
  ),
  ...of(
    "src/queue/output-writer.ts",
    ["tests/queue/output-writer.test.ts"],
    [
      [
        "the end of an output waits for the next gathering",
        "    this.#isEnding = true\n    this.#hurry?.()\n",
        "    this.#isEnding = true\n",
      ],
    ],
  ),
  ...of(
    "src/queue/output.ts",
    ["tests/queue/output.test.ts"],
    [
      [
        "a follower's signal keeps each of its waits",
        '        signal.removeEventListener("abort", wake)\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/runner/attempt.ts",
    ["tests/runner/attempt.test.ts"],
    [
      [
        "a stopped attempt goes on by a new claim",
        "    this.#isInVain = true\n    const isTaken",
        "    const isTaken",
      ],
      [
        "a lent command asks for a lease that is not its own",
        "!reporter.isLent && (this.#suspendedMs",
        "(this.#suspendedMs",
      ],
    ],
  ),
  ...of(
    "src/runner/item-source.ts",
    ["tests/runner/item-source.test.ts"],
    [["a second try finds or adds another item", "id ??= await find()", "id = await find()"]],
  ),
  ...of(
    "src/runner/lease-file.ts",
    ["tests/runner/lease-file.test.ts"],
    [["a server with a dot at its end is another one", 'hostname.replace(/\\.$/, "")', "hostname"]],
  ),
  ...of(
    "src/runner/own-lease.ts",
    ["tests/runner/own-lease.test.ts"],
    [
      [
        "a take-over during a claim is lost",
        "        if (this.#held) return this.#held\n        throw error",
        "        throw error",
      ],
    ],
  ),
  ...of(
    "src/stream/broadcaster.ts",
    ["tests/stream/rollback.test.ts"],
    [
      [
        "a stream begins again at the last lost ID",
        "return loss && loss.upTo + 1",
        "return loss && loss.upTo",
      ],
    ],
  ),
  ...of(
    "src/stream/seat.ts",
    ["tests/stream/keepalives.test.ts"],
    [
      [
        "a thinned stream skips what came between two beats",
        "examined > this.cursor && this.thin === 0",
        "examined > this.cursor",
      ],
    ],
  ),
  ...of(
    "src/upkeep/compaction.ts",
    ["tests/upkeep/compaction.test.ts"],
    [
      [
        "a stopped server begins a compaction",
        "    if (signal.aborted) return\n    const failure",
        "    const failure",
      ],
    ],
  ),
]
