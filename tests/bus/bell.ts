import { type Bell, BellOrPollingBus } from "../../src/bus/bell-or-polling.ts"
import { bell as counting } from "../contracts/bus.contract.ts"

/** What a test can do with a wire. */
export interface Wire {
  /** Makes a bell on this wire. */
  bell(): Bell
  /** Whether connecting is refused. */
  isAway: boolean
  /** Whether everything that is said gets lost while the connections stay open. */
  isSwallowing: boolean
  /** Whether nothing that is said is ever accepted or refused. */
  isFrozen: boolean
  /** Whether what one of them says is heard by the others. */
  isMute: boolean
  /** What was said, in order, without the name of who said it. */
  readonly said: string[]
  /** How many bells were opened. */
  readonly opened: number
  /** Ends all connections. */
  cut(): void
}

/** A wire within the process that joins all of its bells, and that can be broken in every way. */
export function wire(): Wire {
  const bells = new Set<{ heard: (words: string) => void; lost: (error: unknown) => void }>()
  const joined = { isAway: false, isSwallowing: false, isFrozen: false, isMute: false, opened: 0 }
  const said: string[] = []
  const bell = (): Bell => {
    let own: { heard: (words: string) => void; lost: (error: unknown) => void } | undefined
    return {
      async open(heard, lost) {
        joined.opened += 1
        if (joined.isAway) throw new Error("away")
        own = { heard, lost }
        bells.add(own)
      },
      async say(words) {
        said.push(words.split(" ")[0] ?? "")
        await (joined.isFrozen ? new Promise(() => undefined) : undefined)
        if (joined.isSwallowing) return
        for (const one of bells) if (one === own || !joined.isMute) one.heard(words)
      },
      close() {
        if (own) bells.delete(own)
      },
    }
  }
  const cut = (): void => {
    for (const { lost } of bells) lost(new Error("cut"))
  }
  return Object.assign(joined, { said, bell, cut })
}

/** A bell that also tells when it first hears something. */
function telling({ open, say, close }: Bell, onHeard: () => void): Bell {
  return {
    open: (heard, lost) =>
      open((words) => {
        heard(words)
        onHeard()
      }, lost),
    say,
    close,
  }
}

/** A bus with such bells, and what it reports about itself. It is stopped at the end of the test. */
export async function ringing(makeBell: () => Bell, mergeMs = 2) {
  const told: string[] = []
  const first = Promise.withResolvers<void>()
  let changed = Promise.withResolvers<void>()
  const note = (words: string): void => {
    told.push(words)
    first.resolve()
    changed.resolve()
    changed = Promise.withResolvers()
  }
  const bus = new BellOrPollingBus({
    bell: () => telling(makeBell(), first.resolve),
    mergeMs,
    onDeaf: (error) => note(`deaf: ${error instanceof Error ? error.message : String(error)}`),
    onHears: () => note("hears"),
    onError: (error) => note(String(error)),
  })
  const rung = counting()
  bus.listen(rung.ring)
  await bus.start()
  await first.promise
  return {
    bus,
    /** Counts how often it rang. */
    rung,
    /** What it has reported, in order: `deaf: ` with the reason, or `hears`. */
    told,
    /** Resolves when it has reported this many times. */
    async saidOfHealth(count: number): Promise<void> {
      while (told.length < count) await changed.promise
    },
    [Symbol.asyncDispose]: () => bus.stop(),
  }
}

/** How long something takes, in milliseconds. */
export async function took(run: () => Promise<void>): Promise<number> {
  const beganMs = performance.now()
  await run()
  return performance.now() - beganMs
}
