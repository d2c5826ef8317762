import type { Seat } from "./seat.ts"

/** How many streams get a keepalive in one tick of the event loop. */
const SLICE = 256
/** How often silence is checked within the time that it may last. */
const LOOKS = 15
const [SHORTEST_LOOK_MS, LONGEST_LOOK_MS] = [10, 1000]

/** The streams that are open. */
interface OpenSeats {
  /** All seats that are taken. */
  all(): Iterable<Seat>
  /** The event ID up to which every waiting stream has examined the history. */
  readonly examined: number
}

/** Lets streams that have said nothing for a time send a keepalive. */
export class Keepalives {
  readonly #keepaliveMs: number
  readonly #open: OpenSeats
  #timer: Timer | undefined

  /** After `keepaliveMs` milliseconds of silence a stream of `open` gets a keepalive. */
  constructor(keepaliveMs: number, open: OpenSeats) {
    this.#keepaliveMs = keepaliveMs
    this.#open = open
  }

  /** Begins to look for silent streams. */
  start(): void {
    const everyMs = Math.min(LONGEST_LOOK_MS, Math.max(SHORTEST_LOOK_MS, this.#keepaliveMs / LOOKS))
    this.#timer = setInterval(() => this.#look(), everyMs)
  }

  /** Stops looking. */
  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const nowMs = performance.now()
    const isSilent = ({ kind, isIdle, saidMs }: Seat): boolean =>
      kind !== "held" && isIdle && saidMs <= nowMs - this.#keepaliveMs
    const silent = [...this.#open.all()].filter(isSilent)
    const slice = (from: number): void => {
      for (const seat of silent.slice(from, from + SLICE)) {
        seat.saidMs = nowMs
        seat.wake("keepalive", this.#open.examined)
      }
      if (from + SLICE < silent.length) setImmediate(slice, from + SLICE)
    }
    slice(0)
  }
}
