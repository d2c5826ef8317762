import { describe, expect, setDefaultTimeout, spyOn, test } from "bun:test"

import { RedisClient } from "bun"

import { EVERYBODY } from "../../src/access/authorize.ts"
import { FleetRateLimit, type Grant, type SharedBuckets } from "../../src/access/fleet-rate-limit.ts"
import { RedisRateLimit } from "../../src/access/redis-rate-limit.ts"
import { AppError } from "../../src/errors.ts"
import { ClientLimits } from "../../src/http/client-limits.ts"
import { found, startRedis } from "../engines.ts"

setDefaultTimeout(180_000)

const RATE = { perSecond: 10, burst: 40 }

/** Shared buckets whose answers the test decides, and the requests that they got. */
function answering(
  answer: (wanted: number) => Grant | Promise<Grant>,
  charge: SharedBuckets["charge"] = async () => undefined,
) {
  const asked: number[] = []
  const buckets: SharedBuckets = {
    async take(_client, wanted) {
      asked.push(wanted)
      return answer(wanted)
    },
    charge,
  }
  const clock = { nowMs: 0 }
  const errors: unknown[] = []
  const allowances = new FleetRateLimit(
    buckets,
    () => clock.nowMs,
    (error) => errors.push(error),
  )
  return { asked, clock, errors, allowances }
}

test("units that were given in advance are used for one second without asking the buckets", async () => {
  const { allowances, asked, clock } = answering(() => ({ units: 8, waitMs: 0 }))
  for (let i = 0; i < 16; i += 1) expect(await allowances.take("one", RATE)).toBe(0)
  expect(asked).toEqual([1, 1])
  await allowances.take("one", RATE)
  clock.nowMs += 1000
  await allowances.take("one", RATE)
  expect(asked).toEqual([1, 1, 1, 1])
  expect(await allowances.take("one", { perSecond: 0, burst: 0 })).toBe(0)
  expect(asked).toHaveLength(4)
})

test("requests that come at the same time ask the buckets once, and refused ones learn how long to wait", async () => {
  let left = 5
  const { allowances, asked } = answering(async (wanted) => {
    await Bun.sleep(1)
    const units = Math.min(wanted, left)
    left -= units
    return { units, waitMs: 70 }
  })
  const waits = await Promise.all(Array.from({ length: 9 }, () => allowances.take("one", RATE)))
  expect(waits.filter((ms) => ms === 0)).toHaveLength(5)
  expect(waits.filter((ms) => ms === 70)).toHaveLength(4)
  expect(asked).toEqual([1, 8, 4])
})

test("while the buckets cannot be reached, everything passes, and they are asked once a second", async () => {
  const away = new Error("away")
  const { allowances, asked, clock, errors } = answering(() => Promise.reject(away))
  for (let i = 0; i < 50; i += 1) expect(await allowances.take("one", RATE)).toBe(0)
  expect([asked, errors]).toEqual([[1], [away]])
  clock.nowMs += 1000
  await Promise.all(["two", "three"].map((client) => allowances.take(client, RATE)))
  expect([asked, errors]).toEqual([
    [1, 1, 1],
    [away, away],
  ])
})

test("work that was done while the buckets cannot be reached does not delay the next try", async () => {
  const away = async (): Promise<never> => {
    throw new Error("away")
  }
  const { allowances, asked, clock } = answering(away, away)
  await allowances.take("one", RATE)
  clock.nowMs += 500
  allowances.charge("one", 5, RATE)
  await Promise.resolve()
  clock.nowMs += 500
  await allowances.take("one", RATE)
  expect(asked).toEqual([1, 1])
})

test("a client that had to wait passes once the buckets cannot be reached any more", async () => {
  let isAway = false
  const { allowances } = answering(() => {
    if (isAway) throw new Error("away")
    return { units: 0, waitMs: 70 }
  })
  expect(await allowances.take("one", RATE)).toBe(70)
  isAway = true
  expect(await allowances.take("one", RATE)).toBe(0)
})

const program = found("redis-server")

describe.skipIf(program === null)(
  `two servers with one Redis${program ? "" : " (skipped: it is not installed)"}`,
  () => {
    const visitor = { ...EVERYBODY, client: "10.0.0.1" }
    const other = { ...EVERYBODY, client: "10.0.0.2" }

    /** Servers that limit requests; they share the limits by Redis if there is a URL. */
    function servers(url: string | undefined) {
      const buckets = [0, 1].map(() => (url === undefined ? undefined : new RedisRateLimit(url, "test")))
      const limits = buckets.map((shared) => {
        const steadyMs = (): number => performance.now()
        const allowances = shared && new FleetRateLimit(shared, steadyMs, () => undefined)
        return new ClientLimits({ perAddress: 10, perToken: 10, perLease: 10, held: 0, steadyMs, allowances })
      })
      return {
        limits,
        /** How many of this many requests pass, if they are sent to both servers in turn. */
        async passing(count: number, caller = visitor): Promise<number> {
          let passed = 0
          for (let i = 0; i < count; i += 1) {
            try {
              limits[i % 2]?.ask(caller, "")
              await limits[i % 2]?.askAll(caller, "")
              passed += 1
            } catch (error) {
              if (!(error instanceof AppError) || error.code !== "too_many_requests") throw error
            }
          }
          return passed
        },
        async [Symbol.asyncDispose]() {
          for (const shared of buckets) await shared?.stop()
        },
      }
    }

    test("let a client pass as often as one server would; without Redis twice as often", async () => {
      await using redis = await startRedis(program ?? "")
      await using together = servers(redis.url)
      const startedMs = performance.now()
      const passed = await together.passing(100)
      const flowedBack = Math.ceil(((performance.now() - startedMs) * RATE.perSecond) / 1000)
      expect(passed).toBeWithin(RATE.burst - 4, RATE.burst + flowedBack + 1)
      together.limits[0]?.charge(visitor, 100 * 64 * 1024)
      await Bun.sleep(300)
      expect(await together.passing(2)).toBe(0)
      // The control.
      await using apart = servers(undefined)
      expect(await apart.passing(100)).toBeGreaterThanOrEqual(2 * RATE.burst)
    })

    test("share the limit again after one of them has stood still for longer than Redis may take", async () => {
      await using redis = await startRedis(program ?? "")
      const buckets = new RedisRateLimit(redis.url, "still")
      for (let round = 0; round < 3; round += 1) {
        const taking = buckets.take("one", 1, RATE)
        Bun.sleepSync(round * 200)
        expect((await taking).units).toBeGreaterThan(0)
      }
      await buckets.stop()
    })

    test("give a client no more than its burst at once, however long it was quiet, and forget it then", async () => {
      await using redis = await startRedis(program ?? "")
      const buckets = new RedisRateLimit(redis.url, "quiet")
      await buckets.take("forgotten", 20, RATE)
      const client = new RedisClient(redis.url)
      // It is full again after two seconds.
      expect(await client.pttl("quiet forgotten")).toBeWithin(1, 3001)
      client.close()
      // So fast that the bucket is full again within a millisecond.
      const rate = { perSecond: 1e6, burst: 10 }
      expect((await buckets.take("one", 10, rate)).units).toBe(10)
      let units = 0
      while (units === 0) units = (await buckets.take("one", 100, rate)).units
      expect(units).toBe(10)
      await buckets.stop()
    })

    test("limit requests separately while Redis is unavailable, and hardly wait for it", async () => {
      await using redis = await startRedis(program ?? "")
      await using together = servers(redis.url)
      expect(await together.passing(2)).toBe(2)
      process.kill(redis.pid ?? 0, "SIGSTOP")
      const startedMs = performance.now()
      expect(await together.passing(60)).toBe(60)
      expect(performance.now() - startedMs).toBeLessThan(5000)
      process.kill(redis.pid ?? 0, "SIGCONT")
      await redis.crash()
      expect(await together.passing(100)).toBeWithin(2 * RATE.burst - 62, 100)
      await redis.start()
      await Bun.sleep(1100)
      expect(await together.passing(100, other)).toBeWithin(RATE.burst - 4, RATE.burst + 10)
    })
  },
)

test("an answer that fails late does not end the connection that was made since", async () => {
  const closed: unknown[] = []
  const answers: PromiseWithResolvers<unknown>[] = []
  using _connect = spyOn(RedisClient.prototype, "connect").mockResolvedValue(undefined)
  using _close = spyOn(RedisClient.prototype, "close").mockImplementation(function (this: unknown) {
    closed.push(this)
  })
  using _send = spyOn(RedisClient.prototype, "send").mockImplementation(() => {
    const answer = Promise.withResolvers<unknown>()
    answers.push(answer)
    return answer.promise
  })
  const buckets = new RedisRateLimit("redis://127.0.0.1:1", "late")
  const [first, second] = [buckets.take("one", 1, RATE), buckets.take("one", 1, RATE)]
  while (answers.length < 2) await new Promise(setImmediate)
  answers[0]?.reject(new Error("lost"))
  await expect(first).rejects.toThrow("lost")
  const third = buckets.take("one", 1, RATE)
  while (answers.length < 3) await new Promise(setImmediate)
  answers[1]?.reject(new Error("lost as well"))
  await expect(second).rejects.toThrow("lost as well")
  answers[2]?.resolve([1, 0])
  expect(await third).toEqual({ units: 1, waitMs: 0 })
  expect(closed).toHaveLength(1)
  await buckets.stop()
  while (closed.length < 2) await new Promise(setImmediate)
  expect(new Set(closed).size).toBe(2)
})
