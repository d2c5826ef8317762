import { Type } from "@sinclair/typebox"

import type { QueueItem } from "../../item/item.ts"
import type { KnownWorker } from "../../queue/known-workers.ts"
import type { Queue } from "../../queue/queue.ts"
import type { Workers } from "../../queue/workers.ts"
import { byName } from "../../text.ts"
import { WorkerDrained, WorkersAnswer, type WorkerSeen, WorkerTaking } from "../../wire/answers.ts"
import { API } from "../api.ts"
import type { AppWithCaller } from "../caller-of-request.ts"
import { json, words } from "../docs/words.ts"

/** How many items under way are read. */
const MOST_ITEMS = 1000

const WorkerParams = Type.Object({
  worker: Type.String({
    minLength: 1,
    maxLength: 16_384,
    description: "the name, as `GET /workers` gives it",
  }),
})

const timeOf = (ms: number): string => new Date(ms).toISOString()

/** The tags that a worker offers. One that claims its items by number takes no others, so it offers none. */
function offered(
  known: KnownWorker | undefined,
  held: readonly QueueItem[],
  { presence }: Workers,
): string[] | null {
  if (known?.isTaking) return [...known.tags]
  return held.every((item) => presence.afterwards(item) === null) ? [] : null
}

/** A worker as it is shown. `known` is undefined if it made no claim or report since the server started. */
function workerSeen(
  worker: string,
  known: KnownWorker | undefined,
  held: readonly QueueItem[],
  workers: Workers,
): WorkerSeen {
  return {
    worker,
    state: held.length > 0 ? "rendering" : known?.isThere ? "idle" : "away",
    items: held.map(({ id, song_id, title, progress, time_progress }) => ({
      ...{ id, song_id, title, progress, time_progress },
    })),
    idle_since: held.length > 0 || !known ? null : timeOf(known.idleMs),
    last_heard_at: known ? timeOf(known.heardMs) : null,
    tags: offered(known, held, workers),
    version: known?.version ?? "",
    draining: known?.isDraining ?? false,
  }
}

/**
 * The workers that made claims or reports, and those that hold items. A worker that claims only by number is
 * listed while it holds an item.
 */
async function workersOf(workers: Workers, queue: Queue): Promise<WorkerSeen[]> {
  const { items } = await queue.list({ status: "processing", limit: MOST_ITEMS })
  const held = Map.groupBy(
    items.filter(({ worker }) => worker !== ""),
    ({ worker }) => worker,
  )
  const known = new Map(workers.presence.known.map((one) => [one.worker, one]))
  const taking = [...known.values()].filter(({ isTaking }) => isTaking).map(({ worker }) => worker)
  const names = [...new Set([...held.keys(), ...taking])].sort(byName)
  return names.map((name) => workerSeen(name, known.get(name), held.get(name) ?? [], workers))
}

/** The routes that list and drain workers. */
export const workerListRoutes = (app: AppWithCaller, workers: Workers, queue: Queue) =>
  app
    .get(
      `${API}/workers`,
      async (): Promise<WorkersAnswer> => ({ workers: await workersOf(workers, queue) }),
      words({
        id: "listWorkers",
        tag: "Workers",
        summary: "List the workers",
        about: "A worker is listed while it holds items, and for an hour after its last claim or report.",
        successes: [json("the workers", WorkersAnswer)],
      }),
    )
    .post(
      `${API}/workers/:worker/drain`,
      async ({ params: { worker } }): Promise<WorkerDrained> => {
        workers.setDraining(worker, true)
        return { message: "Worker takes no more items" }
      },
      {
        params: WorkerParams,
        ...words({
          id: "drainWorker",
          tag: "Workers",
          summary: "Drain a worker",
          about:
            "It finishes what it renders and takes no more items: the answers to its reports say `drain`, and its claims are answered with 204 and the header `Drain: true`, which `track-studio work` obeys by stopping. When it is started again, it takes items again. Idempotent.",
          successes: [json("drained", WorkerDrained)],
          refusals: ["not_found", "method_not_allowed"],
        }),
      },
    )
    .delete(
      `${API}/workers/:worker/drain`,
      async ({ params: { worker } }): Promise<WorkerTaking> => {
        workers.setDraining(worker, false)
        return { message: "Worker takes items" }
      },
      {
        params: WorkerParams,
        ...words({
          id: "undrainWorker",
          tag: "Workers",
          summary: "Let a worker take items again",
          about: "Has no effect on a worker that has stopped meanwhile: start it again.",
          successes: [json("it takes items", WorkerTaking)],
          refusals: ["not_found", "method_not_allowed"],
        }),
      },
    )
