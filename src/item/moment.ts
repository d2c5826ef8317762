/** The two clocks by which decisions are made. */
export interface Clock {
  /** The machine's time, in epoch milliseconds. It can jump. */
  readonly now: () => number
  /** Milliseconds that never jump: the machine's time when the server started, and counted on from there. */
  readonly steadyMs: () => number
}

/**
 * The moment of a decision. `time` is for what is shown, `steadyMs` for everything that waits: a jump of the
 * machine's clock moves only `time`, and so ends no lease.
 */
export interface Moment {
  /** RFC 3339 UTC. */
  readonly time: string
  /** Milliseconds of the steady clock. */
  readonly steadyMs: number
}

/**
 * The clocks of this machine. `aliveMs` is the last time on the steady clock at which a server used the database (0 if
 * none did): the steady clock never starts before it, or a clock that was set back meanwhile would lengthen leases.
 */
export function systemClock(aliveMs: number): Clock {
  const startedMs = Math.max(Date.now(), aliveMs) - performance.now()
  return { now: Date.now, steadyMs: () => Math.round(startedMs + performance.now()) }
}

/** What the clocks say now. */
export const momentOf = ({ now, steadyMs }: Clock): Moment => ({
  time: new Date(now()).toISOString(),
  steadyMs: steadyMs(),
})

/** A time of the machine's clock on the steady one, which later jumps do not move. */
export const steadyOf = (time: string | null, moment: Moment): number | null =>
  time === null ? null : moment.steadyMs + Date.parse(time) - Date.parse(moment.time)

/** The machine's time `ms` milliseconds after a moment, RFC 3339 UTC. */
export const later = ({ time }: Moment, ms: number): string => new Date(Date.parse(time) + ms).toISOString()
