import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"

import { RedisClient, SQL } from "bun"

import { RedisRateLimit } from "../../src/access/redis-rate-limit.ts"
import { postgresBell } from "../../src/bus/postgres.ts"
import { redisBell } from "../../src/bus/redis.ts"
import { busContract } from "../contracts/bus.contract.ts"
import { type Engine, found, startPostgres, startRedis } from "../engines.ts"
import { start } from "../server.ts"
import { ringing, took } from "./bell.ts"

setDefaultTimeout(180_000)

const ENGINES = [
  {
    ...{ name: "Redis", scheme: "redis", program: found("redis-server"), begin: startRedis, bell: redisBell },
    connections: async (url: string) => {
      const client = new RedisClient(url)
      const all = String(await client.send("CLIENT", ["LIST"]))
      client.close()
      // One is that of the question.
      return all.trim().split("\n").length - 1
    },
  },
  {
    name: "PostgreSQL",
    scheme: "postgres",
    program: found("postgres"),
    // A listening connection is silent for hours, and many servers end such sessions.
    begin: (bin: string) => startPostgres(bin, { idle_session_timeout: "300ms" }),
    bell: postgresBell,
    connections: async (url: string) => {
      await using client = new SQL({ url, max: 1 })
      const [row] =
        await client`SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'track-studio'`
      return Number(row.n)
    },
  },
]

for (const { name, scheme, program, begin, bell, connections } of ENGINES) {
  const missing = program === null ? ` (skipped: ${name} is not installed, and cannot be)` : ""
  describe.skipIf(program === null)(`the bell of ${name}${missing}`, () => {
    let engine: Engine | undefined
    beforeAll(async () => {
      engine = await begin(program ?? "")
    })
    afterAll(() => engine?.[Symbol.asyncDispose]())
    const open = () => ringing(() => bell(engine?.url ?? "", "track_studio_test"))

    busContract(`RemoteBus on ${name}`, open)

    test("carries a ring to another instance at once", async () => {
      await using a = await open()
      await using b = await open()
      for (let i = 0; i < 5; i += 1) {
        const before = b.rung.rings
        a.bus.notify()
        expect(await took(() => b.rung.after(before))).toBeLessThan(200)
      }
    })

    test("stays heard although nobody rings", async () => {
      await using one = await open()
      await Bun.sleep(1000)
      expect(one.told).toEqual([])
    })

    test.skipIf(scheme !== "postgres")("rings although the user may do nothing that takes long", async () => {
      await using client = new SQL({ url: engine?.url ?? "", max: 1 })
      await client
        .unsafe(
          `CREATE FUNCTION public.pg_notify(text, text) RETURNS void LANGUAGE sql
            AS 'SELECT pg_sleep(0.1); SELECT pg_catalog.pg_notify($1, $2)';
          ALTER ROLE CURRENT_USER SET search_path = public, pg_catalog;
          ALTER ROLE CURRENT_USER SET statement_timeout = '20ms'`,
        )
        .simple()
      try {
        await using one = await open()
        expect(one.told).toEqual([])
      } finally {
        await client.unsafe("ALTER ROLE CURRENT_USER RESET ALL; DROP FUNCTION public.pg_notify").simple()
      }
    })

    test("is named in the health and the log of a server while it is not heard", async () => {
      await engine?.crash()
      await using server = await start({ args: ["--bus", engine?.url ?? ""] })
      const reasons = async (): Promise<string[]> =>
        (await (await fetch(`${server.url}/health`)).json()).reasons
      while (!(await reasons()).includes("bell_lost"));
      await engine?.start()
      while ((await reasons()).includes("bell_lost"));
      expect(await server.end()).toBe(0)
      expect(server.log).toContain(`"bus":"${engine?.url}"`)
      expect(server.log).toMatch(
        /"level":"warn","msg":"degraded",.*"detail":.*"bell_lost"[^]*"level":"info","msg":"no longer degraded",.*"bell_lost"/,
      )
    })

    test("carries nothing to instances with another history", async () => {
      const ours = bell(engine?.url ?? "", "track_studio_test")
      const other = bell(engine?.url ?? "", "track_studio_other")
      const heard: string[] = []
      const done = Promise.withResolvers<void>()
      await ours.open(() => undefined, done.reject)
      await other.open((words) => {
        heard.push(words)
        done.resolve()
      }, done.reject)
      await ours.say("ours")
      await other.say("other")
      await done.promise
      expect(heard).toEqual(["other"])
      for (const { close } of [ours, other]) close()
    })

    test("leaves no connection behind when it is closed, as after each one that was lost", async () => {
      const url = engine?.url ?? ""
      const before = await connections(url)
      const one = bell(url, "track_studio_test")
      await one.open(
        () => undefined,
        () => undefined,
      )
      expect(await connections(url)).toBeGreaterThan(before)
      one.close()
      while ((await connections(url)) > before);
    })

    test("never shows its password", async () => {
      await using nobody = await ringing(() =>
        bell(`${scheme}://fleet:hush@127.0.0.1:1`, "track_studio_test"),
      )
      const wrong = engine?.url.replace(/\/\/(.*@)?/, "//fleet:hush@") ?? ""
      await using other = await ringing(() => bell(wrong, "track_studio_test"))
      expect(nobody.told.length).toBe(1)
      expect([...nobody.told, ...other.told].join()).not.toContain("hush")
      // Bun's client says no more of it than that the connection was closed.
      if (scheme === "redis") expect(other.told[0]).toContain("refuses the user, the password")
    })

    test("is replaced by polling when the engine dies, and rings again when the engine is back", async () => {
      await using a = await open()
      await using b = await open()
      await engine?.crash()
      // The lost connection is noticed as such, and not only by its silence.
      expect(
        await took(async () => void (await Promise.all([a.saidOfHealth(1), b.saidOfHealth(1)]))),
      ).toBeLessThan(1500)
      const before = b.rung.rings
      expect(await took(() => b.rung.after(before + 3))).toBeLessThan(3000)
      await engine?.start()
      await Promise.all([a.saidOfHealth(2), b.saidOfHealth(2)])
      expect(a.told).toEqual([expect.stringMatching(/^deaf: /), "hears"])
      const heard = b.rung.rings
      a.bus.notify()
      await b.rung.after(heard)
    })
  })
}

const redisProgram = found("redis-server")

test.skipIf(redisProgram === null)(
  "a user of Redis with the rights that the documentation names is enough for bell and limits",
  async () => {
    await using engine = await startRedis(redisProgram ?? "")
    const text = await Bun.file("docs/fleet.md").text()
    const [, rights = ""] = /`ACL SETUSER studio on >PASSWORD (.*?)`/.exec(text) ?? []
    const admin = new RedisClient(engine.url)
    await admin.send("ACL", ["SETUSER", "studio", "on", ">PASSWORD", ...rights.split(" ")])
    admin.close()
    const url = engine.url.replace("redis://", "redis://studio:PASSWORD@")
    const { promise: heard, resolve, reject } = Promise.withResolvers<string>()
    const bell = redisBell(url, "track_studio_test")
    await bell.open(resolve, reject)
    await bell.say("ring")
    expect(await heard).toBe("ring")
    bell.close()
    const buckets = new RedisRateLimit(url, "track_studio_test")
    expect((await buckets.take("one", 1, { perSecond: 1, burst: 2 })).units).toBe(1)
    await buckets.stop()
  },
)
