import { Type } from "@sinclair/typebox"

import type { Caller } from "../../access/authorize.ts"
import { digest } from "../../access/secret.ts"
import { AppError } from "../../errors.ts"
import { Report, Result } from "../../item/item.ts"
import { DEFAULT_LEASE_S } from "../../item/lease.ts"
import { RepeatedClaims } from "../../queue/repeated-claims.ts"
import type { LeaseStanding, Workers } from "../../queue/workers.ts"
import type { Streams } from "../../stream/streams.ts"
import { Claimed, WorkerAnswer } from "../../wire/answers.ts"
import { ClaimRequest, FailRequest } from "../../wire/requests.ts"
import { API } from "../api.ts"
import { jsonBody, optionalJsonBody } from "../body.ts"
import type { AppWithCaller, Callers } from "../caller-of-request.ts"
import { json, words } from "../docs/words.ts"
import {
  bounded,
  idempotencyKey,
  ItemParams,
  LEASE,
  leaseOf,
  LeaseParams,
  queryUpTo,
  requiredLease,
} from "../request-parameters.ts"
import { checkStillIn } from "../revoked-meanwhile.ts"
import { timeLimit } from "../time-limit-of-held-answer.ts"

const MAX_HOLD_S = 60

const HeartbeatParams = Type.Object(
  { ...LeaseParams.properties, wait: queryUpTo(0, MAX_HOLD_S, " seconds") },
  { additionalProperties: false },
)

/** The answer to a worker, made from the state of its lease. */
export const workerAnswer = ({ directive, item, expiresAt, isDraining }: LeaseStanding): WorkerAnswer => ({
  directive,
  ...(isDraining && { drain: true }),
  ...(expiresAt !== null && { lease: { expires_at: expiresAt } }),
  item,
})

/** How a claim that may be repeated is recognised. */
interface ClaimKey {
  /** Equal for a claim and its repetitions. */
  readonly key: string
  /** Aborts when the claim is repeated before it is answered. */
  readonly isRepeated: AbortSignal
}

/**
 * Claims the first waiting item, or the item that the request names. The client may go away in the meantime, or repeat
 * its request.
 */
async function claim(
  workers: Workers,
  body: ClaimRequest,
  request: Request,
  caller: Caller,
  once?: ClaimKey,
): Promise<Claimed | null> {
  const {
    worker,
    wait = 0,
    lease = DEFAULT_LEASE_S,
    tags = [],
    id,
    kind,
    totals,
    version,
    instance,
    again,
  } = body
  // A worker goes on with an item that it names; the lease of an earlier item may be in a client's headers for all requests.
  const former = (id !== undefined && request.headers.get("lease")) || undefined
  const isGone = (): boolean => request.signal.aborted || caller.ended?.aborted === true
  const by = { worker, leaseMs: lease * 1000, holder: caller.token?.id, former, kind, totals }
  const taker = { ...by, key: once?.key, isGone }
  const client = once ? AbortSignal.any([request.signal, once.isRepeated]) : request.signal
  using limit = timeLimit(client, wait * 1000, caller.ended)
  const signal = wait === 0 ? AbortSignal.abort() : limit.signal
  const claimed = again
    ? workers.claimedBefore(taker)
    : id === undefined
      ? workers.claim({ ...taker, tags, version, instance, client: caller.client }, signal)
      : workers.take(id, taker)
  const answer = await claimed
  checkStillIn(caller)
  return answer
}

/**
 * As `claim`; a repetition under the same key gets the same item. @throws AppError `invalid` if a repetition is asked for
 * without its key
 */
function claimOnce(
  workers: Workers,
  repeated: RepeatedClaims,
  body: ClaimRequest,
  request: Request,
  caller: Caller,
): Promise<Claimed | null> {
  const given = idempotencyKey(request.headers)
  if (given === undefined && body.again)
    throw new AppError(
      "invalid",
      "again needs the header Idempotency-Key, by which the earlier claim is found",
    )
  if (given === undefined) return claim(workers, body, request, caller)
  const whole = JSON.stringify([caller.token?.id, body.worker, body.id, given])
  // No key of an add has a space in it.
  const key = `claim ${digest(whole)}`
  return repeated.once(key, (isRepeated) => claim(workers, body, request, caller, { key, isRepeated }))
}

/**
 * Renews a lease, and renews it again when there is a directive or the time is over. The time is `waitMs` or
 * half the lease, whichever is less, so that the lease never runs out while the worker's request is held.
 * Between these two it only looks at each change of the item: most changes are the worker's own reports, and
 * a write for each of them would double their cost.
 */
async function held(
  { workers, streams }: { readonly workers: Workers; readonly streams: Streams },
  id: number,
  token: string,
  waitMs: number,
  client: AbortSignal,
): Promise<LeaseStanding> {
  const answer = await workers.heartbeat(id, token)
  using limit = timeLimit(client, Math.min(waitMs, (answer.leaseMs ?? 0) / 2))
  for await (const _ of streams.changes(id, limit.signal)) {
    if ((await workers.look(id, token)) === "cancel") break
  }
  // The lease of a worker that is gone must not be renewed.
  return client.aborted ? answer : workers.heartbeat(id, token)
}

const worker = json("stored; the directive says whether to continue", WorkerAnswer)

/** The routes by which workers claim and report. */
export const workerRoutes = (
  app: AppWithCaller,
  workers: Workers,
  streams: Streams,
  { limits }: Callers,
  repeated = new RepeatedClaims(),
) =>
  app
    .post(
      `${API}/queue/claim`,
      async ({ body, request, server, set, caller }) => {
        if (body.wait !== undefined) server?.timeout(request, 0)
        using _held = body.wait === undefined ? undefined : limits.hold(caller)
        const claimed = await claimOnce(workers, repeated, body, request, caller)
        if (claimed) return claimed
        if (workers.presence.isDraining(body.worker, body.instance)) set.headers["drain"] = "true"
        set.status = 204
        return undefined
      },
      {
        parse: jsonBody,
        body: ClaimRequest,
        ...words({
          id: "claimItem",
          tag: "Workers",
          summary: "Claim an item",
          about:
            "Waits up to `wait` seconds for an item. With `id` it takes that item and no other. The lease runs out after `lease` seconds (60) unless it is renewed. A worker that is drained gets 204 within a second, with the header `Drain: true`: it is to stop. After a backup was restored, an item that was being rendered waits a minute for the worker that shows its former lease; others are refused until then.",
          headers: {
            "Idempotency-Key":
              "1 to 255 printable ASCII characters: a claim that is repeated because its answer was lost gets the same item and lease, while the lease is held, at most 24 hours and five times",
            Lease:
              "the token of the lease that the worker lost, to go on with its item; the length of the attempt is not learned",
          },
          successes: [json("an item and its lease", Claimed), { status: 204, about: "no item to claim" }],
          refusals: ["not_found", "gone", "leased", "illegal_move"],
        }),
      },
    )
    .post(
      `${API}/queue/:id/progress`,
      async ({ params: { id }, body, query, request }) =>
        workerAnswer(await workers.report(Number(id), leaseOf(request, query), body)),
      {
        parse: optionalJsonBody,
        params: ItemParams,
        query: LeaseParams,
        body: Report,
        ...words({
          id: "reportProgress",
          tag: "Workers",
          summary: "Report progress",
          about:
            "Renews the lease. `progress` is a percentage, with decimals if there are any: what viewers see is rounded down, at most 99, and never goes down within an attempt. Without a lease it is accepted only while no worker holds the item, and it starts an item that waits.",
          headers: LEASE,
          successes: [worker],
          refusals: ["leased", "lease_lost", "gone", "illegal_move"],
        }),
      },
    )
    .post(
      `${API}/queue/:id/heartbeat`,
      async ({ params: { id }, query, request, server, caller }) => {
        const token = requiredLease(request, query)
        const waitS = bounded(query.wait, 0, MAX_HOLD_S)
        if (waitS === 0) return workerAnswer(await workers.heartbeat(Number(id), token))
        server?.timeout(request, 0)
        using _held = limits.hold(caller)
        return workerAnswer(await held({ workers, streams }, Number(id), token, waitS * 1000, request.signal))
      },
      {
        parse: optionalJsonBody,
        params: ItemParams,
        query: HeartbeatParams,
        ...words({
          id: "heartbeat",
          tag: "Workers",
          summary: "Renew a lease",
          about: "With `wait` the answer is held until the directive is `cancel`, or the time is over.",
          headers: LEASE,
          successes: [worker],
          refusals: ["lease_lost", "gone"],
        }),
      },
    )
    .post(
      `${API}/queue/:id/complete`,
      async ({ params: { id }, body, query, request }) =>
        workerAnswer(await workers.complete(Number(id), requiredLease(request, query), body)),
      {
        parse: optionalJsonBody,
        params: ItemParams,
        query: LeaseParams,
        body: Result,
        ...words({
          id: "completeItem",
          tag: "Workers",
          summary: "Complete an item",
          about: "Idempotent: repeating it with the same lease gives the same answer.",
          headers: LEASE,
          successes: [worker],
          refusals: ["lease_lost", "gone"],
        }),
      },
    )
    .post(
      `${API}/queue/:id/fail`,
      async ({
        params: { id },
        body: { error_message: said = "", retryable = true, retry_in, cancelled = false },
        query,
        request,
      }) => {
        const failure = {
          error_message: said,
          retryable,
          isCancelled: cancelled,
          retryInMs: retry_in === undefined ? undefined : retry_in * 1000,
        }
        return workerAnswer(await workers.fail(Number(id), requiredLease(request, query), failure))
      },
      {
        parse: optionalJsonBody,
        params: ItemParams,
        query: LeaseParams,
        body: FailRequest,
        ...words({
          id: "failItem",
          tag: "Workers",
          summary: "Fail an attempt",
          about:
            "A retryable failure waits for another attempt while the item has attempts left, `retry_in` seconds or, by default, 10 seconds and then twice as long each time, up to 10 minutes. Idempotent: repeating it gives the same answer.",
          headers: LEASE,
          successes: [worker],
          refusals: ["lease_lost", "gone"],
        }),
      },
    )
    .post(
      `${API}/queue/:id/release`,
      async ({ params: { id }, query, request }) =>
        workerAnswer(await workers.release(Number(id), requiredLease(request, query))),
      {
        parse: optionalJsonBody,
        params: ItemParams,
        query: LeaseParams,
        ...words({
          id: "releaseItem",
          tag: "Workers",
          summary: "Release an item",
          headers: LEASE,
          successes: [worker],
          refusals: ["lease_lost", "gone"],
        }),
      },
    )
