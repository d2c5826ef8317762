/** How the times of one zone are read. */
export interface Zone {
  /** The time of day: `14:32:07`. */
  readonly clock: (ms: number) => string
  /** When something is or was, seen from `nowMs`: `14:32`, on another day `Thu 14:32`, beyond a week `03 Dec 14:32`. */
  readonly when: (ms: number, nowMs: number) => string
}

/** For this long the name of a weekday says which day it is. */
const WEEKDAY_MS = 6 * 24 * 3600 * 1000

/** A moment as it reads in a zone. */
interface TimeInZone {
  /** `Thu`. */
  readonly weekday: string
  /** `03 Dec`. */
  readonly day: string
  /** `14:32:07`. */
  readonly clock: string
}

const zone = (read: (ms: number) => TimeInZone, suffix = ""): Zone => ({
  clock: (ms) => read(ms).clock,
  when(ms, nowMs) {
    const { weekday, day, clock } = read(ms)
    const shown = `${clock.slice(0, 5)}${suffix}`
    if (day === read(nowMs).day) return shown
    return `${Math.abs(ms - nowMs) < WEEKDAY_MS ? weekday : day} ${shown}`
  },
})

/** UTC, with its name: for clients that have named no zone. */
export const UTC: Zone = zone((ms) => {
  const text = new Date(ms).toUTCString()
  return { weekday: text.slice(0, 3), day: text.slice(5, 11), clock: text.slice(17, 25) }
}, " UTC")

/** The zone of this machine. */
export const LOCAL: Zone = zone((ms) => {
  const text = new Date(ms).toString()
  return {
    weekday: text.slice(0, 3),
    day: `${text.slice(8, 10)} ${text.slice(4, 7)}`,
    clock: text.slice(16, 24),
  }
})

/**
 * The zone with a name such as `Europe/Berlin`.
 * @throws RangeError if there is no such zone
 */
export function zoneNamed(timeZone: string): Zone {
  if (timeZone === "UTC") return UTC
  const reader = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
    new Intl.DateTimeFormat("en-GB", { ...options, timeZone })
  const time = reader({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" })
  const date = reader({ day: "2-digit", month: "short" })
  const weekday = reader({ weekday: "short" })
  return zone((ms) => ({
    weekday: weekday.format(ms),
    day: date.format(ms),
    clock: time.format(ms),
  }))
}
