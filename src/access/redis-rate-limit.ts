import { RedisClient } from "bun"

import type { Service } from "../background-work.ts"
import type { Grant, SharedBuckets } from "./fleet-rate-limit.ts"
import type { Rate } from "./rate-limit.ts"

/**
 * Takes units from a bucket, with the clock of Redis: as many as requested, or a sixteenth of the units in
 * the bucket if that is more. A charge may take more than the bucket has. A bucket that is full again is
 * forgotten.
 */
const TAKE = `local perSecond, burst, wanted, isCharge = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == "1"
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = redis.call("HMGET", KEYS[1], "units", "at")
local units, at = tonumber(kept[1] or burst), tonumber(kept[2] or now)
units = math.min(burst, units + math.max(0, now - at) * perSecond / 1000)
local taken = wanted
if not isCharge then taken = math.max(0, math.floor(math.min(units + 1e-6, math.max(wanted, units / 16)))) end
units = units - taken
redis.call("HSET", KEYS[1], "units", tostring(units), "at", tostring(now))
redis.call("PEXPIRE", KEYS[1], math.ceil((burst - units) * 1000 / perSecond) + 1000)
return {taken, math.ceil(math.max(0, 1 - units) * 1000 / perSecond)}`

/** How long a connection or an answer may take; then the connection is given up. */
const ANSWER_MS = 250
const MORE_MS = 20

/**
 * Buckets in Redis or Valkey, for the servers that give the same prefix. A connection that was lost or does not answer is
 * not used again.
 */
export class RedisRateLimit implements SharedBuckets, Service {
  readonly #url: string
  readonly #prefix: string
  #opening: Promise<RedisClient> | undefined
  #isStopped = false

  /** `prefix` is the same for all servers that share the buckets. */
  constructor(url: string, prefix: string) {
    this.#url = url
    this.#prefix = prefix
  }

  async take(client: string, wanted: number, rate: Rate): Promise<Grant> {
    const [units = 0, waitMs = 0] = await this.#run("take", client, wanted, rate)
    return { units, waitMs }
  }

  async charge(client: string, units: number, rate: Rate): Promise<void> {
    await this.#run("charge", client, units, rate)
  }

  /** Begins to connect, so that no request has to wait for it later. */
  async start(): Promise<void> {
    this.#opening ??= this.#open()
    this.#opening.catch(() => this.#close())
  }

  /** Disconnects. From then on every call rejects. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#close()
  }

  #close(): void {
    const opening = this.#opening
    this.#opening = undefined
    opening?.then((client) => client.close()).catch(() => undefined)
  }

  async #run(
    act: "take" | "charge",
    client: string,
    units: number,
    { perSecond, burst }: Rate,
  ): Promise<readonly number[]> {
    const opening = (this.#opening ??= this.#open())
    const lose = (): void => {
      if (this.#opening === opening) this.#close()
    }
    // After a pause of this process the first timer runs before the answer is read, and the second one after
    // it.
    let late = setTimeout(() => (late = setTimeout(lose, MORE_MS)), ANSWER_MS)
    try {
      const redis = await opening
      const values = [perSecond, burst, units, act === "charge" ? 1 : 0].map(String)
      return await redis.send("EVAL", [TAKE, "1", `${this.#prefix} ${client}`, ...values])
    } catch (error) {
      lose()
      throw error
    } finally {
      clearTimeout(late)
    }
  }

  async #open(): Promise<RedisClient> {
    if (this.#isStopped) throw new Error("the server stops")
    const options = { autoReconnect: false, enableOfflineQueue: false, connectionTimeout: ANSWER_MS }
    const client = new RedisClient(this.#url, options)
    await client.connect()
    return client
  }
}
