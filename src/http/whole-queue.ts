import { Type } from "@sinclair/typebox"

import { QueueItem } from "../item/item.ts"
import type { Queue } from "../queue/queue.ts"
import type { Period, QueueTotals } from "../queue/totals.ts"
import {
  BatchAnswer,
  Counts,
  type FinishedSince,
  ItemsRetried,
  QueuePaused,
  QueueResumed,
} from "../wire/answers.ts"
import { BatchRequest, MoveRequest, RetryRequest } from "../wire/requests.ts"
import type { Callers } from "./access.ts"
import { api } from "./api.ts"
import { optionalJsonBody } from "./body.ts"
import { json, words } from "./docs/words.ts"
import { ItemParams } from "./params.ts"

/** The query of a route whose days begin at midnight. */
export const ZoneParams = Type.Object(
  {
    tz: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 64,
        description: "the time zone in which days begin, such as Europe/Berlin; UTC by default",
      }),
    ),
  },
  { additionalProperties: false },
)

const seconds = (ms: number | null): number | null => (ms === null ? null : Math.round(ms) / 1000)

const shown = ({ shortestMs, meanMs, longestMs, ...counts }: Period): FinishedSince => ({
  ...counts,
  shortest_seconds: seconds(shortestMs),
  mean_seconds: seconds(meanMs),
  longest_seconds: seconds(longestMs),
})

/** The routes of the queue as a whole. */
export const totalRoutes = (queue: Queue, totals: QueueTotals, { access, limits }: Callers) =>
  api("/queue")
    .use(access)
    .use(optionalJsonBody(access))
    .get(
      "/counts",
      async ({ query: { tz = "UTC" } }): Promise<Counts> => {
        const { standing, pausedAt, lastHour, today, thisWeek } = await totals.counts(tz)
        const { queued, processing, retrying, completed, failed, cancelled, lost } = standing
        return {
          status: { queued, processing, completed, failed: failed + cancelled + lost, retrying },
          outcome: { completed, failed, cancelled, lost },
          paused_at: pausedAt,
          last_hour: shown(lastHour),
          today: shown(today),
          this_week: shown(thisWeek),
        }
      },
      {
        query: ZoneParams,
        ...words({
          id: "countItems",
          tag: "Queue",
          summary: "Count the items",
          about: "The figures of the whole queue, not of a page only. A week begins on Monday.",
          successes: [json("the figures of now", Counts)],
        }),
      },
    )
    .post(
      "/pause",
      async (): Promise<QueuePaused> => ({ message: "Queue paused", paused_at: await queue.pause() }),
      words({
        id: "pauseQueue",
        tag: "Queue",
        summary: "Pause the queue",
        about:
          "Workers get no more items until it is resumed, even after the server restarts. Renders in progress continue, and a claim that names its item still works. Idempotent.",
        successes: [json("paused", QueuePaused)],
        refusals: ["method_not_allowed"],
      }),
    )
    .post(
      "/resume",
      async (): Promise<QueueResumed> => {
        await queue.resume()
        return { message: "Queue resumed" }
      },
      words({
        id: "resumeQueue",
        tag: "Queue",
        summary: "Resume the queue",
        successes: [json("resumed", QueueResumed)],
        refusals: ["method_not_allowed"],
      }),
    )
    .post(
      "/:id/move",
      async ({ params: { id }, body }): Promise<QueueItem> => queue.move(Number(id), body.before),
      {
        params: ItemParams,
        body: MoveRequest,
        ...words({
          id: "moveItem",
          tag: "Queue",
          summary: "Move an item before another one",
          about: "It gets that item's priority, and the turn directly before it. Idempotent.",
          successes: [json("the item as it is now", QueueItem)],
          refusals: ["illegal_move"],
        }),
      },
    )
    .post(
      "/batch",
      async ({ body: { act, ids }, caller }): Promise<BatchAnswer> => {
        limits?.chargeUnits(caller, ids.length - 1)
        const { done, refused } = await queue.batch(act, ids)
        return {
          done,
          refused: refused.map(({ id, reason: { message, code } }) => ({ id, error: message, code })),
        }
      },
      {
        body: BatchRequest,
        ...words({
          id: "changeItems",
          tag: "Queue",
          summary: "Cancel, retry or delete many items",
          about:
            "Does to each item what the request for that item alone does. If one item is refused, the others are still done.",
          successes: [json("what was done, and what was refused", BatchAnswer)],
        }),
      },
    )
    .post(
      "/retry",
      async (): Promise<ItemsRetried> => {
        const ids = await queue.retryFailed()
        return { message: "Queue items retried", retried: ids.length, ids }
      },
      {
        body: RetryRequest,
        ...words({
          id: "retryItems",
          tag: "Queue",
          summary: "Retry all failed items",
          about: "Repeating it finds nothing more to retry.",
          successes: [json("retried", ItemsRetried)],
        }),
      },
    )
