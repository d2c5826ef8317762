import type { Client, Held } from "../client/client.ts"
import { itemInHand, setting, textFlag } from "../config.ts"
import { AppError } from "../errors.ts"
import type { QueueItem } from "../item/item.ts"
import { Attempt, type Outcome, tell, variablesOf } from "../runner/attempt.ts"
import { type Plan, planned, uselessTotal, withoutKeys } from "../runner/plan.ts"
import { Reporter } from "../runner/reporter.ts"
import { dieOf, exit, takeSignals } from "../runner/signals.ts"
import { clientOf, type Command, idFlag } from "./command.ts"
import { RENDER_FLAGS, type RenderFlags, renderFlags } from "./flags.ts"
import type { Arguments } from "./usage.ts"

/** How long the server may take to answer before the command is started without it. */
const START_WITHIN_MS = 3000
/** Longer than it takes to claim what was added: until then no other worker can. */
const RESERVED_S = 60
/** A command inside another must be gone before that is killed. */
const LENT_GRACE_MS = 8000
const NOT_FOUND = 127
const NOT_RUN = 126

/** How the item is got: the first time, and again while the server is away. */
interface Source {
  readonly first: () => Promise<Held>
  readonly isLent: boolean
  /** The item as it was claimed. */
  readonly item: () => QueueItem | undefined
}

/** What was asked for. */
interface Wanted extends RenderFlags {
  readonly client: Client
  readonly server: string
  readonly plan: Plan
  readonly source: Source
}

function totalFlag({ flags }: Arguments): number | undefined {
  const text = textFlag(flags, "total")
  if (text === undefined) return undefined
  const total = /^\d{1,12}(\.\d{1,9})?$/.test(text) ? Number(text) : 0
  if (total > 0) return total
  throw new AppError("invalid", `--total must be a number above 0, such as 212.5, not "${text}"`)
}

/** Claims the item that `find` names. */
function claiming(client: Client, { worker, leaseS }: RenderFlags, find: () => Promise<number>): Source {
  let id: number | undefined
  let item: QueueItem | undefined
  const first = async (): Promise<Held> => {
    id ??= await find()
    const claimed = await client.claim({ worker, lease: leaseS, id })
    if (!claimed) throw new Error(`queue item ${id} was not claimed`)
    item = claimed.item
    return { id, token: claimed.lease.token }
  }
  return { first, isLent: false, item: () => item }
}

/** The item to work on. @throws AppError `invalid` when it is not named, or twice */
function sourceOf(given: Arguments, client: Client, flags: RenderFlags): Source {
  const id = idFlag(given, "item")
  const song = idFlag(given, "song")
  const title = textFlag(given.flags, "title")
  const inHand = itemInHand()
  if (id !== undefined && song !== undefined) {
    throw new AppError("invalid", "--item and --song are two ways to name one item; give one of them")
  }
  if (title !== undefined && song === undefined) {
    throw new AppError("invalid", "--title is for an item that --song adds")
  }
  if (song !== undefined) {
    const key = `run-${crypto.randomUUID()}`
    // Nobody else knows this command: once it has failed, no worker could try again.
    const once = { max_attempts: 1, available_in: RESERVED_S }
    const body = { song_id: song, ...(title !== undefined && { title }), ...once }
    return claiming(client, flags, async () => (await client.add(body, key)).id)
  }
  if (inHand && (id === undefined || id === inHand.id)) {
    return { first: async () => inHand, isLent: true, item: () => undefined }
  }
  if (id !== undefined) return claiming(client, flags, async () => id)
  throw new AppError("invalid", "name the item: --item ID, or --song SONG_ID to add one")
}

/** @throws AppError `invalid` */
function wanted(given: Arguments): Wanted {
  if (given.words.length === 0) {
    throw new AppError(
      "invalid",
      "the command is missing; it comes after --, as in -- ffmpeg -i song.wav song.mp4",
    )
  }
  const flags = renderFlags(given)
  const client = clientOf(given)
  const plan = planned(given.words, flags.renderer, totalFlag(given))
  const source = sourceOf(given, client, flags)
  return {
    ...flags,
    client,
    server: setting("server", given.flags),
    // The item is on the standard input, and its letters are keys to ffmpeg: "q" would quit.
    plan: source.isLent ? withoutKeys(plan) : plan,
    source,
  }
}

/** Gets the item, but does not wait long for a server that is away. @throws ServerError */
async function begin(reporter: Reporter): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, START_WITHIN_MS)
  try {
    await Promise.race([reporter.begin(), promise])
  } finally {
    clearTimeout(timer)
  }
}

/** One run: what was asked for, and how far it got. */
class Run {
  readonly #wanted: Wanted
  readonly #reporter: Reporter
  #attempt: Attempt | undefined
  #early: NodeJS.Signals | undefined

  constructor(asked: Wanted) {
    const { client, worker, leaseS, source } = asked
    this.#wanted = asked
    this.#reporter = new Reporter(
      {
        client,
        worker,
        leaseS,
        isLent: source.isLent,
        say: tell,
        onCancel: (reason) => this.#cancel(reason),
      },
      source.first,
    )
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#attempt) this.#early = signal
    else if (this.#wanted.source.isLent && signal === "SIGTERM") this.#attempt.stop({ by: "signal", signal })
    else this.#attempt.signal(signal)
  }

  halt(isHalted: boolean): void {
    this.#attempt?.halt(isHalted)
  }

  /** The outcome, or the exit code where nothing came to run. @throws ServerError when the item cannot be had */
  async render(): Promise<Outcome | number> {
    const { plan, source, server, reportWithinMs } = this.#wanted
    await begin(this.#reporter)
    if (this.#early) {
      await this.#reporter.finish({ end: "release" }, 0, AbortSignal.abort())
      return 128
    }
    const variables = source.isLent ? {} : variablesOf(source.item(), this.#reporter.held, server)
    const graceMs = source.isLent ? { graceMs: LENT_GRACE_MS } : {}
    try {
      this.#attempt = Attempt.start({ plan, reporter: this.#reporter, variables, reportWithinMs, ...graceMs })
    } catch (error) {
      const error_message = `the command cannot be run: ${error instanceof Error ? error.message : String(error)}`
      tell(error_message)
      const verdict = { end: "fail", failure: { error_message, retryable: false } } as const
      await this.#reporter.finish(verdict, reportWithinMs, AbortSignal.abort())
      return NOT_RUN
    }
    return this.#attempt.ended
  }

  get early(): NodeJS.Signals | undefined {
    return this.#early
  }

  #cancel(reason: string): void {
    tell(`${reason}; stopping the command`)
    this.#attempt?.stop({ by: "cancel", reason })
  }
}

/** Leaves as the command left; but a success that was none is told by code 1. */
async function leave({ code, signal, verdict, stop }: Outcome): Promise<number> {
  if (signal !== null && stop?.by !== "cancel") await dieOf(signal)
  if (code !== 0 || verdict.end === "complete") return code
  if (verdict.end === "fail" && stop?.by !== "cancel") {
    const [how] = (verdict.failure.error_message ?? "").split("\n")
    tell(`${how}: not completed`)
  }
  return 1
}

/** Runs a render of one item. */
export const runCommand: Command = {
  usage: {
    line: "run [--item ID | --song SONG_ID] -- COMMAND [ARGUMENT...]",
    about: `Runs a render and reports its progress. ffmpeg and Blender are understood by themselves, other
programs by the percentages and "n of m" that they print. Output, signals and exit code pass
through; a cancelled item's command is stopped. A server that is away stops nothing: what is new is
reported when it answers. The item is completed when the command ends with 0, with at least 98 % of
the total done where that is known; when the command ends with 0 short of that, the exit code is 1.`,
    settings: ["server"],
    flags: {
      item: { type: "string", placeholder: "ID", help: "the queue item, which is claimed" },
      song: {
        type: "string",
        placeholder: "SONG_ID",
        help: "the song, which is added to the queue and claimed",
      },
      title: { type: "string", placeholder: "TEXT", help: "with --song: what viewers see beside the number" },
      total: {
        type: "string",
        placeholder: "N",
        help: "how much there is to do: seconds of video, or frames for Blender",
      },
      ...RENDER_FLAGS,
    },
  },
  async run(given) {
    const asked = wanted(given)
    const [program = ""] = asked.plan.command
    if (Bun.which(program) === null) {
      tell(`${program} is not found, or cannot be run`)
      return NOT_FOUND
    }
    const useless = uselessTotal(asked.plan)
    if (useless !== undefined) tell(`--total is of no use here: ${useless}`)
    const run = new Run(asked)
    let outcome: Outcome | number
    {
      using _signals = takeSignals({
        onEnd: (signal) => run.signal(signal),
        onHalt: (isHalted) => run.halt(isHalted),
      })
      outcome = await run.render()
    }
    if (run.early) await dieOf(run.early)
    const code = typeof outcome === "number" ? outcome : await leave(outcome)
    // A server that accepts and never answers is not waited for beyond --report-within.
    return exit(code)
  },
}
