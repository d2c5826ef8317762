import type { Held } from "../client/client.ts"
import type { QueueItem } from "../item/item.ts"
import { isWhole } from "../renderers/renderer.ts"
import { printable } from "../text.ts"
import type { Plan } from "./plan.ts"
import { type Ended, Render } from "./render.ts"
import type { Reporter, Verdict } from "./reporter.ts"

/** By convention: wrong usage, wrong input; cannot be run, not found. Another attempt would end alike. */
const FINAL_CODES: readonly number[] = [64, 65, 126, 127]

/** Writes a line of our own to standard error, beside what the command prints there. */
export const tell = (text: string): void => void process.stderr.write(`track-studio: ${printable(text)}\n`)

/** A longer variable would keep the command from being started at all. */
const MAX_VARIABLE_LENGTH = 100_000

/** The variables that tell a command of its item; without one, those that we were given are taken away. */
export function variablesOf(
  item: QueueItem | undefined,
  held: Held | undefined,
  server: string,
): Record<string, string | undefined> {
  const json = item && JSON.stringify(item)
  return {
    TRACK_STUDIO_SERVER: server,
    TRACK_STUDIO_ITEM: json && Buffer.byteLength(json) <= MAX_VARIABLE_LENGTH ? json : undefined,
    TRACK_STUDIO_ITEM_ID: item && String(item.id),
    TRACK_STUDIO_SONG_ID: item && String(item.song_id),
    TRACK_STUDIO_LEASE: item && held?.token,
  }
}

/** Why the work was told to stop. */
export type Stop =
  | { readonly by: "cancel"; readonly reason: string }
  | { readonly by: "release" }
  | { readonly by: "signal"; readonly signal: NodeJS.Signals }

/** How an attempt ended. */
export interface Outcome extends Ended {
  readonly verdict: Verdict
  /** Whether the server knows. */
  readonly isKnown: boolean
  /** Who told it to stop, if anybody did. */
  readonly stop: Stop | undefined
}

const percent = (share: number): string => `${Math.floor(share * 1000) / 10} %`

function howItEnded({ code, signal, reached, lastWords }: Ended, stop: Stop | undefined): string {
  const after = stop?.by === "signal" ? ` after ${stop.signal}` : ""
  const how =
    code === 0 && reached !== null ? `with ${percent(reached)} done${after}` : `with code ${code}${after}`
  const first = signal === null ? `the command ended ${how}` : `the command was ended by ${signal}`
  return lastWords === "" ? first : `${first}\n${lastWords}`
}

/** What to tell the server of an attempt that ended; `notRun` lists the codes that are not the item's fault. */
function verdictOf(ended: Ended, stop: Stop | undefined, notRun: readonly number[]): Verdict {
  if (stop?.by === "release" || notRun.includes(ended.code)) return { end: "release" }
  if (stop?.by === "cancel") {
    return { end: "fail", failure: { error_message: `stopped: ${stop.reason}`, retryable: false } }
  }
  if (ended.code === 0 && isWhole(ended.reached ?? 1)) return { end: "complete" }
  const retryable = !FINAL_CODES.includes(ended.code)
  return { end: "fail", failure: { error_message: howItEnded(ended, stop), retryable } }
}

/** One attempt at an item. */
export interface AttemptOptions {
  readonly plan: Plan
  readonly reporter: Reporter
  readonly input?: string
  readonly variables: Readonly<Record<string, string | undefined>>
  /** Codes by which the command says that it cannot be run here: the item is given back. */
  readonly notRun?: readonly number[]
  /** How long to try to report the end while the server is away. */
  readonly reportWithinMs: number
  /** How long the command has to end when it is told to stop; default 10 s. */
  readonly graceMs?: number
}

/** A command under way for an item: rendered whatever becomes of the server, and reported as well as can be. */
export class Attempt {
  /** Resolves with how it ended, once the server knows or has been given up; never rejects. */
  readonly ended: Promise<Outcome>
  readonly #options: AttemptOptions
  readonly #render: Render
  readonly #patience = new AbortController()
  #stop: Stop | undefined
  #stopped: Promise<void> | undefined
  #hasEnded = false

  private constructor(options: AttemptOptions, render: Render) {
    this.#options = options
    this.#render = render
    this.ended = this.#end()
  }

  /** Starts the command. @throws Error when it cannot be run */
  static start(options: AttemptOptions): Attempt {
    const { plan, reporter, input, variables } = options
    const render = Render.start({ plan, input, variables, onReport: (report) => reporter.push(report) })
    reporter.start()
    return new Attempt(options, render)
  }

  /** Passes a signal on to the command; once that has ended, the signal ends the attempts to report it. */
  signal(signal: NodeJS.Signals): void {
    if (this.#hasEnded || !this.#render.session.forward(signal)) return this.#patience.abort()
    // Those may ask for anything: what ends later has not ended by them.
    if (signal !== "SIGUSR1" && signal !== "SIGUSR2") this.#stop ??= { by: "signal", signal }
  }

  /** Stops the command and all that it started. */
  stop(stop: Stop): void {
    if (this.#hasEnded) return this.#patience.abort()
    this.#stop = stop
    this.#stopped = this.#render.stop(this.#options.graceMs)
  }

  /** Halts the command and all that it started, or lets it go on. */
  halt(isHalted: boolean): void {
    this.#render.session.signal(isHalted ? "SIGSTOP" : "SIGCONT")
  }

  async #end(): Promise<Outcome> {
    const ended = await this.#render.ended
    await this.#stopped
    this.#hasEnded = true
    const { reporter, reportWithinMs, notRun = [] } = this.#options
    const verdict = verdictOf(ended, this.#stop, notRun)
    const isKnown = await reporter.finish(verdict, reportWithinMs, this.#patience.signal)
    return { ...ended, verdict, isKnown, stop: this.#stop }
  }
}
