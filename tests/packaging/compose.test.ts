import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { SQL } from "bun"

import { serveSettings } from "../../src/settings/read-settings.ts"
import { SERVE_SETTING_NAMES } from "../../src/settings/settings.ts"
import { variableOf } from "../../src/settings/values-from-text.ts"
import { type Engine, found, startPostgres, startRedis } from "../engines.ts"
import { Instance, whyNoFleet } from "../fleet/fleet.ts"
import { Nginx, nginxOrWhy } from "../nginx.ts"
import { run, temporaryFolder } from "../server.ts"

setDefaultTimeout(180_000)

const PACKAGING = join(import.meta.dir, "../../packaging")

interface Service {
  readonly image?: string
  readonly command?: readonly string[]
  readonly ports?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly secrets?: readonly string[]
  readonly volumes?: readonly string[]
  readonly depends_on?: readonly string[]
  readonly networks?: { readonly default: { readonly ipv4_address: string } }
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
  readonly volumes: Readonly<Record<string, unknown>>
  readonly networks: {
    readonly default: { readonly ipam: { readonly config: readonly { readonly subnet: string }[] } }
  }
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
    const sources = volumes.map((volume) => volume.split(":")[0] ?? "")
    const isThere = (source: string): boolean =>
      source.startsWith("./") ? existsSync(join(PACKAGING, source)) : source in compose.volumes
    expect(sources.filter((source) => !isThere(source))).toEqual([])
    const files = Object.values(environment).filter((value) => value.startsWith("/run/secrets/"))
    expect(files.map((file) => file.slice("/run/secrets/".length)).toSorted()).toEqual(used.toSorted())
  }
})

test("its services find each other by their names and ports", () => {
  const { services, networks } = compose
  const { one, two, nginx, postgres, redis } = services
  expect({ ...two, networks: {} }).toEqual({ ...one, networks: {} })
  expect(one?.command).toEqual(["serve"])
  const { TRACK_STUDIO_BUS, TRACK_STUDIO_TRUSTED_PROXY } = one?.environment ?? {}
  expect(TRACK_STUDIO_BUS).toBe("redis://redis:6379")
  expect(TRACK_STUDIO_TRUSTED_PROXY).toBe(networks.default.ipam.config[0]?.subnet ?? "")
  // nginx looks names up once, so these must not get other addresses later, nor the same one.
  const addresses = [one, two].map((instance) => instance?.networks?.default.ipv4_address ?? "")
  const network = TRACK_STUDIO_TRUSTED_PROXY?.replace(".0/24", ".") ?? ""
  expect(addresses.filter((address) => !address.startsWith(network))).toEqual([])
  expect(new Set(addresses).size).toBe(2)
  const { port: own } = serveSettings({}, { TRACK_STUDIO_DATABASE: "postgres://host/name" })
  expect(
    shipped("nginx-fleet.conf")
      .match(/^ +server (\w+):(\d+)/gm)
      ?.map((line) => line.trim()),
  ).toEqual([`server one:${own}`, `server two:${own}`])
  expect(nginx?.ports).toEqual(["8080:80"])
  expect(postgres?.image).toBe("postgres:15")
  expect(redis?.command?.[0]).toBe("redis-server")
})

test("nginx passes requests to a fleet as it does to one server", () => {
  const location = (name: string): string | undefined =>
    /^    location \/ \{.*?^    \}/ms.exec(shipped(name))?.[0]
  expect(location("nginx-fleet.conf")).toBe(location("nginx.conf") ?? "")
})

const why =
  whyNoFleet() ?? (found("openssl") === null ? "openssl is not installed, and cannot be" : undefined)

/** Sends a request with curl, which can come from any loopback address. Returns status and body. */
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
    let token = ""
    let password = ""

    beforeAll(async () => {
      // Set up as its first lines say, except for the parts that need docker.
      const folder = temporaryFolder()
      const lines = [...shipped("compose.yaml").matchAll(/^# {3}((?:openssl|echo) .*)$/gm)].map(
        ([, line]) => line,
      )
      const made = Bun.spawnSync(["bash", "-euc", ["mkdir secrets", ...lines].join("\n")], {
        cwd: folder.path,
      })
      expect([made.exitCode, made.stderr.toString()]).toEqual([0, ""])
      const fileOf = (secret: string): string => join(folder.path, compose.secrets[secret]?.file ?? "")
      const textOf = (secret: string): string => readFileSync(fileOf(secret), "utf8").trim()
      token = textOf("admin-token")
      password = textOf("postgres-password")
      const { POSTGRES_USER: user = "", POSTGRES_DB: database = "" } =
        compose.services["postgres"]?.environment ?? {}
      const [postgres, redis] = await Promise.all([
        startPostgres(found("postgres") ?? "", {}, { user, password }),
        startRedis(found("redis-server") ?? "", compose.services["redis"]?.command?.slice(1)),
      ])
      engines = [postgres, redis]
      await using client = new SQL({ url: postgres.url, max: 1 })
      await client.unsafe(`CREATE DATABASE ${database}`)
      // In this test all of them are on this machine.
      writeFileSync(
        fileOf("database-url"),
        textOf("database-url").replace("@postgres/", `@127.0.0.1:${postgres.port}/`),
      )
      const { environment = {} } = compose.services["one"] ?? {}
      const env = {
        ...Object.fromEntries(
          Object.entries(environment).map(([name, value]) => {
            const secret = /^\/run\/secrets\/(.*)/.exec(value)?.[1]
            return [name, secret === undefined ? value : fileOf(secret)]
          }),
        ),
        TRACK_STUDIO_BUS: redis.url,
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
      folder[Symbol.dispose]()
    })

    afterAll(async () => {
      await Promise.all(instances.map((instance) => instance.end()))
      await nginx?.[Symbol.asyncDispose]()
      for (const engine of engines) await engine[Symbol.asyncDispose]()
    })

    const authorized = (): string[] => ["-H", `Authorization: Bearer ${token}`]

    test("admit the token in the file, on every instance, and no other caller", async () => {
      expect((await curl(`${url}/api/v1/queue`, "127.0.0.9"))[0]).toBe(401)
      for (let asked = 0; asked < 4; asked += 1) {
        expect((await curl(`${url}/api/v1/queue`, "127.0.0.1", ...authorized()))[0]).toBe(200)
      }
    })

    test("know each client by its own address, whatever it says of itself", async () => {
      const forged = ["-H", "X-Forwarded-For: 6.6.6.6", "-H", "Forwarded: for=6.6.6.6"]
      for (const from of ["127.0.0.1", "127.0.0.2"]) {
        const [status, body] = await curl(`${url}/api/v1/progress/stats`, from, ...authorized(), ...forged)
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
        const headers = { authorization: `Bearer ${token}` }
        const { status } = await fetch(`${instances[i % 2]?.url}/api/v1/queue`, { headers })
        return status
      })
      const statuses = await Promise.all(asked)
      const passed = statuses.filter((status) => status === 200).length
      // If each server counted for itself, 20 requests would pass.
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

    test("have a database whose password a command may be given by PGPASSWORD, which no list of processes shows", async () => {
      const database = engines[0]?.url.replace(`:${password}@`, "@").replace(/postgres$/, "track") ?? ""
      const listed = await run(["token", "list", "--database", database], { PGPASSWORD: password })
      expect([listed.code, listed.stdout]).toEqual([0, expect.stringContaining("admin")])
      expect((await run(["token", "list", "--database", database])).stderr).toContain("refuses the password")
    })

    test("show no password in the log", () => {
      expect(password.length).toBe(48)
      for (const { log } of instances) {
        expect(log).toContain('"database":"postgres://track@127.0.0.1')
        expect(log).not.toContain(password)
        expect(log).not.toContain(token)
      }
    })
  },
)
