import { RedisClient } from "bun"

import type { Bell } from "./bell-or-polling.ts"

/** The shortest time between two rings by Redis, which costs it 10 µs for each instance. */
export const REDIS_MERGE_MS = 2

const CONNECT_MS = 2000

/** Bun's client gives one error for all of this: the connection was closed. */
const REFUSED = "Redis does not answer, or refuses the user, the password or the database of the URL"

/**
 * A bell of Redis or Valkey: one connection listens, another speaks. Neither reconnects by itself, because Bun's client
 * then stays connected and deaf; a new bell is made instead.
 */
export function redisBell(url: string, channel: string): Bell {
  const options = { autoReconnect: false, enableOfflineQueue: false, connectionTimeout: CONNECT_MS }
  const ear = new RedisClient(url, options)
  const mouth = new RedisClient(url, options)
  return {
    async open(heard, lost) {
      let isOpen = false
      const closed = (error: unknown): void => lost(isOpen ? error : new Error(REFUSED, { cause: error }))
      ear.onclose = closed
      mouth.onclose = closed
      await Promise.all([ear.connect(), mouth.connect()])
      await ear.subscribe(channel, heard)
      isOpen = true
    },
    say: (words) => mouth.publish(channel, words),
    close() {
      ear.close()
      mouth.close()
    },
  }
}
