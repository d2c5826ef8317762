import { QueueItem } from "../../item/item.ts"
import type { Queue } from "../../queue/queue.ts"
import { BatchAnswer, ItemsRetried, QueuePaused, QueueResumed } from "../../wire/answers.ts"
import { BatchRequest, MoveRequest, RetryRequest } from "../../wire/requests.ts"
import { API } from "../api.ts"
import { optionalJsonBody } from "../body.ts"
import type { AppWithCaller, Callers } from "../caller-of-request.ts"
import { json, words } from "../docs/words.ts"
import { ItemParams } from "../request-parameters.ts"

/**
 * What people can do: pause and resume the queue; cancel, retry and move an item; cancel, retry or delete
 * many items at once.
 */
export const queueActionRoutes = (app: AppWithCaller, queue: Queue, { limits }: Callers) =>
  app
    .post(
      `${API}/queue/pause`,
      async (): Promise<QueuePaused> => ({ message: "Queue paused", paused_at: await queue.pause() }),
      {
        parse: optionalJsonBody,
        ...words({
          id: "pauseQueue",
          tag: "Queue",
          summary: "Pause the queue",
          about:
            "Workers get no more items until it is resumed, even after the server restarts. Renders in progress continue, and a claim that names its item still works. Idempotent.",
          successes: [json("paused", QueuePaused)],
          refusals: ["method_not_allowed"],
        }),
      },
    )
    .post(
      `${API}/queue/resume`,
      async (): Promise<QueueResumed> => {
        await queue.resume()
        return { message: "Queue resumed" }
      },
      {
        parse: optionalJsonBody,
        ...words({
          id: "resumeQueue",
          tag: "Queue",
          summary: "Resume the queue",
          successes: [json("resumed", QueueResumed)],
          refusals: ["method_not_allowed"],
        }),
      },
    )
    .post(
      `${API}/queue/:id/cancel`,
      async ({ params: { id } }): Promise<QueueItem> => queue.cancel(Number(id)),
      {
        parse: optionalJsonBody,
        params: ItemParams,
        ...words({
          id: "cancelItem",
          tag: "Queue",
          summary: "Cancel an item",
          about:
            "At once if no worker holds it; otherwise its worker is asked to stop. Cancelling twice changes nothing.",
          successes: [json("the item as it is now", QueueItem)],
          refusals: ["illegal_move"],
        }),
      },
    )
    .post(
      `${API}/queue/:id/retry`,
      async ({ params: { id } }): Promise<QueueItem> => queue.retry(Number(id)),
      {
        parse: optionalJsonBody,
        params: ItemParams,
        ...words({
          id: "retryItem",
          tag: "Queue",
          summary: "Retry an item",
          successes: [json("the item as it is now", QueueItem)],
          refusals: ["illegal_move"],
        }),
      },
    )
    .post(
      `${API}/queue/:id/move`,
      async ({ params: { id }, body }): Promise<QueueItem> => queue.move(Number(id), body.before),
      {
        parse: optionalJsonBody,
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
      `${API}/queue/batch`,
      async ({ body: { act, ids }, caller }): Promise<BatchAnswer> => {
        limits.chargeUnits(caller, ids.length - 1)
        const { done, refused } = await queue.batch(act, ids)
        return {
          done,
          refused: refused.map(({ id, reason: { message, code } }) => ({ id, error: message, code })),
        }
      },
      {
        parse: optionalJsonBody,
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
      `${API}/queue/retry`,
      async (): Promise<ItemsRetried> => {
        const ids = await queue.retryFailed()
        return { message: "Queue items retried", retried: ids.length, ids }
      },
      {
        parse: optionalJsonBody,
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
