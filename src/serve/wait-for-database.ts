import { within } from "../background-work.ts"
import { isRefusal } from "../errors.ts"

/** The pause between two tries. */
const PAUSE_MS = 500

/** How long a start may go on once the server is to stop. Without a fault it needs less. */
const LEFT_AFTER_MS = 500

/** How long a start waits for its database, and what ends the wait. */
export interface StartPatience {
  /** Until when it tries again, on the clock of `performance.now()`. */
  readonly untilMs: number
  /** Whether the database is unavailable now, and is worth waiting for. */
  readonly isAway: () => boolean
  /** Resolves when the server is to stop: then nothing waits any more. */
  readonly asked: Promise<unknown>
  /** Called before each new try. */
  readonly onWaiting: () => void
}

/**
 * Does a part of a start, and does it again as long as the database is unavailable. Doing it twice must have the same
 * result. @throws what the last try throws
 */
export async function waitingForDatabase<T>(work: () => Promise<T>, patience: StartPatience): Promise<T> {
  const { untilMs, isAway, asked, onWaiting } = patience
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!isRefusal(error, "unavailable") || !isAway() || performance.now() >= untilMs) throw error
      onWaiting()
      const isStopping = await Promise.race([asked.then(() => true), Bun.sleep(PAUSE_MS).then(() => false)])
      if (isStopping) throw error
    }
  }
}

/**
 * Resolves when a start has ended, and soon after the server was asked to stop even if the start has not: its database may
 * give no answer for a long time. Then the signal that `start` gets aborts, and it must begin nothing more.
 * @throws what the start throws
 */
export async function startedOrAsked(
  start: (left: AbortSignal) => Promise<void>,
  asked: Promise<unknown>,
): Promise<void> {
  const left = new AbortController()
  const starting = start(left.signal)
  try {
    await Promise.race([starting, asked])
    await within(LEFT_AFTER_MS, starting)
  } finally {
    left.abort()
  }
}
