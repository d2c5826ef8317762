import { readFileSync } from "node:fs"
import { mkdir, readdir, unlink } from "node:fs/promises"
import { join } from "node:path"

import { Gate } from "./access/gate.ts"
import { digest, randomText } from "./access/secret.ts"
import { Tickets } from "./access/tickets.ts"
import { Tokens } from "./access/tokens.ts"
import { type Bus, LocalBus } from "./bus.ts"
import type { Config } from "./config.ts"
import { AppError } from "./errors.ts"
import { Reasons } from "./health.ts"
import { createApp } from "./http/app.ts"
import { TrustedProxies } from "./http/client-address.ts"
import { Limits } from "./http/limits.ts"
import { isLoopback } from "./http/origin.ts"
import { ErrorLog, log } from "./log.ts"
import { Forecasts } from "./queue/forecasts.ts"
import { Learned } from "./queue/learned.ts"
import { Queue } from "./queue/queue.ts"
import { Rescue } from "./queue/rescue.ts"
import { Totals } from "./queue/totals.ts"
import { Workers } from "./queue/workers.ts"
import { failureOf, type Service, stopAll, within } from "./service.ts"
import { explained } from "./store/sqlite/explain.ts"
import { SqliteStore } from "./store/sqlite/sqlite.ts"
import type { Store } from "./store/store.ts"
import { Broadcaster } from "./stream/broadcaster.ts"
import { Streams } from "./stream/streams.ts"
import { tokenInOrNew } from "./token-file.ts"
import { Backups } from "./upkeep/backups.ts"
import { Retention } from "./upkeep/retention.ts"
import { Watch } from "./upkeep/watch.ts"
import { commit, version } from "./version.ts"
import { Webhooks } from "./webhooks/webhooks.ts"

/** How long readers may take to receive the goodbye before they are cut. */
const DRAIN_MS = 900

/** How long the whole stop may take. */
const STOP_MS = 2000

/** How long after a stop that was cut off the process still lives, for its last words. */
const EXIT_MS = 50

/** The part of the file descriptors that streams may take. */
const DESCRIPTORS_FOR_STREAMS = 0.8

/** Delay before the background timers start, so that the first requests do not wait the 8 ms that this takes. */
const FIRST_ANSWERS_MS = 20

const errors = new ErrorLog()

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
        ? `port ${port} on ${host} is in use; choose another with --port`
        : `cannot listen on ${host}:${port}: ${reason}`,
      { cause: error },
    )
  }
}

function opened(config: Config): SqliteStore {
  try {
    const { database, newDatabase: isNewAllowed, onePerSong } = config
    return new SqliteStore(database, undefined, { isNewAllowed, onePerSong })
  } catch (error) {
    // A second server that is started by mistake finds the port in use, too; that message says more.
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

/** What makes up a server: the app, what it tells streams by, and the work in the background in starting order. */
interface Parts {
  readonly app: ReturnType<typeof createApp>
  readonly broadcaster: Broadcaster
  readonly retention: Retention
  readonly services: readonly Service[]
}

/** Logs an error of the server's own under this message; for `onError`. */
const logged =
  (message: string) =>
  (error: unknown): void =>
    errors.log(message, error)

function webhooksOf(config: Config, store: Store, bus: Bus): Webhooks {
  return new Webhooks(store, store.deliveries, bus, {
    urls: config.webhook,
    secret: config.webhookSecret,
    userAgent: `track-studio/${version}`,
    now: Date.now,
    random: Math.random,
    onError: logged("the webhooks' timer could not read or write"),
    onGivenUp: ({ id, update_id, notice }, error) =>
      log("warn", "a delivery to a webhook was given up", { delivery: id, update_id, notice, error }),
    onFailing: (webhook, error) => log("warn", "a webhook fails; it is tried again", { webhook, error }),
    onRecovered: (webhook) => log("info", "a webhook takes deliveries again", { webhook }),
  })
}

/** Who is let in. */
interface Access {
  readonly tokens: Tokens
  readonly tickets: Tickets
  readonly gate: Gate
}

function accessOf({ open }: Config, store: Store): Access {
  const { access, clock, historyId } = store
  const onError = logged("the tokens could not be read or written")
  const tokens = new Tokens(access, { history: historyId, now: clock.now, digest, onError })
  const tickets = new Tickets(access, tokens, { now: clock.now, digest, random: randomText, onError })
  return { tokens, tickets, gate: new Gate(tokens, tickets, { isOpen: open, steadyMs: clock.steadyMs }) }
}

/**
 * Creates an admin token in the file that the owner named, if there is no token yet: a file that holds one gives it, an
 * empty one or none is written. Answers whether it created one.
 * @throws AppError `unavailable` if the file cannot be read or written
 */
async function firstToken({ tokenFile }: Config, store: Store): Promise<boolean> {
  if (tokenFile === undefined || (await store.access.tokens()).length > 0) return false
  const secret = tokenInOrNew(tokenFile, () => `tsk_${randomText()}`)
  const draft = { label: "made at the first start", role: "admin", item: null, expires_at: null } as const
  await store.access.addToken({ ...draft, hash: digest(secret) })
  return true
}

/**
 * Reads the tokens before anybody is let in; answers whether the first one was created.
 * @throws AppError `invalid` if others than this machine could reach a server without tokens
 */
async function protect(config: Config, store: Store, { tokens, tickets }: Access): Promise<boolean> {
  const isFirst = await firstToken(config, store)
  await tokens.start()
  await tickets.load()
  const { host, open, database } = config
  if (tokens.existed || open || isLoopback(host)) return isFirst
  throw new AppError(
    "invalid",
    `with --host ${host} anybody who reaches this machine could use the server, and no token exists. Create one:
  track-studio token create --role admin --database ${database}
or let everybody do everything:
  track-studio serve --host ${host} --open`,
  )
}

const limitsOf = (config: Config, { clock }: Store): Limits =>
  new Limits({
    perAddress: config.requestsPerAddress,
    perToken: config.requestsPerToken,
    perLease: config.reportsPerLease,
    held: config.heldPerClient,
    steadyMs: clock.steadyMs,
  })

/** As many streams as may be open: some descriptors must be left for requests and the database. */
function mostStreams({ maxStreams }: Config): number {
  if (maxStreams === 0) return 0
  const [, soft = ""] = /^Max open files +(\d+)/m.exec(limitsOfProcess()) ?? []
  return soft === "" ? maxStreams : Math.min(maxStreams, Math.floor(Number(soft) * DESCRIPTORS_FOR_STREAMS))
}

/** What Linux says of the limits of this process; empty elsewhere. */
function limitsOfProcess(): string {
  try {
    return readFileSync("/proc/self/limits", "utf8")
  } catch {
    return ""
  }
}

/** How this program is run again: the binary alone, or Bun with our source. */
const ownCommand = (): string[] =>
  Bun.main.startsWith("/$bunfs/") ? [process.execPath] : [process.execPath, Bun.main]

/** Makes a backup in a process of its own, so that nobody waits for it here. */
async function copyTo(file: string, database: string): Promise<void> {
  const child = Bun.spawn([...ownCommand(), "backup", file, "--database", database], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  })
  const said = await new Response(child.stderr).text()
  if ((await child.exited) !== 0) throw new Error(said.trim())
}

/** None if no folder is named for backups. */
function backupsOf(config: Config, { found }: SqliteStore, reasons: Reasons): Backups[] {
  const { backupDir, backupEvery, backupKeep } = config
  if (backupDir === undefined || backupEvery === 0) return []
  return [
    new Backups({
      everyMs: backupEvery,
      keep: backupKeep,
      now: Date.now,
      async names() {
        await mkdir(backupDir, { recursive: true, mode: 0o700 })
        return readdir(backupDir)
      },
      copy: (name) => copyTo(join(backupDir, name), found.path),
      remove: (name) => unlink(join(backupDir, name)),
      onResult: (hasFailed) => reasons.set("backup_failed", hasFailed),
      onError: logged("a backup could not be made"),
    }),
  ]
}

function retentionOf(
  { retainUpdates, retainPerItem, retainItems }: Config,
  store: Store,
  bus: Bus,
): Retention {
  return new Retention(store.upkeep, store, bus, {
    updatesMs: retainUpdates,
    perItem: retainPerItem,
    itemsMs: retainItems,
    now: store.clock.now,
    sleep: Bun.sleep,
    onError: logged("old updates could not be removed"),
  })
}

function streamsOf(config: Config, store: Store, broadcaster: Broadcaster, reasons: Reasons): Streams {
  const { maxLag, streamsPerClient } = config
  return new Streams(store, broadcaster, {
    maxLag,
    most: mostStreams(config),
    mostOfOwner: streamsPerClient,
    onError: logged("the history could not be read"),
    onUnreadable: () => reasons.set("history_unreadable", true),
    random: Math.random,
  })
}

function assembled(
  config: Config,
  store: SqliteStore,
  { tokens, tickets, gate }: Access,
  onReplaced: () => void,
): Parts {
  const bus = new LocalBus()
  const { stallAfterMs, maxRescues, keepaliveMs, corsOrigin, host, allowedHost } = config
  const reasons = new Reasons()
  const onWorkers = logged("the workers' timer could not read or write")
  const broadcaster = new Broadcaster(store, bus, keepaliveMs, logged("the history could not be read"))
  const rescue = new Rescue(store, bus, { stallAfterMs, maxRescues, onError: onWorkers })
  const token = (): string => crypto.randomUUID()
  const learned = new Learned(store, logged("what was learned of earlier renders could not be read"))
  const workers = new Workers(store, bus, learned, { random: Math.random, token, onError: onWorkers })
  const webhooks = webhooksOf(config, store, bus)
  const retention = retentionOf(config, store, bus)
  const onError = logged("the database could not be looked after")
  const watch = new Watch(store, reasons, { onReplaced, onError })
  const app = createApp({
    gate,
    tickets,
    limits: limitsOf(config, store),
    proxies: new TrustedProxies(config.trustedProxy),
    webhooks,
    queue: new Queue(store, bus, learned),
    totals: new Totals(store),
    workers,
    learned,
    forecasts: new Forecasts(store, workers.presence, learned),
    streams: streamsOf(config, store, broadcaster, reasons),
    host,
    corsOrigins: corsOrigin,
    allowedHosts: allowedHost,
    reasons,
    version,
    commit,
    report: (request_id, error) => errors.log("a request failed", error, { request_id }),
  })
  const backups = backupsOf(config, store, reasons)
  const services = [tokens, learned, watch, rescue, workers, webhooks, retention, ...backups]
  return { app, broadcaster, retention, services }
}

/** Resolves with the signal that asks the server to stop. */
const stopping = (): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    process.once("SIGTERM", resolve)
    process.once("SIGINT", resolve)
  })

async function announce(url: string, store: SqliteStore, { beginsAtMs }: Retention): Promise<void> {
  const [items, { stored }] = [await store.items(), await store.bounds()]
  const { path, isNew, migrated } = store.found
  log("info", "listening", {
    url,
    version,
    commit,
    database: path,
    found: isNew ? "nothing; database created" : `${items} queue items, ${stored} updates`,
    ...(migrated > 0 && { migrations_applied: migrated }),
    ...(beginsAtMs > Date.now() && { retention_begins_at: new Date(beginsAtMs).toISOString() }),
  })
}

/** Takes nothing new, ends what is open cleanly, and cuts after `DRAIN_MS` what does not end. */
async function drain({ app, broadcaster, services }: Parts): Promise<void> {
  const { server } = app
  const ended = server?.stop()
  broadcaster.drain()
  await stopAll(services, logged("a part of the server could not be stopped"))
  await within(DRAIN_MS, ended)
  await server?.stop(true)
}

/**
 * Stops everything within `STOP_MS`. What has not ended by then is left to the end of the process, which follows.
 * @throws AppError `unavailable` in that case
 */
async function end(parts: Parts, store: SqliteStore): Promise<void> {
  store.drain()
  const ended = drain(parts).finally(() => store.close())
  if (await within(STOP_MS, ended)) return
  // Later than the message about it; what has not ended would keep the process running.
  setTimeout(() => process.exit(), EXIT_MS)
  throw new AppError("unavailable", `the server did not end within ${STOP_MS / 1000} s and was cut off`)
}

/**
 * Runs the server until SIGTERM or SIGINT, or until its database is replaced, then drains: streams say goodbye,
 * requests are answered, the database is closed. Resolves when that is done.
 * @throws AppError `unavailable` if the database or the port cannot be had, or the database was replaced
 */
export async function serve(config: Config): Promise<void> {
  const store = opened(config)
  const replaced = Promise.withResolvers<never>()
  // It may be rejected before anything waits for it.
  replaced.promise.catch(() => undefined)
  const asked = stopping()
  const access = accessOf(config, store)
  const parts = assembled(config, store, access, () => replaced.reject(goneFrom(store.found.path)))
  const run = async (): Promise<void> => {
    const isFirst = await protect(config, store, access)
    const url = listening(parts.app, config)
    await Bun.sleep(FIRST_ANSWERS_MS)
    for (const service of parts.services) await service.start()
    await announce(url, store, parts.retention)
    if (isFirst) log("info", "created an admin token", { file: config.tokenFile ?? "" })
    const signal = await Promise.race([asked, replaced.promise])
    const { global, item } = parts.broadcaster.streams
    log("info", "draining", { signal, streams: global + item })
  }
  const failure = await failureOf(run)
  const failureToEnd = await failureOf(() => end(parts, store))
  if (failure) throw explained(failure.error, store.found.path)
  if (failureToEnd) throw failureToEnd.error
  log("info", "stopped")
}

const goneFrom = (path: string): AppError =>
  new AppError(
    "unavailable",
    `the database ${path} was replaced, moved or deleted while the server ran; put it back and start again`,
  )
