import { type Claimed, type Client, ServerError } from "../client/client.ts"
import { setting, textFlag } from "../config.ts"
import { AppError } from "../errors.ts"
import { Attempt, type Outcome, tell, variablesOf } from "../runner/attempt.ts"
import { Patience } from "../runner/patience.ts"
import { type Plan, planned } from "../runner/plan.ts"
import { Reporter } from "../runner/reporter.ts"
import { takeSignals } from "../runner/signals.ts"
import { clientOf, type Command, takes } from "./command.ts"
import { RENDER_FLAGS, type RenderFlags, renderFlags, wholeFlag } from "./flags.ts"
import type { Arguments } from "./usage.ts"

const CLAIM_WAIT_S = 30
/** A server that has nothing says so after the wait; sooner, it is about to stop. */
const HASTY_MS = 1000
const MAX_CONCURRENCY = 256
/** A shell's codes for what cannot be run, and for what is not there. */
const NOT_RUN = [126, 127]

/** What was asked for. */
interface Wanted extends RenderFlags {
  readonly client: Client
  readonly server: string
  readonly plan: Plan
  readonly tags: readonly string[]
  readonly concurrency: number
}

/** @throws AppError `invalid` */
function wanted(given: Arguments): Wanted {
  takes(given, 0)
  const exec = textFlag(given.flags, "exec") ?? ""
  if (exec.trim() === "") throw new AppError("invalid", "the command is missing: --exec ./render.sh")
  const flags = renderFlags(given)
  const tags = (textFlag(given.flags, "tags") ?? "").split(",").map((tag) => tag.trim())
  return {
    ...flags,
    client: clientOf(given),
    server: setting("server", given.flags),
    plan: planned(["/bin/sh", "-c", exec], flags.renderer ?? "lines"),
    tags: [...new Set(tags.filter((tag) => tag !== ""))],
    concurrency: wholeFlag(given, "concurrency", { least: 1, most: MAX_CONCURRENCY, fallback: 1 }),
  }
}

function told({ verdict, code }: Outcome): string {
  if (verdict.end === "complete") return "completed"
  return verdict.end === "release" ? "given back" : `failed, code ${code}`
}

/** Takes items and renders them, several at a time, until it is told to stop. */
class Worker {
  readonly #wanted: Wanted
  readonly #attempts = new Set<Attempt>()
  readonly #stopping = new AbortController()
  #isAway = false
  #failure: Error | undefined

  constructor(asked: Wanted) {
    this.#wanted = asked
  }

  /** @throws Error why it cannot go on, once what was in hand is done */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: this.#wanted.concurrency }, () => this.#slot()))
    if (this.#failure) throw this.#failure
  }

  /** First: no more items, and those in hand are finished. Again: they are given back. */
  signal(): void {
    if (this.#stopping.signal.aborted) {
      for (const attempt of this.#attempts) attempt.stop({ by: "release" })
      return
    }
    this.#stopping.abort()
    const inHand = this.#attempts.size
    if (inHand > 0) tell(`finishing what is in hand (${inHand}), then stopping; again, and it is given back`)
  }

  /** One item after the other. */
  async #slot(): Promise<void> {
    const { signal } = this.#stopping
    const patience = new Patience()
    while (!signal.aborted) {
      const askedMs = performance.now()
      try {
        const claimed = await this.#claim()
        if (claimed) await this.#render(claimed)
        if (claimed || performance.now() - askedMs > HASTY_MS) patience.reset()
        else await patience.wait(signal)
      } catch (error) {
        if (signal.aborted && !this.#failure) return
        if (!(error instanceof ServerError && error.isPassing)) return this.#fail(error)
        if (!this.#isAway) tell(`${error.message}; waiting for it`)
        this.#isAway = true
        await patience.wait(signal)
      }
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error))
    this.#stopping.abort()
  }

  async #claim(): Promise<Claimed | null> {
    const { client, worker, tags, leaseS } = this.#wanted
    const request = { worker, tags: [...tags], lease: leaseS, wait: CLAIM_WAIT_S }
    const claimed = await client.claim(request, this.#stopping.signal)
    if (this.#isAway) tell("the server is back")
    this.#isAway = false
    return claimed
  }

  async #render({ item, lease }: Claimed): Promise<void> {
    const held = { id: item.id, token: lease.token }
    const { client, worker, leaseS, server, plan, reportWithinMs } = this.#wanted
    const say = (text: string): void => tell(`queue item ${item.id}: ${text}`)
    const onCancel = (reason: string): void => {
      say(`${reason}; stopping its command`)
      attempt?.stop({ by: "cancel", reason })
    }
    const reporter = new Reporter({ client, worker, leaseS, say, onCancel }, async () => held)
    let attempt: Attempt | undefined
    try {
      // Told to stop while the answer was on its way.
      this.#stopping.signal.throwIfAborted()
      const variables = variablesOf(item, held, server)
      const input = `${JSON.stringify(item)}\n`
      attempt = Attempt.start({ plan, reporter, input, variables, reportWithinMs, notRun: NOT_RUN })
    } catch (error) {
      await reporter.finish({ end: "release" }, 0, AbortSignal.abort())
      throw error
    }
    this.#attempts.add(attempt)
    say(`started, attempt ${item.attempt}`)
    const outcome = await attempt.ended
    this.#attempts.delete(attempt)
    say(told(outcome))
    if (NOT_RUN.includes(outcome.code) && !outcome.stop) {
      this.#fail(new Error(`the command of --exec cannot be run here (code ${outcome.code})`))
    }
  }
}

/** Renders what is queued. */
export const workCommand: Command = {
  usage: {
    line: "work --exec COMMAND",
    about: `Takes items from the queue and runs a shell command for each. The command finds the item as JSON on
its standard input, and in TRACK_STUDIO_ITEM, TRACK_STUDIO_ITEM_ID, TRACK_STUDIO_SONG_ID and
TRACK_STUDIO_LEASE. Its output is read for progress; "track-studio run --total 212.5 -- ffmpeg ..."
inside it reports as well; an ffmpeg without it needs -nostdin or </dev/null, or it takes the JSON for
keys. It completes the item by code 0; by 64 or 65 no other attempt is made.
SIGTERM finishes what is in hand and ends with 0; a second one stops it and gives it back.`,
    settings: ["server"],
    flags: {
      exec: { type: "string", placeholder: "COMMAND", help: "what renders an item, as a shell takes it" },
      concurrency: { type: "string", placeholder: "N", help: "items at a time; default 1" },
      tags: {
        type: "string",
        placeholder: "TAG,...",
        help: "what this worker can do: items that need more are left",
      },
      ...RENDER_FLAGS,
    },
  },
  async run(given) {
    const asked = wanted(given)
    const worker = new Worker(asked)
    using _signals = takeSignals({ onEnd: () => worker.signal() })
    tell(`taking items from ${asked.server} as ${asked.worker}`)
    await worker.run()
    return 0
  },
}
