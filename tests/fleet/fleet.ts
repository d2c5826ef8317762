import { type Engine, found, freePort, startPostgres, startRedis } from "../engines.ts"
import { Nginx, nginxOrWhy } from "../nginx.ts"
import { PROGRAM } from "../server.ts"

/** Settings for tests whose clients all have one address: no limits by address, and no tokens. */
export const FREE_FOR_ALL = [
  "--open",
  "--streams-per-client",
  "0",
  "--requests-per-address",
  "0",
  "--held-per-client",
  "0",
]

/** The reason why there can be no fleet here; undefined if there can be one. */
export function whyNoFleet(): string | undefined {
  if (found("postgres") === null) return "PostgreSQL is not installed, and cannot be"
  if (found("redis-server") === null) return "Redis is not installed, and cannot be"
  const nginx = nginxOrWhy()
  return "why" in nginx ? nginx.why : undefined
}

/** One server of a fleet, which keeps its port. */
export class Instance {
  readonly port = freePort()
  readonly url = `http://127.0.0.1:${this.port}`
  /** Everything that it has logged, in all its runs. */
  log = ""
  readonly #args: readonly string[]
  readonly #env: Readonly<Record<string, string>>
  #child: Bun.Subprocess<"ignore", "pipe", "pipe"> | undefined

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#args = args
    this.#env = env
  }

  /** Starts it, and returns at once. */
  begin(): void {
    // It must end when the tests end, in whatever way they end.
    const child = Bun.spawn(
      ["setpriv", "--pdeathsig", "KILL", ...PROGRAM, "serve", "--port", `${this.port}`, ...this.#args],
      {
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
        env: { ...process.env, ...this.#env },
      },
    )
    this.#child = child
    for (const pipe of [child.stdout, child.stderr]) void this.#read(pipe)
  }

  /** Resolves once it answers. */
  async listening(): Promise<void> {
    for (const untilMs = performance.now() + 30_000; performance.now() < untilMs; await Bun.sleep(20)) {
      const answer = await fetch(`${this.url}/health`).catch(() => undefined)
      if (answer?.ok) return
      if (this.#child?.exitCode !== null) throw new Error(`an instance did not start: ${this.log}`)
    }
    throw new Error(`an instance does not answer: ${this.log}`)
  }

  /** Ends it with a crash, or with the given signal. Resolves with its exit code. */
  async end(signal: NodeJS.Signals = "SIGKILL"): Promise<number | undefined> {
    this.#child?.kill(signal)
    return await this.#child?.exited
  }

  async #read(pipe: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    for await (const bytes of pipe) this.log += decoder.decode(bytes, { stream: true })
  }
}

/** The options of a fleet. */
export interface FleetOptions {
  /** How many instances; default 3. */
  readonly instances?: number
  /** The kind of bell that they use. */
  readonly bus: "redis" | "postgres"
  /** Further arguments of each server; see `FREE_FOR_ALL`. */
  readonly args: readonly string[]
}

/** Some instances on one database, behind the shipped configuration of nginx. */
export class Fleet implements AsyncDisposable {
  /** The address for clients. */
  readonly url: string
  readonly instances: readonly Instance[]
  readonly postgres: Engine
  /** Undefined if they ring by PostgreSQL. */
  readonly redis: Engine | undefined
  readonly #nginx: Nginx

  private constructor(
    nginx: Nginx,
    instances: readonly Instance[],
    postgres: Engine,
    redis: Engine | undefined,
  ) {
    this.url = `http://127.0.0.1:${nginx.ports[0]}`
    this.instances = instances
    this.postgres = postgres
    this.redis = redis
    this.#nginx = nginx
  }

  /** Starts everything. `whyNoFleet` must have returned undefined. */
  static async start({ instances = 3, bus, args }: FleetOptions): Promise<Fleet> {
    const postgres = await startPostgres(found("postgres") ?? "")
    const redis = bus === "redis" ? await startRedis(found("redis-server") ?? "") : undefined
    const common = ["--database", postgres.url, "--trusted-proxy", "127.0.0.1", ...args]
    const all = Array.from(
      { length: instances },
      () => new Instance([...common, ...(redis ? ["--bus", redis.url] : [])]),
    )
    for (const instance of all) instance.begin()
    await Promise.all(all.map((instance) => instance.listening()))
    const nginx = nginxOrWhy()
    if ("why" in nginx) throw new Error(nginx.why)
    const ports = all.map(({ port }) => port)
    return new Fleet(await Nginx.startFleet(nginx.path, ports), all, postgres, redis)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.instances.map((instance) => instance.end()))
    await this.#nginx[Symbol.asyncDispose]()
    await this.redis?.[Symbol.asyncDispose]()
    await this.postgres[Symbol.asyncDispose]()
  }
}
