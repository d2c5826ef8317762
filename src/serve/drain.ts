import { stopAll, within } from "../background-work.ts"
import { ENDING_SIGNALS, isIgnored } from "../ending-signals.ts"
import { AppError } from "../errors.ts"
import { endIn } from "../machine/libc.ts"
import type { Store } from "../store/contract/store.ts"
import type { Parts } from "./composition-root.ts"
import { logged } from "./error-log.ts"

/** How long readers may take to receive the goodbye before they are cut. */
const DRAIN_MS = 900

/** How long the whole stop may take. */
const STOP_MS = 2000
/** If a stop hangs at a disk, no timer can run. After this time the kernel ends the process. */
const LATEST_STOP_S = 3

/** How long the process lives after a stop that was cut off, to write its last log lines. */
const EXIT_MS = 50

/**
 * Resolves with the signal that asks the server to stop: each signal that would end it, also the one of a terminal that
 * is closed. Later signals are ignored: programs between us and the sender often pass on a signal that we already have,
 * and the stop takes at most `STOP_MS`.
 */
export const stopSignal = (): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    // A shell ignores SIGINT for what it starts in the background, but our users expect it to stop a server.
    const isTaken = (signal: NodeJS.Signals): boolean => signal === "SIGINT" || !isIgnored(signal)
    for (const signal of ENDING_SIGNALS) if (isTaken(signal)) process.on(signal, resolve)
  })

/**
 * Says that the server drains, accepts nothing new, ends open streams cleanly, and after `DRAIN_MS` cuts what has not
 * ended.
 */
export async function drain({
  app,
  broadcaster,
  services,
  reasons,
}: Pick<Parts, "app" | "broadcaster" | "services" | "reasons">): Promise<void> {
  reasons.set("draining", true)
  const { server } = app
  const ended = server?.stop()
  broadcaster.drain()
  await stopAll(services, logged("a part of the server could not be stopped"))
  await within(DRAIN_MS, ended)
  await server?.stop(true)
}

/**
 * Stops everything within `STOP_MS`. What has not ended by then ends with the process.
 * @throws AppError `unavailable` if something has not ended in time
 */
async function stopped(parts: Parts, store: Store): Promise<void> {
  endIn(LATEST_STOP_S)
  store.drain()
  const ended = drain(parts).finally(() => store.close())
  if (await within(STOP_MS, ended)) return
  throw new AppError("unavailable", `the server did not end within ${STOP_MS / 1000} s and was cut off`)
}

/**
 * Stops everything, and ends the process within `STOP_MS`. Otherwise work that has not ended, or a log that
 * nobody reads, would keep the process alive. The last log lines are still written.
 * @throws AppError `unavailable` if something has not ended in time
 */
export async function stop(parts: Parts, store: Store): Promise<void> {
  const startedMs = performance.now()
  try {
    await stopped(parts, store)
  } finally {
    const leftMs = STOP_MS - (performance.now() - startedMs)
    setTimeout(() => process.exit(), Math.max(EXIT_MS, leftMs)).unref()
  }
}
