import type { Report } from "../item/item.ts"
import { Wake } from "./wake.ts"

const MAX_REPORTS = 32

const isOneStep = (one: Report, other: Report): boolean =>
  (other.current_step ?? one.current_step) === one.current_step &&
  (other.step ?? one.step)?.index === one.step?.index

/**
 * Reports that wait to be sent, the oldest first. A new report replaces a waiting one of the same step. If
 * there are more than 32 reports, the oldest ones are dropped.
 */
export class WaitingReports {
  readonly #reports: Report[] = []
  readonly #sender = new Wake()

  /** Adds a newer report. */
  push(report: Report): void {
    const last = this.#reports.pop()
    if (last && !isOneStep(last, report)) this.#reports.push(last)
    this.#reports.push(report)
    if (this.#reports.length > MAX_REPORTS) this.#reports.shift()
    this.#sender.wake()
  }

  /** Removes and returns the oldest report; undefined when none waits. */
  take(): Report | undefined {
    return this.#reports.shift()
  }

  /** Puts back a report that could not be sent, unless a newer report of its step waits. */
  giveBack(report: Report): void {
    const [next] = this.#reports
    if (!next || !isOneStep(report, next)) this.#reports.unshift(report)
  }

  /** Resolves when a report waits, or the signal aborts. */
  async filled(signal: AbortSignal): Promise<void> {
    if (this.#reports.length === 0) await this.#sender.woken(signal)
  }
}
