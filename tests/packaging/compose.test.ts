import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { SERVE_SETTING_NAMES } from "../../src/config/config.ts"
import { variableOf } from "../../src/config/values.ts"
import { type Engine, found, startPostgres, startRedis } from "../engines.ts"
import { Instance, whyNoFleet } from "../fleet/fleet.ts"
import { Nginx, nginxOrWhy } from "../nginx.ts"
import { temporaryFolder } from "../server.ts"

setDefaultTimeout(60_000)

const PACKAGING = join(import.meta.dir, "../../packaging")
const TOKEN = `tsk_${"a".repeat(43)}`

interface Service {
  readonly environment?: Readonly<Record<string, string>>
  readonly secrets?: readonly string[]
  readonly volumes?: readonly string[]
  readonly depends_on?: readonly string[]
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
}

const shipped = (name: string): string => readFileSync(join(PACKAGING, name), "utf8")
const compose = Bun.YAML.parse(shipped("compose.yaml")) as Compose

test("the fleet has two instances, PostgreSQL, Redis and nginx, and names nothing that is not there", () => {
  const { services, secrets } = compose
  expect(Object.keys(services).sort()).toEqual(["nginx", "one", "postgres", "redis", "two"])
  const settings = SERVE_SETTING_NAMES.flatMap((name) => [variableOf(name), `${variableOf(name)}_FILE`])
  for (const { environment = {}, secrets: used = [], volumes = [], depends_on = [] } of Object.values(
    services,
  )) {
    const ours = Object.keys(environment).filter((name) => name.startsWith("TRACK_STUDIO_"))
    expect(ours.filter((name) => !settings.includes(name))).toEqual([])
    expect(used.filter((name) => !secrets[name])).toEqual([])
    expect(depends_on.filter((name) => !services[name])).toEqual([])
    const files = volumes.map((volume) => volume.split(":")[0] ?? "").filter((file) => file.startsWith("./"))
    expect(files.filter((file) => !existsSync(join(PACKAGING, file)))).toEqual([])
  }
  expect(
    shipped("compose.yaml")
      .match(/(?<=>)secrets\/[a-z-]+/g)
      ?.toSorted(),
  ).toEqual(
    Object.values(secrets)
      .map(({ file }) => file)
      .sort(),
  )
})

test("nginx passes requests to a fleet as it does to one server", () => {
  const location = (name: string): string | undefined =>
    /^    location \/ \{.*?^    \}/ms.exec(shipped(name))?.[0]
  expect(location("nginx-fleet.conf")).toBe(location("nginx.conf") ?? "")
})

const why = whyNoFleet()

/** Asks with curl, which can come from any address of loopback; answers status and body. */
async function curl(
  url: string,
  from: string,
  ...args: readonly string[]
): Promise<[status: number, body: string]> {
  const child = Bun.spawn(["curl", "-sS", "--interface", from, "-w", "\n%{http_code}", ...args, url])
  const said = await new Response(child.stdout).text()
  const at = said.lastIndexOf("\n")
  return [Number(said.slice(at + 1)), said.slice(0, at)]
}

describe.skipIf(why !== undefined)(
  `the settings of compose.yaml, behind the real nginx${why ? ` (skipped: ${why})` : ""},`,
  () => {
    let engines: readonly Engine[] = []
    let instances: readonly Instance[] = []
    let nginx: Nginx | undefined
    let url = ""

    beforeAll(async () => {
      const secrets = temporaryFolder()
      const secret = (name: string, text: string): string => {
        const file = join(secrets.path, name)
        writeFileSync(file, `${text}\n`)
        return file
      }
      const [postgres, redis] = await Promise.all([
        startPostgres(found("postgres") ?? ""),
        startRedis(found("redis-server") ?? ""),
      ])
      engines = [postgres, redis]
      const env = {
        ...compose.services["one"]?.environment,
        TRACK_STUDIO_DATABASE_FILE: secret("database-url", postgres.url.replace("fleet@", "fleet:hush@")),
        TRACK_STUDIO_BUS: redis.url,
        TRACK_STUDIO_TOKEN_FILE: secret("admin-token", TOKEN),
        TRACK_STUDIO_TRUSTED_PROXY: "127.0.0.1",
        TRACK_STUDIO_REQUESTS_PER_ADDRESS: "2",
        TRACK_STUDIO_REQUESTS_PER_TOKEN: "5",
      }
      instances = [new Instance([], env), new Instance([], env)]
      for (const instance of instances) instance.begin()
      await Promise.all(instances.map((instance) => instance.listening()))
      const program = nginxOrWhy()
      nginx = await Nginx.startFleet(
        "path" in program ? program.path : "",
        instances.map(({ port }) => port),
      )
      url = `http://127.0.0.1:${nginx.ports[0]}`
      secrets[Symbol.dispose]()
    })

    afterAll(async () => {
      await Promise.all(instances.map((instance) => instance.end()))
      await nginx?.[Symbol.asyncDispose]()
      for (const engine of engines) await engine[Symbol.asyncDispose]()
    })

    const authorized = ["-H", `Authorization: Bearer ${TOKEN}`]

    test("let in who has the token of the file, on every instance, and nobody else", async () => {
      expect((await curl(`${url}/api/v1/queue`, "127.0.0.9"))[0]).toBe(401)
      for (let asked = 0; asked < 4; asked += 1) {
        expect((await curl(`${url}/api/v1/queue`, "127.0.0.1", ...authorized))[0]).toBe(200)
      }
    })

    test("know each client by its own address, whatever it says of itself", async () => {
      const forged = ["-H", "X-Forwarded-For: 6.6.6.6", "-H", "Forwarded: for=6.6.6.6"]
      for (const from of ["127.0.0.1", "127.0.0.2"]) {
        const [status, body] = await curl(`${url}/api/v1/progress/stats`, from, ...authorized, ...forged)
        expect([status, JSON.parse(body).client_address]).toEqual([200, from])
      }
    })

    test("limit each address for itself", async () => {
      const statuses: number[] = []
      while (!statuses.includes(429) && statuses.length < 100) {
        statuses.push((await curl(`${url}/api/v1/queue`, "127.0.0.3"))[0])
      }
      expect(new Set(statuses)).toEqual(new Set([401, 429]))
      expect((await curl(`${url}/api/v1/queue`, "127.0.0.4"))[0]).toBe(401)
    })

    test("limit each token over all instances, because they have one Redis", async () => {
      const startedMs = performance.now()
      const asked = Array.from({ length: 60 }, async (_, i) => {
        const headers = { authorization: `Bearer ${TOKEN}` }
        const { status } = await fetch(`${instances[i % 2]?.url}/api/v1/queue`, { headers })
        return status
      })
      const statuses = await Promise.all(asked)
      const passed = statuses.filter((status) => status === 200).length
      // Each for itself would let 20 pass.
      expect(passed).toBeWithin(10, 21 + ((performance.now() - startedMs) * 5) / 1000)
      expect(statuses.filter((status) => status === 429)).toHaveLength(60 - passed)
      await Bun.sleep(1000)
    })

    test("answer to the names that they were given, as the client wrote them, and to no other", async () => {
      const named = async (host: string): Promise<number> =>
        (await curl(`${url}/api/v1/queue`, "127.0.0.5", "-H", `Host: ${host}`))[0]
      expect(await named("studio.example")).toBe(401)
      expect(await named("other.example")).toBe(421)
    })

    test("show no password in the log", () => {
      for (const { log } of instances) {
        expect(log).toContain('"database":"postgres://fleet@127.0.0.1')
        expect(log).not.toContain("hush")
      }
    })
  },
)
