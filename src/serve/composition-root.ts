import { hostname } from "node:os"

import { FleetRateLimit } from "../access/fleet-rate-limit.ts"
import type { Tokens } from "../access/tokens.ts"
import { type Service } from "../background-work.ts"
import type { Bus } from "../bus/bus.ts"
import type { Reasons } from "../degraded-reasons.ts"
import { createApp } from "../http/app.ts"
import { TrustedProxies } from "../http/client-address.ts"
import { ClientLimits } from "../http/client-limits.ts"
import type { Answered } from "../http/request-counts.ts"
import { log } from "../log.ts"
import { mostDescriptors } from "../machine/machine.ts"
import type { Metrics } from "../metrics/metrics.ts"
import { LearnedDurations } from "../queue/learned-durations.ts"
import { Output } from "../queue/output.ts"
import { Queue } from "../queue/queue.ts"
import type { RefuseWhenFull } from "../queue/refuse-when-full.ts"
import { RescueAndStall } from "../queue/rescue-and-stall.ts"
import { StartForecasts } from "../queue/start-forecasts.ts"
import { QueueTotals } from "../queue/totals.ts"
import { Workers } from "../queue/workers.ts"
import type { ServeSettings } from "../settings/read-settings.ts"
import type { Store } from "../store/contract/store.ts"
import { isPostgres } from "../store/database-address.ts"
import { Broadcaster } from "../stream/broadcaster.ts"
import { StreamMetrics } from "../stream/stream-metrics.ts"
import { Streams } from "../stream/streams.ts"
import { Fleet } from "../upkeep/fleet.ts"
import type { Retention } from "../upkeep/retention.ts"
import { commit, version } from "../version.ts"
import { Webhooks } from "../webhooks/webhooks.ts"
import { reachedAt } from "./address-for-other-servers.ts"
import { AfterStart } from "./after-start.ts"
import { backupsOf, compactionOf } from "./child-processes.ts"
import { retentionOf, sizeLimitOf } from "./configured-upkeep.ts"
import { errorLog, HISTORY_UNREAD, logged } from "./error-log.ts"
import type { Protection } from "./first-token.ts"
import { gauges } from "./gauges.ts"
import { type Checks, descriptorsOf, eventLoopOf, healthChecksOf, holdingFor } from "./health-checks.ts"
import type { BusParts } from "./open-bus.ts"
import { roomForStreams } from "./room-for-streams.ts"

/** Several servers may look for work in one database. Each of them looks at most 20 times a second. */
const FLEET_LOOK_REST_MS = 50
/** After this time a server notices what other servers of its fleet have learned or forgotten. */
const FLEET_LEARNED_MS = 1000

/** The parts of a server: the app, what wakes its streams, and the work in the background in starting order. */
export interface Parts {
  /** The HTTP server, not yet listening. */
  readonly app: ReturnType<typeof createApp>
  /** Wakes the streams, and ends them when the server drains. */
  readonly broadcaster: Broadcaster
  /** What is wrong with the server. */
  readonly reasons: Reasons
  /** Knows when retention begins to remove old data. */
  readonly retention: Retention
  /** The work in the background, in the order of its start. */
  readonly services: readonly Service[]
}

function webhooksOf(
  settings: ServeSettings,
  store: Store,
  bus: Bus,
  { reasons, metrics }: Pick<Surroundings, "reasons" | "metrics">,
): Webhooks {
  const note = (): void =>
    reasons.set("webhooks_failing", webhooks.failing.length > 0, webhooks.failing.join(", "))
  const webhooks = new Webhooks(store, store.deliveries, bus, {
    urls: settings.webhook,
    secret: settings.webhookSecret,
    userAgent: `track-studio/${version}`,
    now: store.clock.now,
    random: Math.random,
    onError: logged("deliveries to webhooks could not be read or stored"),
    onGivenUp: ({ id, update_id, notice }, error) =>
      errorLog.warn("a delivery to a webhook was given up", error, { delivery: id, update_id, notice }),
    onReply: (webhook, status) =>
      metrics
        .counters("webhook_attempts_total")
        .of(webhook, status === null ? "none" : String(status))
        .add(),
    onFailing(webhook, error) {
      note()
      errorLog.warn("a webhook fails; it is tried again", `${webhook}: ${error}`)
    },
    onRecovered(webhook) {
      note()
      errorLog.info("a webhook takes deliveries again", webhook)
    },
  })
  return webhooks
}

/** For how long a request through a proxy that is not trusted is a reason to be degraded. */
const UNTRUSTED_MS = 10 * 60_000

const NOT_SHARED = "requests could not be counted across the servers: each server applies its limits alone"

/** Counts of this server alone use the clock of its machine, because the clock of a PostgreSQL can go back. */
const steadyMs = (): number => performance.now()

const limitsOf = (
  settings: ServeSettings,
  { metrics, shared }: Pick<Surroundings, "metrics" | "shared">,
): ClientLimits =>
  new ClientLimits({
    allowances: shared && new FleetRateLimit(shared, steadyMs, logged(NOT_SHARED)),
    onRefused: () => metrics.counters("refused_total").of("rate").add(),
    perAddress: settings.requestsPerAddress,
    perToken: settings.requestsPerToken,
    perLease: settings.reportsPerLease,
    held: settings.heldPerClient,
    steadyMs,
  })

function broadcasterOf(
  { keepaliveMs }: ServeSettings,
  store: Store,
  { bus, metrics }: Pick<Surroundings, "bus" | "metrics">,
): Broadcaster {
  const onError = logged(HISTORY_UNREAD)
  const pausedAt = (): Promise<string | null> => store.pausedAt()
  return new Broadcaster(store, bus, { keepaliveMs, onError, metrics: new StreamMetrics(metrics), pausedAt })
}

function streamsOf(
  settings: ServeSettings,
  store: Store,
  broadcaster: Broadcaster,
  reasons: Reasons,
): Streams {
  const { maxLag, maxStreams, streamsPerClient, replaysPerClient } = settings
  return new Streams(store, broadcaster, {
    maxLag,
    most: roomForStreams(maxStreams, mostDescriptors()),
    mostOfOwner: streamsPerClient,
    mostReplaysOfOwner: replaysPerClient,
    onError: logged(HISTORY_UNREAD),
    onUnreadable: () => reasons.set("history_unreadable", true),
    random: Math.random,
  })
}

/** The queue with its workers, and what was learned of earlier renders. */
function queueOf(
  { database, maxTagSets, keepOutputKb, keepaliveMs, onePerSong }: ServeSettings,
  store: Store,
  bus: Bus,
  room: RefuseWhenFull,
  metrics: Metrics,
) {
  const looks = metrics.histogram("claim_look_seconds")
  const isShared = isPostgres(database)
  const unread = logged("what was learned of earlier renders could not be read")
  const learned = new LearnedDurations(store, unread, isShared ? FLEET_LEARNED_MS : undefined)
  const workers = new Workers(store, bus, learned, {
    random: Math.random,
    token: () => crypto.randomUUID(),
    room,
    mostTagSets: maxTagSets,
    ...(isShared && { lookRestMs: FLEET_LOOK_REST_MS }),
    onLook: (seconds) => looks.observe(seconds),
    onError: logged("the items for waiting claims could not be read"),
  })
  return {
    queue: new Queue(store, bus, learned, room),
    totals: new QueueTotals(store, store.figures),
    output: new Output(store, store.outputs, { keepBytes: keepOutputKb * 1024, keepaliveMs, room }),
    workers,
    learned,
    forecasts: new StartForecasts(store, workers.presence, learned, onePerSong),
  }
}

/** What a server shares with its surroundings. */
interface Surroundings extends BusParts {
  /** What is wrong with it. */
  readonly reasons: Reasons
  /** What is counted. */
  readonly metrics: Metrics
  /** Whether the database has room for more. */
  readonly room: RefuseWhenFull
  /** Called when the database is no longer the one that was opened. */
  readonly onReplaced: () => void
}

/**
 * Logs a request so that a person can find a fault. The query is left out, because it may contain a secret.
 */
function logAnswer({ requestId, route, status, tookMs }: Answered): void {
  log("debug", "a request was answered", {
    request_id: requestId ?? crypto.randomUUID(),
    route,
    status,
    ms: tookMs === undefined ? null : Math.round(tookMs * 1000) / 1000,
  })
}

/** Counts the items that were taken back from workers, and why. */
function rescuesIn(metrics: Metrics): (why: "silent" | "revoked") => void {
  const rescues = metrics.counter("rescues_total")
  const lost = metrics.counters("leases_lost_total")
  return (why) => {
    rescues.add()
    lost.of(why).add()
  }
}

/** What the servers of one database know of each other. `addressOf` is called when this server listens. */
function fleetOf(
  { instances, clock }: Store,
  broadcaster: Broadcaster,
  workers: Workers,
  addressOf: () => string,
): Fleet {
  const since = new Date(clock.now()).toISOString()
  return new Fleet(instances, {
    report() {
      const { global, item } = broadcaster.streams
      const { crew } = workers.presence
      return { name: hostname(), version, address: addressOf(), since, streams: global + item, crew }
    },
    onOthers: (others) => workers.learn(others.flatMap(({ crew }) => crew)),
    onError: logged("this server could not be announced to the others"),
  })
}

const settingsOfApp = (
  { host, corsOrigin, allowedHost, logLevel }: ServeSettings,
  { clock }: Store,
  afterStart: AfterStart,
) => ({
  now: clock.now,
  host,
  corsOrigins: corsOrigin,
  allowedHosts: allowedHost,
  onAnswer(answered: Answered): void {
    afterStart.answered(answered)
    if (logLevel === "debug") logAnswer(answered)
  },
})

/** Puts a server together. */
export function assembled(
  settings: ServeSettings,
  store: Store,
  { tokens, tickets, authorizer }: Protection,
  surroundings: Surroundings,
): Parts {
  const { bus, room, reasons, metrics } = surroundings
  const broadcaster = broadcasterOf(settings, store, surroundings)
  const streams = streamsOf(settings, store, broadcaster, reasons)
  const queue = queueOf(settings, store, bus, room, metrics)
  const webhooks = webhooksOf(settings, store, bus, { reasons, metrics })
  const loop = eventLoopOf(reasons)
  const retention = retentionOf(settings, store, bus)
  const descriptors = descriptorsOf(reasons, () => app.server)
  const afterStart = new AfterStart()
  const fleet = fleetOf(store, broadcaster, queue.workers, () => reachedAt(app.server?.url, hostname()))
  const app = createApp({
    ...settingsOfApp(settings, store, afterStart),
    ...queue,
    authorizer,
    tickets,
    limits: limitsOf(settings, surroundings),
    proxies: new TrustedProxies(settings.trustedProxy, holdingFor(reasons, "proxy_untrusted", UNTRUSTED_MS)),
    webhooks,
    streams,
    areDescriptorsFew: () => descriptors.areFew,
    reasons,
    metrics,
    servers: async () => (await fleet.all()).map(({ crew: _crew, ...server }) => server),
    stoodMs: () => loop.stoodMs(),
    retentionBeginsAtMs: () => retention.beginsAtMs,
    version,
    commit,
    onError: (request_id, error) => errorLog.log("a request failed", error, { request_id }),
    onUnreadMetric: logged("a metric could not be read"),
  })
  const made = { room, broadcaster, streams, queue, webhooks, loop, retention, descriptors, fleet, tokens }
  const services = [...servicesOf(settings, store, surroundings, made), afterStart]
  return { app, broadcaster, reasons, retention, services }
}

/** The parts that the services of a server work on. */
interface Made extends Pick<Checks, "room" | "broadcaster" | "loop" | "descriptors"> {
  readonly streams: Streams
  readonly queue: ReturnType<typeof queueOf>
  readonly webhooks: Webhooks
  readonly retention: Retention
  readonly fleet: Fleet
  readonly tokens: Tokens
}

/** The work in the background, in the order of its start. */
function servicesOf(
  settings: ServeSettings,
  store: Store,
  { bus, services: ringing, reasons, metrics, onReplaced }: Surroundings,
  { room, broadcaster, streams, queue, webhooks, loop, retention, descriptors, fleet, tokens }: Made,
): readonly Service[] {
  const { stallAfterMs, maxRescues } = settings
  const rescue = new RescueAndStall(store, bus, {
    stallAfterMs,
    maxRescues,
    onRescued: rescuesIn(metrics),
    onError: logged("leases and stalled items could not be checked"),
  })
  const space = sizeLimitOf(settings, store, bus, { room, reasons })
  const backups = backupsOf(settings, store, reasons)
  const { learned, output, workers } = queue
  const backedUpMs = (): number => backups[0]?.latestMs ?? 0
  gauges(metrics, { store, database: store.found.path, streams, workers, reasons, loop, backedUpMs })
  const checks = healthChecksOf(store, { reasons, loop, room, broadcaster, bus, descriptors, onReplaced })
  const upkeep = [retention, space, compactionOf(store), ...backups]
  const working = [rescue, workers, output, webhooks]
  // A server that is alone on its database knows no other servers.
  const others = isPostgres(settings.database) ? [fleet] : []
  return [...ringing, ...others, tokens, learned, ...checks, ...working, ...upkeep]
}
