import { statSync } from "node:fs"
import { dirname, resolve } from "node:path"

import { failureOf } from "../background-work.ts"
import { Reasons } from "../degraded-reasons.ts"
import { AppError, codeOf, isRefusal, reasonOf } from "../errors.ts"
import { createApp } from "../http/app.ts"
import { log, setLog } from "../log.ts"
import { Metrics } from "../metrics/metrics.ts"
import { RefuseWhenFull } from "../queue/refuse-when-full.ts"
import { wantsColour } from "../settings/colour-and-motion.ts"
import { type ServeSettings } from "../settings/read-settings.ts"
import { checkTokenFile } from "../settings/token-file.ts"
import { START_MS } from "../store/contract/life.ts"
import type { Observed, Store } from "../store/contract/store.ts"
import { isPostgres, shownDatabase, shownUrl } from "../store/database-address.ts"
import { isUnused } from "../store/sqlite/unused-path.ts"
import { counted } from "../text.ts"
import { Retention } from "../upkeep/retention.ts"
import { commit, version } from "../version.ts"
import { assembled, type Parts } from "./composition-root.ts"
import { stop, stopSignal } from "./drain.ts"
import { errorLog, HISTORY_UNREAD, logReason } from "./error-log.ts"
import { protect, protectionOf, refuseUnprotectedStart } from "./first-token.ts"
import { openBus } from "./open-bus.ts"
import { explainedFault, openStore } from "./open-store.ts"
import { refuseUnmounted } from "./refuse-unmounted.ts"
import { checkDescriptors } from "./room-for-streams.ts"
import { startedOrAsked, type StartPatience, waitingForDatabase } from "./wait-for-database.ts"

/**
 * The background timers start after this delay, because their start takes 8 ms and the first requests must
 * not wait for it.
 */
const FIRST_ANSWERS_MS = 20
/** After this time the log says that the start waits for its database, unless the store has already logged why. */
const WAITING_MS = 2000

/** The error that ends the server when its database file is no longer the one that was opened. */
const REPLACED = new Error("the database was replaced")

/** @throws AppError `unavailable` with the reason in words */
function onPort<T>({ host, port }: ServeSettings, listen: () => T): T {
  try {
    return listen()
  } catch (error) {
    const reason = reasonOf(error)
    throw new AppError(
      "unavailable",
      codeOf(error) === "EADDRINUSE"
        ? `port ${port} on ${host} is in use; choose another with --port`
        : `cannot listen on ${host}:${port}: ${reason}`,
      { cause: error },
    )
  }
}

/** @throws AppError `unavailable` if the port cannot be used */
function checkPort(settings: ServeSettings): void {
  const { host: hostname, port } = settings
  onPort(settings, () => Bun.listen({ hostname, port, socket: { data: () => undefined } }).stop(true))
}

/**
 * Refuses a vain start before it creates a database. A server that has one leaves its port alone until it listens: a client
 * that came meanwhile would be let in, and cut off. `made` is the folder that will be made for the database; undefined for
 * none.
 * @throws AppError `invalid`, `unavailable`
 */
function refuseVainStart(settings: ServeSettings, made?: string): void {
  refuseUnprotectedStart(settings)
  checkPort(settings)
  if (settings.tokenFile !== undefined) checkTokenFile(settings.tokenFile, made)
}

/** Counts what a store commits, and tells `room` of it. */
function commitsIn(metrics: Metrics, room: RefuseWhenFull): Observed {
  const seconds = metrics.histogram("commit_seconds")
  const writes = metrics.histogram("commit_writes")
  const updates = metrics.counters("updates_total")
  return {
    onCommit(commit) {
      seconds.observe(commit.seconds)
      writes.observe(commit.writes)
      for (const status of commit.statuses) updates.of(status).add()
      room.onCommit()
    },
    onFailure: (code) => metrics.counters("commit_errors_total").of(code).add(),
    onRolledBack({ idsBeginAbove, lost }) {
      const begin = { ids_begin_above: idsBeginAbove }
      if (lost) {
        const ids = { first_lost_id: lost.from, last_lost_id: lost.to, ...begin }
        log("error", "the database has gone back: acknowledged updates are lost", ids)
      } else {
        log(
          "warn",
          "another database server has taken over: new event IDs begin higher; no update is known to be lost",
          begin,
        )
      }
    },
  }
}

async function openedStore(settings: ServeSettings, metrics: Metrics, room: RefuseWhenFull): Promise<Store> {
  const database = shownDatabase(settings.database)
  const waiting = setTimeout(() => log("warn", "waiting for the database", { database }), WAITING_MS)
  try {
    return await openStore(settings, {
      ...commitsIn(metrics, room),
      onEmpty: () => refuseVainStart(settings),
      onWaiting({ seconds, code }) {
        clearTimeout(waiting)
        const why = code === "" ? {} : { code }
        log("warn", "waiting for the database", { database, gives_up_after_seconds: seconds, ...why })
      },
    })
  } catch (error) {
    if (isRefusal(error, "invalid")) throw error
    // If a second server is started by mistake, its port is in use, too, and the message about the port says
    // more.
    checkPort(settings)
    throw error
  } finally {
    clearTimeout(waiting)
  }
}

/** How long the parts of a start wait for a PostgreSQL. */
const patienceOf = (
  { database }: ServeSettings,
  store: Store,
  asked: Promise<unknown>,
  untilMs: number,
): StartPatience => ({
  untilMs,
  asked,
  isAway: () => isPostgres(database) && store.faults().includes("database_unwritable"),
  onWaiting: () =>
    errorLog.warn("waiting for the database", store.failure, { database: shownDatabase(database) }),
})

function listening(app: ReturnType<typeof createApp>, settings: ServeSettings): string {
  const { host, port } = settings
  onPort(settings, () => app.listen({ hostname: host, port }))
  return `http://${host.includes(":") ? `[${host}]` : host}:${app.server?.port ?? port}`
}

async function announce(
  url: string,
  bus: string | undefined,
  store: Store,
  { beginsAtMs }: Retention,
): Promise<void> {
  const [items, { stored }] = [await store.items(), await store.bounds()]
  const { path, isNew, migrated, warning } = store.found
  log("info", "listening", {
    url,
    version,
    commit,
    database: path,
    ...(bus !== undefined && { bus: shownUrl(bus) }),
    found: isNew
      ? "nothing; database created"
      : `${counted(items, "queue item")}, ${counted(stored, "update")}`,
    ...(migrated > 0 && { migrations_applied: migrated }),
    ...(beginsAtMs > store.clock.now() && { retention_begins_at: new Date(beginsAtMs).toISOString() }),
  })
  if (warning !== undefined) log("warn", warning)
}

/** What a start has put together. */
interface Assembled {
  readonly protection: ReturnType<typeof protectionOf>
  readonly parts: Parts
  readonly patience: StartPatience
}

/** Listens, and starts the work in the background, until the start is left. @throws the reason of `left` */
async function started(
  settings: ServeSettings,
  store: Store,
  { protection, parts, patience }: Assembled,
  left: AbortSignal,
): Promise<void> {
  const isFirst = await waitingForDatabase(() => protect(settings, store, protection), patience)
  // What is begun now, nobody would stop.
  left.throwIfAborted()
  const url = listening(parts.app, settings)
  await Bun.sleep(FIRST_ANSWERS_MS)
  for (const service of parts.services) {
    left.throwIfAborted()
    await waitingForDatabase(() => service.start(), patience)
  }
  left.throwIfAborted()
  await waitingForDatabase(() => announce(url, settings.bus, store, parts.retention), patience)
  if (isFirst) log("info", "added the admin token that this file holds", { file: settings.tokenFile ?? "" })
}

/** Like `serve`, but its errors of the database do not say which file is meant. */
async function served(settings: ServeSettings): Promise<void> {
  setLog({ level: settings.logLevel, isColoured: () => wantsColour(process.stdout) })
  checkDescriptors()
  if (!isPostgres(settings.database) && isUnused(settings.database)) {
    refuseVainStart(settings, dirname(resolve(settings.database)))
    await refuseUnmounted(settings)
  }
  const metrics = new Metrics()
  const untilMs = performance.now() + START_MS
  const room = new RefuseWhenFull()
  const store = await openedStore(settings, metrics, room)
  errorLog.onError = (error, msg) => {
    if (msg !== HISTORY_UNREAD) store.noteError(error)
  }
  const replaced = Promise.withResolvers<never>()
  // The promise may be rejected before anything waits for it.
  replaced.promise.catch(() => undefined)
  const asked = stopSignal()
  const protection = protectionOf(settings, store)
  const reasons = new Reasons(logReason)
  const busParts = await openBus(settings, store.historyId, reasons)
  const onReplaced = (): void => replaced.reject(REPLACED)
  const parts = assembled(settings, store, protection, { ...busParts, room, reasons, metrics, onReplaced })
  const patience = patienceOf(settings, store, asked, untilMs)
  const run = async (): Promise<void> => {
    const start = (left: AbortSignal): Promise<void> =>
      started(settings, store, { protection, parts, patience }, left)
    await startedOrAsked(start, asked)
    const signal = await Promise.race([asked, replaced.promise])
    const { global, item } = parts.broadcaster.streams
    log("info", "draining", { signal, streams: global + item })
  }
  const failure = await failureOf(run)
  const failureToEnd = await failureOf(() => stop(parts, store))
  errorLog.end()
  if (failure) throw failure.error === REPLACED ? goneFrom(store.found.path) : failure.error
  if (failureToEnd) throw failureToEnd.error
  log("info", "stopped")
}

/**
 * Runs the server until a signal ends it, or until its database is replaced. Then it drains: streams say
 * goodbye, open requests are answered, the database is closed. Resolves when everything has ended.
 * @throws AppError `unavailable` if the database or the port cannot be used, or the database was replaced
 */
export async function serve(settings: ServeSettings): Promise<void> {
  try {
    await served(settings)
  } catch (error) {
    throw await explainedFault(error, settings)
  }
}

/** The error after the database was replaced. Call this when the database is closed. */
function goneFrom(path: string): AppError {
  if (isPostgres(path)) {
    const message = `the database ${path} was replaced while the server ran: its history has another name; start again to serve it, or put back the one that was there`
    return new AppError("unavailable", message)
  }
  const rescued = `${path}.rescued`
  // There may be one of an earlier server, which is out of date.
  const isOurs = (statSync(rescued, { throwIfNoEntry: false })?.mtimeMs ?? 0) >= performance.timeOrigin
  const wayOut = isOurs ? `what it held is in ${rescued}: put that in its place` : "put it back"
  return new AppError(
    "unavailable",
    `the database ${path} was replaced, moved or deleted while the server ran, or a file beside it that belongs to it; ${wayOut} and start again`,
  )
}
