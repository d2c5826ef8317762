import { every, type Repetition } from "../background-work.ts"

const LOOK_MS = 1000
/** A busy machine is late by less than this. */
const STOOD_STILL_MS = 2000

/** The wall clock runs on while a machine is suspended; the steady one, by which timers run, may not. */
const aheadMs = (): number => Date.now() - performance.now()

/** Calls `onWoken` whenever this process, or its whole machine, has stood still for more than 2 s. */
export function watchSuspension(onWoken: () => void): Repetition {
  let lastAheadMs = aheadMs()
  return every(
    LOOK_MS,
    (lateMs) => {
      const nowAheadMs = aheadMs()
      const sleptMs = nowAheadMs - lastAheadMs
      lastAheadMs = nowAheadMs
      if (lateMs > STOOD_STILL_MS || sleptMs > STOOD_STILL_MS) onWoken()
    },
    () => undefined,
  )
}

/** A function that says how many milliseconds have passed since now, also while the machine is suspended. */
export function stopwatch(): () => number {
  const [steadyMs, wallMs] = [performance.now(), Date.now()]
  return () => Math.max(performance.now() - steadyMs, Date.now() - wallMs)
}
