/** Work in the background, with a beginning and an end. */
export interface Service {
  /** Begins the work. If it rejects, `stop` must be called all the same. */
  start(): Promise<void>
  /** Ends the work; resolves once nothing of it runs any more. It may be called again, and before `start`. */
  stop(): Promise<void>
}

/** Something that is done again and again. */
export interface Repetition {
  /** Begins no further turn; resolves once the turn under way has ended. */
  stop(): Promise<void>
}

/**
 * Calls `run` every `ms` milliseconds, the first time `ms` from now, until it is stopped. Turns never overlap: one that
 * is due while another is under way is left out. `run` is given by how many milliseconds the timer was late, at most,
 * since the turn before: on a machine that was suspended that is how long. `onError` is called with what a turn throws;
 * the next turn comes nevertheless.
 */
export function every(
  ms: number,
  run: (lateMs: number) => void | Promise<void>,
  onError: (error: unknown) => void,
): Repetition {
  let isUnderWay = false
  let latest: Promise<void> | undefined
  let firedMs = performance.now()
  let lateMs = 0
  const turn = async (): Promise<void> => {
    isUnderWay = true
    try {
      const late = lateMs
      lateMs = 0
      await run(late)
    } catch (error) {
      onError(error)
    } finally {
      isUnderWay = false
    }
  }
  const timer = setInterval(() => {
    const nowMs = performance.now()
    lateMs = Math.max(lateMs, nowMs - firedMs - ms)
    firedMs = nowMs
    if (!isUnderWay) latest = turn()
  }, ms)
  return {
    async stop() {
      clearInterval(timer)
      await latest
    },
  }
}

/** Stops services, each whatever becomes of the others; `onError` is called with what one of them rejects with. */
export async function stopAll(
  services: readonly Service[],
  onError: (error: unknown) => void,
): Promise<void> {
  for (const result of await Promise.allSettled(services.map((service) => service.stop()))) {
    if (result.status === "rejected") onError(result.reason)
  }
}

/** Whether something is over within so many milliseconds. @throws what it rejects with by then */
export async function within(ms: number, over: Promise<void> | undefined): Promise<boolean> {
  const late = Promise.withResolvers<boolean>()
  const timer = setTimeout(late.resolve, ms, false)
  try {
    return await Promise.race([Promise.resolve(over).then(() => true), late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** What a function throws; undefined if it does not. */
export async function failureOf(run: () => Promise<void>): Promise<{ readonly error: unknown } | undefined> {
  try {
    await run()
    return undefined
  } catch (error) {
    return { error }
  }
}
