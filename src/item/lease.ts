import { AppError } from "../errors.ts"
import { goesOnFrom } from "./estimate/follow-attempt.ts"
import type { Directive, QueueItem, Result } from "./item.ts"
import type { Totals } from "./kind.ts"
import {
  afterRunningOut,
  isCutOff,
  isOfLast,
  isRevoked,
  isRevokedToken,
  onlyRevoked,
  storedToken,
  tokenOf,
} from "./lease-token.ts"
import { later, type Moment } from "./moment.ts"
import { transition } from "./moves.ts"
import { OWN_MESSAGES } from "./own-messages.ts"
import { type Change, IDLE, type Stored, type Work } from "./stored.ts"

/** How long a lease lasts if its worker names no time, in seconds. */
export const DEFAULT_LEASE_S = 60
/** How long a lease can last, in seconds. */
export const MAX_LEASE_S = 3600

/** The worker of a cancelled item must stop. */
export const directiveOf = (item: QueueItem): Directive =>
  item.cancel_requested_at !== null || item.outcome === "cancelled" ? "cancel" : "continue"

/** Whether a worker has the right to write the item. */
export const isLeased = ({ work }: Stored): boolean => work.lease_expires_at !== null

/** The error for a worker whose lease is not that of the item. */
export const lost = (id: number): AppError =>
  new AppError("lease_lost", `the lease of queue item ${id} is no longer yours; stop the work`)

/**
 * @throws AppError `lease_lost` unless the token is that of the lease that is held; `gone` if it is that of the lease
 * that was revoked last, even if others have held the item since: its worker must stop, and can claim nothing
 */
export function checkHolder(stored: Stored, token: string): void {
  const { item, work } = stored
  if (isLeased(stored) && isOfLast(work, token)) return
  if (isRevokedToken(work, token)) {
    throw new AppError("gone", `the lease of queue item ${item.id} was revoked; stop the work`)
  }
  throw lost(item.id)
}

/** Renews a lease: from now on it lasts its whole length again. */
export const renewed = (work: Work, { steadyMs }: Moment): Work => ({
  ...work,
  lease_expires_at: steadyMs + work.lease_ms,
})

/** What is stored beside an item that begins again: of all earlier leases, only the one that was revoked last. */
export const fresh = (work: Work): Work => ({ ...IDLE, ...onlyRevoked(work) })

/** What is stored beside an item whose work has ended; `verdict` is how its worker ended it, or null. */
export function ended(work: Work, verdict: Work["verdict"]): Work {
  const { rescues, lease_token } = work
  const rest = { ...fresh(work), rescues }
  return verdict === null ? rest : { ...rest, lease_token, verdict }
}

/** What is stored beside an item whose attempt begins. */
export const started = (work: Work, { steadyMs }: Moment): Work => ({
  ...fresh(work),
  rescues: work.rescues,
  attempt_at: steadyMs,
  moved_at: steadyMs,
})

/** The worker that takes an item, and for how long. */
export interface Taker {
  /** The name of the worker, as viewers see it. */
  readonly worker: string
  /** The token of the new lease. */
  readonly token: string
  /** How long the lease is, in milliseconds. */
  readonly leaseMs: number
  /** The ID of the worker's access token; absent if it has none. */
  readonly holder?: number | undefined
  /**
   * The token of the lease that the worker held before; absent if it held none. The worker goes on with its render: the
   * length of this attempt is not learned, and if that lease ran out, its rescue does not count.
   */
  readonly former?: string | undefined
  /** The kind of the item, as the worker knows it; used if the item has none. */
  readonly kind?: string | undefined
  /** The amount of work by unit, as the worker knows it; used if the item has none. */
  readonly totals?: Totals | undefined
}

/** How long an item waits after its lease was revoked: the worker, which learns of it by its heartbeat, has stopped then. */
const REVOKED_REST_MS = 30_000

/** How long an item waits, after a restore, for the worker that was rendering it; others may claim it then. */
const HAND_OVER_MS = 60_000

/** A backup was restored in which a worker holds the item; what the worker has done since is unknown. */
export function handedOver({ item, work }: Stored, moment: Moment): Change {
  if (item.cancel_requested_at !== null) return { item: cancelledItem(item, moment), work: ended(work, null) }
  const next = transition(item, { status: "retrying", message: OWN_MESSAGES.restored }, moment.time)
  const available_at = later(moment, HAND_OVER_MS)
  return {
    item: { ...next, available_at, retry_count: item.retry_count, worker: "" },
    // The token of a lease without verdict and end identifies the worker that may go on.
    work: { ...ended(work, null), lease_token: work.lease_token },
  }
}

/** A lease of the database that a backup has replaced. */
export interface HeldBeforeRestore {
  /** What was stored of it. */
  readonly token: string
  /** When its attempt began, RFC 3339 UTC. */
  readonly startedAt: string
}

/**
 * A backup was restored in which the item waits, or another worker holds it, but a worker held it with `held` in the
 * database that the backup has replaced. It waits for that worker, whose render goes on.
 */
export const keptFor =
  ({ token, startedAt }: HeldBeforeRestore) =>
  ({ item, work }: Stored, moment: Moment): Change => {
    const next = transition(item, { message: OWN_MESSAGES.kept }, moment.time)
    const available_at = later(moment, HAND_OVER_MS)
    return {
      item: { ...next, available_at, started_at: startedAt },
      work: { ...ended(work, null), lease_token: token },
    }
  }

/** Whether the item was being rendered when a backup was restored, and nobody has had it since. */
const isHandedOver = (stored: Stored): boolean =>
  tokenOf(stored.work) !== "" && !isRevoked(stored.work) && stored.work.verdict === null && !isLeased(stored)

/** @throws AppError `leased` while the item waits, after a restore, for another worker */
function checkHandOver(stored: Stored, { former }: Taker, { time }: Moment): void {
  const { item, work } = stored
  if (!isHandedOver(stored) || (former !== undefined && isOfLast(work, former))) return
  const waitMs = Date.parse(item.available_at ?? time) - Date.parse(time)
  if (waitMs <= 0) return
  throw new AppError(
    "leased",
    `a backup was restored, and queue item ${item.id} waits for the worker that was rendering it; others may claim it in ${Math.ceil(waitMs / 1000)} s`,
  )
}

/**
 * A worker takes the item.
 * @throws AppError `illegal_move` unless the item waits, `leased` while it waits for another worker after a restore
 */
export function claimed(stored: Stored, by: Taker, moment: Moment): Change {
  const { item, work } = stored
  // processing to processing is not a move, so the table would allow it; a claim must not.
  if (item.status === "processing") {
    const by = item.worker === "" ? "" : ` by worker "${item.worker}"`
    throw new AppError("illegal_move", `queue item ${item.id} is processing${by} and cannot be claimed`)
  }
  checkHandOver(stored, by, moment)
  const taken = transition(item, { status: "processing", message: OWN_MESSAGES.started }, moment.time)
  const former = by.former ?? ""
  const wasCutOff = isCutOff(work, former)
  const goesOn = wasCutOff || (isHandedOver(stored) && isOfLast(work, former))
  const lease_token = storedToken(by.token, work, wasCutOff ? former : "")
  const lease = { lease_token, lease_ms: by.leaseMs, lease_holder: by.holder ?? null }
  const course = by.former === undefined ? null : goesOnFrom(moment)
  const rescues = wasCutOff ? Math.max(0, work.rescues - 1) : work.rescues
  return {
    item: {
      ...taken,
      current_step: "",
      // The same render goes on: how long it takes is counted from its own beginning.
      started_at: goesOn ? item.started_at : taken.started_at,
      worker: by.worker,
      kind: item.kind || (by.kind ?? ""),
      totals: { ...by.totals, ...item.totals },
    },
    work: renewed({ ...started(work, moment), ...lease, course, rescues }, moment),
  }
}

/**
 * A worker gives a sign of life: its lease is renewed, and viewers see nothing.
 * @throws AppError `lease_lost`
 */
export function heartbeat(stored: Stored, token: string, moment: Moment): Change {
  checkHolder(stored, token)
  return { item: stored.item, work: renewed(stored.work, moment), quiet: true }
}

/**
 * The same for a claim that is repeated. The lease then ends later than before, even if both came in the same millisecond:
 * so the first claim notices that a repetition got it.
 * @throws AppError `lease_lost`
 */
export function claimedAgain(stored: Stored, token: string, moment: Moment): Change {
  const { work, ...change } = heartbeat(stored, token, moment)
  const leastMs = (stored.work.lease_expires_at ?? 0) + 1
  return { ...change, work: { ...work, lease_expires_at: Math.max(work.lease_expires_at ?? 0, leastMs) } }
}

/**
 * The attempt that a lease is or was for. Its worker may store output, the last of which comes after the verdict.
 * @throws AppError `lease_lost`; `illegal_move` if another attempt than `expected` is under way
 */
export function printing(stored: Stored, token: string, expected?: number): number {
  const { item, work } = stored
  if (!isOfLast(work, token)) checkHolder(stored, token)
  if (expected === undefined || expected === item.attempt) return item.attempt
  throw new AppError(
    "illegal_move",
    `the lease of queue item ${item.id} is for attempt ${item.attempt}, not for ${expected}`,
  )
}

/** The unchanged item if this verdict was given before; undefined if the verdict is new. */
function repeated(stored: Stored, token: string, verdict: NonNullable<Work["verdict"]>): Change | undefined {
  const { work, item } = stored
  if (isLeased(stored) || tokenOf(work) !== token || work.verdict === null) return undefined
  if (work.verdict === verdict) return { item, work, quiet: true }
  throw new AppError(
    "lease_lost",
    `queue item ${item.id} was already ended by ${work.verdict}, and cannot be ended by ${verdict}`,
  )
}

/**
 * A worker has finished its item. This wins over a cancel that was requested. A repetition changes nothing.
 * @throws AppError `lease_lost`
 */
export function completed(stored: Stored, token: string, result: Result, moment: Moment): Change {
  const before = repeated(stored, token, "complete")
  if (before) return before
  checkHolder(stored, token)
  const message = OWN_MESSAGES.completed
  const item = transition(stored.item, { message, ...result, status: "completed" }, moment.time)
  return { item: { ...item, cancel_requested_at: null }, work: ended(stored.work, "complete") }
}

/** How a worker failed: whether another attempt makes sense, and after which time. */
export interface Failure {
  /** What went wrong, for people. */
  readonly error_message: string
  /** Whether another attempt makes sense. */
  readonly retryable: boolean
  /** Milliseconds to wait before the next attempt. */
  readonly retryInMs: number
  /** Whether a person stopped the command, so that the item is cancelled instead of failed; default false. */
  readonly isCancelled?: boolean
}

/** The item, cancelled now. */
export function cancelledItem(item: QueueItem, moment: Moment): QueueItem {
  const stopped = transition(item, { status: "failed", message: OWN_MESSAGES.cancelled }, moment.time)
  return { ...stopped, outcome: "cancelled" }
}

/**
 * A worker has failed. A retryable failure waits for another attempt while the item has attempts left. A repetition
 * changes nothing.
 * @throws AppError `lease_lost`
 */
export function failed(stored: Stored, token: string, failure: Failure, moment: Moment): Change {
  const before = repeated(stored, token, "fail")
  if (before) return before
  checkHolder(stored, token)
  const { item } = stored
  const work = ended(stored.work, "fail")
  const { error_message, retryable, retryInMs, isCancelled = false } = failure
  if (item.cancel_requested_at !== null || isCancelled)
    return { item: { ...cancelledItem(item, moment), error_message }, work }
  if (!retryable || item.retry_count + 1 >= item.max_attempts) {
    const message = OWN_MESSAGES.failed
    return { item: transition(item, { status: "failed", message, error_message }, moment.time), work }
  }
  const message = OWN_MESSAGES.failedForNow
  const next = transition(item, { status: "retrying", message, error_message }, moment.time)
  return { item: { ...next, available_at: later(moment, retryInMs) }, work }
}

/**
 * A worker gives the item back unharmed. A repetition changes nothing.
 * @throws AppError `lease_lost`
 */
export function released(stored: Stored, token: string, moment: Moment): Change {
  const before = repeated(stored, token, "release")
  if (before) return before
  checkHolder(stored, token)
  const { item } = stored
  const work = ended(stored.work, "release")
  if (item.cancel_requested_at !== null) return { item: cancelledItem(item, moment), work }
  const message = OWN_MESSAGES.released
  return { item: { ...transition(item, { status: "queued", message }, moment.time), worker: "" }, work }
}

/**
 * The lease ran out, or was revoked: the item is taken back. It is marked lost if this has happened more than
 * `maxRescues` times; 0 means no limit.
 */
export function rescued({ item, work }: Stored, maxRescues: number, moment: Moment): Change {
  if (item.cancel_requested_at !== null) return { item: cancelledItem(item, moment), work: ended(work, null) }
  const rescues = work.rescues + 1
  const rest = { ...ended(work, null), ...afterRunningOut(work), rescues }
  const error_message = isRevoked(work)
    ? `the token by which worker "${item.worker}" had claimed the item was revoked`
    : `worker "${item.worker}" gave no sign of life for ${work.lease_ms / 1000} s`
  if (maxRescues > 0 && rescues > maxRescues) {
    const given = transition(
      item,
      { status: "failed", message: OWN_MESSAGES.lost, error_message },
      moment.time,
    )
    return { item: { ...given, outcome: "lost" }, work: rest }
  }
  const message = OWN_MESSAGES.lostForNow
  const freed = transition(item, { status: "retrying", message, error_message }, moment.time)
  const next = isRevoked(work) ? { ...freed, available_at: later(moment, REVOKED_REST_MS) } : freed
  // The worker failed, not the item: this does not count as one of its retries.
  return { item: { ...next, retry_count: item.retry_count, worker: "" }, work: rest }
}
