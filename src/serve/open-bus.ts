import type { SharedBuckets } from "../access/fleet-rate-limit.ts"
import type { Service } from "../background-work.ts"
import { type Bell, BellOrPollingBus } from "../bus/bell-or-polling.ts"
import { type Bus, LocalBus } from "../bus/bus.ts"
import type { Reasons } from "../degraded-reasons.ts"
import { reasonOf } from "../errors.ts"
import type { ServeSettings } from "../settings/read-settings.ts"
import { isPostgres } from "../store/database-address.ts"
import { logged } from "./error-log.ts"

/** How a server learns of new updates, and what it shares with the other servers of its fleet. */
export interface BusParts {
  /** Carries the notifications. */
  readonly bus: Bus
  /** Where all servers together count the requests of clients; absent if each server counts for itself. */
  readonly shared?: SharedBuckets
  /** The services that it needs. */
  readonly services: readonly Service[]
}

/** A program that carries notifications between servers. */
interface Engine {
  /** Makes a bell for the instances that share a channel. */
  readonly bell: (url: string, channel: string) => Bell
  /** The shortest time between two rings to other instances, in milliseconds. */
  readonly mergeMs: number
  /**
   * Makes the shared buckets; absent if they would cost too much: on PostgreSQL each request would be a
   * write.
   */
  readonly bucketsAt?: (url: string, prefix: string) => SharedBuckets & Service
}

/** Each engine is loaded only when it is needed: a server without a fleet needs none. */
async function engineOf(url: string): Promise<Engine> {
  if (url.startsWith("postgres")) {
    const { POSTGRES_MERGE_MS, postgresBell } = await import("../bus/postgres.ts")
    return { bell: postgresBell, mergeMs: POSTGRES_MERGE_MS }
  }
  const [{ REDIS_MERGE_MS, redisBell }, { RedisRateLimit }] = await Promise.all([
    import("../bus/redis.ts"),
    import("../access/redis-rate-limit.ts"),
  ])
  return {
    bell: redisBell,
    mergeMs: REDIS_MERGE_MS,
    bucketsAt: (redis, prefix) => new RedisRateLimit(redis, prefix),
  }
}

/**
 * The bus that `--bus` names. Without `--bus` a PostgreSQL database is also the bus, and with SQLite the bus is
 * within this process. Instances hear each other if they use the same history.
 */
export async function openBus(
  { bus, database }: ServeSettings,
  historyId: string,
  reasons: Reasons,
): Promise<BusParts> {
  const url = bus ?? (isPostgres(database) ? database : undefined)
  if (url === undefined) return { bus: new LocalBus(), services: [] }
  const { bell, mergeMs, bucketsAt } = await engineOf(url)
  const channel = `track_studio_${historyId.slice(0, 16)}`
  const remote = new BellOrPollingBus({
    bell: () => bell(url, channel),
    mergeMs,
    onDeaf: (error) => reasons.set("bell_lost", true, reasonOf(error)),
    onHears: () => reasons.set("bell_lost", false),
    onError: logged("a listener of the bus failed"),
  })
  const shared = bucketsAt?.(url, channel)
  return { bus: remote, services: [remote, ...(shared ? [shared] : [])], ...(shared && { shared }) }
}
