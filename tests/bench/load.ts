import { join } from "node:path"

import { folder, run, sleep } from "./machine.ts"
import { Process, type Target } from "./processes.ts"

const sources = join(import.meta.dir, "native")

/** The path of a compiled program of `native/`. */
export function program(name: "sseload" | "ssepub" | "floor"): string {
  return join(folder("bin"), name)
}

/** Compiles the programs of `native/`. Returns the compiler's message if that fails. */
export function compile(): string | undefined {
  for (const name of ["sseload", "ssepub", "floor"] as const) {
    const { ok, text } = run(["gcc", "-O2", "-Wall", "-o", program(name), join(sources, `${name}.c`)])
    if (!ok) return text || "gcc failed"
  }
  return undefined
}

interface Times {
  n: number
  p50: number
  p90: number
  p99: number
  max: number
}

/** What the load client says once its streams are open. */
export interface Connected {
  connected: number
  failed: number
  pending: number
  storm_ms: number
  live_ms: number
  before_min: number
  before_max: number
  disorder: number
  first_us: Times
  live_us: Times
}

/** What the load client says at its end. */
export interface Delivered {
  live: number
  lost: number
  events: number
  named_blocks: number
  holes: number
  disorder: number
  unmarked: number
  min: number
  max: number
  data_min: number
  span_s: number
  seconds: number
  per_s: number
  lat_us: Times & { mean: number; p999: number }
  cpu_ms: number
}

/** What the publisher says at its end. */
export interface Published {
  sent: number
  ok: number
  bad: number
  neterr: number
  elapsed_s: number
  per_s: number
  rt_us: Times
  cpu_ms: number
}

/** Which streams to open. */
export interface ReaderOptions {
  count: number
  /** This many of them read only the head of the response. */
  stalled?: number
  inFlight?: number
  /** Whether to wait for `event: live` of each stream, if it has one; otherwise the head is enough. */
  untilLive?: boolean
  path?: string
  lastEventId?: number
  /** The IDs of a filtered stream ascend, but have holes. */
  filtered?: boolean
  warmupSeconds?: number
  limitSeconds?: number
  /** The run ends when nothing has come for this long. */
  quietMs?: number
}

/** Streams held open by the load client. */
export class Readers {
  readonly connected: Connected
  readonly #process: Process
  readonly #lines: AsyncGenerator<string>

  private constructor(process: Process, lines: AsyncGenerator<string>, connected: Connected) {
    this.#process = process
    this.#lines = lines
    this.connected = connected
  }

  /** Opens the streams and resolves when all of them are open. */
  static async open(target: Target, options: ReaderOptions): Promise<Readers> {
    const argv = [program("sseload"), "-p", `${target.port}`, "-P", options.path ?? target.stream.path]
    argv.push("-n", `${options.count}`, "-w", `${options.inFlight ?? 256}`, "-s", `${options.stalled ?? 0}`)
    argv.push(
      "-W",
      `${options.warmupSeconds ?? 0}`,
      "-d",
      `${options.limitSeconds ?? 120}`,
      "-i",
      `${options.quietMs ?? 700}`,
    )
    if (target.stream.live) argv.push("-c", options.filtered ? "2" : "1")
    if (target.stream.live && options.untilLive !== false) argv.push("-L")
    for (const header of target.headers) argv.push("-h", header)
    if (options.lastEventId !== undefined) argv.push("-h", `Last-Event-ID: ${options.lastEventId}`)
    const process = Process.start("sseload", argv, { on: "client", pipe: true })
    const lines = process.lines()
    const first = await lines.next()
    if (first.done) throw new Error(`the load client ended before it was connected to ${target.name}`)
    return new Readers(process, lines, JSON.parse(first.value) as Connected)
  }

  /** Reads until nothing comes any more, closes the streams, and returns what was read. */
  async finish(): Promise<Delivered> {
    this.#process.signal("SIGTERM")
    const last = await this.#lines.next()
    await this.#process.stop()
    if (last.done) throw new Error("the load client ended without a report")
    return JSON.parse(last.value) as Delivered
  }
}

/** What to send. */
export interface WriteLoad {
  connections: number
  /** 0: as fast as the answers come. */
  perSecond?: number
  seconds?: number
  requests?: number
  /** The number of items that `%I` in the path stands for in turn, and the number before the first item. */
  items?: number
  offset?: number
  method?: "GET" | "POST" | "PUT"
  path?: string
  body?: string
  /** Whether the client goes before the others on their CPU. */
  isFirst?: boolean
}

/** Sends requests until the load is through. */
export async function write(target: Target, load: WriteLoad): Promise<Published> {
  const argv = [program("ssepub"), "-p", `${target.port}`, "-P", load.path ?? target.write.path]
  argv.push("-X", load.method ?? target.write.method, "-b", load.body ?? target.write.body)
  argv.push("-c", `${load.connections}`, "-r", `${load.perSecond ?? 0}`, "-d", `${load.seconds ?? 120}`)
  argv.push("-n", `${load.requests ?? 0}`, "-k", `${load.items ?? 1}`, "-o", `${load.offset ?? 0}`)
  for (const header of target.headers) argv.push("-h", header)
  const process = Process.start("ssepub", argv, { on: "client", pipe: true, isFirst: load.isFirst ?? false })
  for await (const line of process.lines()) return JSON.parse(line) as Published
  throw new Error(`the publisher got no connection to ${target.name}`)
}

/** The result of one run with streams and a publisher. */
export interface FanOut {
  connected: Connected
  delivered: Delivered
  published: Published
  /** CPU time of the server while updates were sent. */
  serverCpuMs: number
  faults: string[]
}

/** Opens streams, sends updates to all of them, and checks that every one came once and in order. */
export async function fanOut(
  target: Target,
  readers: ReaderOptions,
  load: WriteLoad,
  beside: () => Promise<void> = () => Promise.resolve(),
): Promise<FanOut> {
  const streams = await Readers.open(target, readers)
  await sleep(200)
  const beforeMs = target.cpuMs()
  const [published] = await Promise.all([write(target, load), beside()])
  await sleep(200)
  const serverCpuMs = target.cpuMs() - beforeMs
  const delivered = await streams.finish()
  const result = { connected: streams.connected, delivered, published, serverCpuMs }
  return { ...result, faults: faults(result, readers, load) }
}

const leastDataBytes = 250

function faults(run: Omit<FanOut, "faults">, readers: ReaderOptions, load: WriteLoad): string[] {
  const { connected, delivered, published } = run
  const healthy = readers.count - (readers.stalled ?? 0)
  const each = published.ok / (readers.filtered ? (load.items ?? 1) : 1)
  const found: [boolean, string][] = [
    [
      connected.failed + connected.pending > 0,
      `${connected.failed + connected.pending} streams did not open`,
    ],
    [delivered.live !== healthy, `${healthy - delivered.live} streams ended early`],
    [published.bad + published.neterr > 0, `${published.bad + published.neterr} writes failed`],
    [
      delivered.min !== each || delivered.max !== each,
      `${each} updates for each stream, ${delivered.min} to ${delivered.max} came`,
    ],
    [connected.disorder + delivered.disorder > 0, `${delivered.disorder} updates out of order`],
    [delivered.holes > 0, `${delivered.holes} holes between IDs`],
    [delivered.named_blocks > 0, `${delivered.named_blocks} frames that are no updates`],
    [delivered.unmarked > 0, `${delivered.unmarked} updates that nobody sent`],
    [delivered.data_min < leastDataBytes, `updates of only ${delivered.data_min} bytes`],
  ]
  return found.filter(([is]) => is).map(([, text]) => text)
}
