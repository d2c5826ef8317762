import { type Foreseen, UNFORESEEN } from "../model/foreseen.ts"
import { server } from "./server.ts"

const EVERY_MS = 10_000
const SOON_MS = 1000

/** Asks when waiting items start: every 10 s while somebody looks, and a second after the lists have changed. */
export class StartsWatch {
  readonly #nowMs: () => number
  readonly #onForeseen: (foreseen: Foreseen) => void
  #timer: ReturnType<typeof setTimeout> | undefined
  #isAsking = false

  /** `nowMs` is the server's clock; `onForeseen` is called with each answer. */
  constructor(nowMs: () => number, onForeseen: (foreseen: Foreseen) => void) {
    this.#nowMs = nowMs
    this.#onForeseen = onForeseen
    this.#after(SOON_MS)
  }

  /** The lists have changed. */
  soon(): void {
    this.#after(SOON_MS)
  }

  #after(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#ask(), ms)
  }

  async #ask(): Promise<void> {
    this.#after(EVERY_MS)
    if (document.hidden || this.#isAsking) return
    this.#isAsking = true
    try {
      const { forecast, done_in_seconds } = await server.forecast()
      const nowMs = this.#nowMs()
      const at = (seconds: number): number => nowMs + seconds * 1000
      const starts = new Map(
        forecast.map(({ id, starts_in_seconds, starts_low_seconds, starts_high_seconds }) => [
          id,
          { aboutMs: at(starts_in_seconds), lowMs: at(starts_low_seconds), highMs: at(starts_high_seconds) },
        ]),
      )
      this.#onForeseen({ starts, doneMs: done_in_seconds === null ? null : at(done_in_seconds) })
    } catch {
      // A server that does not answer foresees nothing; the badge says what is wrong.
      this.#onForeseen(UNFORESEEN)
    } finally {
      this.#isAsking = false
    }
  }
}
