import { LocalBus } from "./bus.ts"
import type { Config } from "./config.ts"
import { AppError } from "./errors.ts"
import { Reasons } from "./health.ts"
import { createApp } from "./http/app.ts"
import { log } from "./log.ts"
import { Queue } from "./queue/queue.ts"
import { Workers } from "./queue/workers.ts"
import { SqliteStore } from "./store/sqlite/sqlite.ts"
import { Broadcaster } from "./stream/broadcaster.ts"
import { Streams } from "./stream/streams.ts"
import { commit, version } from "./version.ts"
import { Webhooks } from "./webhooks/webhooks.ts"

/** How long readers may take to receive the goodbye before they are cut. */
const DRAIN_MS = 900

/** How long the first requests have the new server to themselves: the start of its timers takes 8 ms. */
const FIRST_ANSWERS_MS = 20

const text = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error)

/** @throws AppError `unavailable` with the reason in words */
function onPort<T>({ host, port }: Config, listen: () => T): T {
  try {
    return listen()
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined
    const reason = error instanceof Error ? error.message : String(error)
    throw new AppError(
      "unavailable",
      code === "EADDRINUSE"
        ? `port ${port} on ${host} is in use; take another with --port`
        : `cannot listen on ${host}:${port}: ${reason}`,
      { cause: error },
    )
  }
}

function opened(config: Config): SqliteStore {
  try {
    return new SqliteStore(config.database)
  } catch (error) {
    // Whoever starts a second server by mistake finds the port taken, too, and that says more.
    const { host: hostname, port } = config
    onPort(config, () => Bun.listen({ hostname, port, socket: { data: () => undefined } }).stop(true))
    throw error
  }
}

function listening(app: ReturnType<typeof createApp>, config: Config): string {
  const { host, port } = config
  onPort(config, () => app.listen({ hostname: host, port }))
  return `http://${host.includes(":") ? `[${host}]` : host}:${app.server?.port ?? port}`
}

/**
 * Runs the server until SIGTERM or SIGINT, then drains: streams say goodbye, requests are answered, the database is
 * closed. Resolves when that is done.
 * @throws AppError `unavailable` when the database or the port cannot be had
 */
export async function serve(config: Config): Promise<void> {
  const store = opened(config)
  const bus = new LocalBus()
  const report = (error: unknown): void =>
    log("error", "the history could not be read", { error: text(error) })
  const broadcaster = new Broadcaster(store, bus, config.keepaliveMs, report)
  const workers = new Workers(store, bus, {
    stallAfterMs: config.stallAfterMs,
    maxRescues: config.maxRescues,
    random: Math.random,
    token: () => crypto.randomUUID(),
    onError: (error) => log("error", "the workers' timer could not write", { error: text(error) }),
  })
  const webhooks = new Webhooks(store, store.deliveries, bus, {
    urls: config.webhooks,
    secret: config.webhookSecret,
    userAgent: `track-studio/${version}`,
    now: Date.now,
    random: Math.random,
    report: (error) => log("error", "the webhooks could not be told", { error: text(error) }),
    givenUp: ({ id, update_id, notice }, error) =>
      log("warn", "a delivery to a webhook was given up", { delivery: id, update_id, notice, error }),
  })
  const app = createApp({
    webhooks,
    queue: new Queue(store, bus),
    workers,
    streams: new Streams(store, broadcaster, { maxLag: config.maxLag, report, random: Math.random }),
    corsOrigins: config.corsOrigins,
    reasons: new Reasons(),
    version,
    commit,
    report: (request_id, error) => log("error", "a request failed", { request_id, error: text(error) }),
  })
  const stopped = new Promise<NodeJS.Signals>((resolve) => {
    process.once("SIGTERM", resolve)
    process.once("SIGINT", resolve)
  })
  try {
    const url = listening(app, config)
    // Nothing is taken back, and nobody told, before these have begun: those who ask at once need not wait for it.
    await new Promise((turn) => void setTimeout(turn, FIRST_ANSWERS_MS))
    await workers.start()
    await webhooks.start()
    const { items, bounds } = { items: await store.items(), bounds: await store.bounds() }
    log("info", "listening", {
      url,
      version,
      commit,
      database: store.found.path,
      found: store.found.isNew
        ? "nothing, a new database was made"
        : `${items} queue items, ${bounds.stored} updates`,
      ...(store.found.migrated > 0 && { migrations_applied: store.found.migrated }),
    })
    const signal = await stopped
    log("info", "draining", { signal, streams: broadcaster.streams.global + broadcaster.streams.item })
    const { server } = app
    const ended = server?.stop()
    broadcaster.drain()
    await Promise.all([workers.stop(), webhooks.stop()])
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, DRAIN_MS)
    await Promise.race([ended, late.promise])
    clearTimeout(timer)
    await server?.stop(true)
  } finally {
    // Also when the port could not be had: the timer would keep the process for ever.
    await Promise.all([workers.stop(), webhooks.stop()])
    await store.close()
  }
  log("info", "stopped")
}
