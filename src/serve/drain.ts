import { AppError } from "../errors.ts"
import { endIn } from "../machine/libc.ts"
import { stopAll, within } from "../service.ts"
import type { Store } from "../store/contract/store.ts"
import { logged } from "./faults.ts"
import type { Parts } from "./parts.ts"

/** How long readers may take to receive the goodbye before they are cut. */
const DRAIN_MS = 900

/** How long the whole stop may take. */
const STOP_MS = 2000
/** After this time the kernel ends a stop that hangs at a disk, so that no timer has its turn. */
const LATEST_STOP_S = 3

/** How long after a stop that was cut off the process still lives, to write its last log lines. */
const EXIT_MS = 50

/**
 * Resolves with the signal that asks the server to stop: SIGTERM or SIGINT. Later signals change nothing: programs
 * between us and the sender often pass on one that we have already, and the stop takes `STOP_MS` at most.
 */
export const stopSignal = (): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    process.on("SIGTERM", resolve)
    process.on("SIGINT", resolve)
  })

/** Takes nothing new, ends what is open cleanly, and cuts after `DRAIN_MS` what does not end. */
async function drain({ app, broadcaster, services }: Parts): Promise<void> {
  const { server } = app
  const ended = server?.stop()
  broadcaster.drain()
  await stopAll(services, logged("a part of the server could not be stopped"))
  await within(DRAIN_MS, ended)
  await server?.stop(true)
}

/**
 * Stops everything within `STOP_MS`. What has not ended by then is left to the end of the process, which follows.
 * @throws AppError `unavailable` in that case
 */
async function stopped(parts: Parts, store: Store): Promise<void> {
  endIn(LATEST_STOP_S)
  parts.reasons.set("draining", true)
  store.drain()
  const ended = drain(parts).finally(() => store.close())
  if (await within(STOP_MS, ended)) return
  throw new AppError("unavailable", `the server did not end within ${STOP_MS / 1000} s and was cut off`)
}

/**
 * Stops everything, and ends the process within `STOP_MS`: what has not ended would keep it running, and so would a log
 * that nobody reads. The last log lines have time until then.
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
