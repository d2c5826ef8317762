import { AppError } from "../errors.ts"

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
const DAY_MS = 86_400_000

/** The refusal of a time zone that is not known. */
export const unknownZone = (name: string): AppError =>
  new AppError("invalid", `tz must be the name of a time zone, such as Europe/Berlin, not "${name}"`)

/** The time of day and the day of the week in a zone; Monday is 0. */
function readingOf(
  ms: number,
  timeZone: string,
): { readonly sinceMidnightMs: number; readonly weekday: number } {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone,
    hourCycle: "h23",
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  }).formatToParts(ms)
  const of = (type: string): string => parts.find((part) => part.type === type)?.value ?? ""
  const seconds = Number(of("hour")) * 3600 + Number(of("minute")) * 60 + Number(of("second"))
  return { sinceMidnightMs: seconds * 1000 + (ms % 1000), weekday: WEEKDAYS.indexOf(of("weekday")) }
}

/**
 * The beginning of the day that contains `ms`, in a zone such as `Europe/Berlin`.
 * @throws RangeError if there is no such zone
 */
export function startOfDay(ms: number, timeZone: string): number {
  const midnightMs = ms - readingOf(ms, timeZone).sinceMidnightMs
  // If the clock was changed since midnight, the day is an hour longer or shorter.
  const { sinceMidnightMs } = readingOf(midnightMs, timeZone)
  return sinceMidnightMs < DAY_MS / 2 ? midnightMs - sinceMidnightMs : midnightMs + DAY_MS - sinceMidnightMs
}

/** The beginning of the year that contains `ms`; see `startOfDay`. @throws RangeError */
export function startOfYear(ms: number, timeZone: string): number {
  const reader = new Intl.DateTimeFormat("en-GB", { timeZone, year: "numeric" })
  const yearOf = (at: number): number => Number(reader.format(at))
  const year = yearOf(ms)
  // East of UTC this is on the first of January. Far west of it that is still the day before.
  const dayMs = startOfDay(Date.UTC(year, 0, 1, 9), timeZone)
  return yearOf(dayMs) === year ? dayMs : startOfDay(dayMs + 1.5 * DAY_MS, timeZone)
}

/** The beginning of the week that contains `ms`, with its Monday; see `startOfDay`. @throws RangeError */
export function startOfWeek(ms: number, timeZone: string): number {
  const dayMs = startOfDay(ms, timeZone)
  // Noon of the Monday is on the Monday, even if the clock was changed since then.
  const { weekday } = readingOf(dayMs, timeZone)
  return startOfDay(dayMs - weekday * DAY_MS + DAY_MS / 2, timeZone)
}
