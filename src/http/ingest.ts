import { Type } from "@sinclair/typebox"
import { Elysia } from "elysia"

import { AppError } from "../errors.ts"
import { directiveOf } from "../item/lease.ts"
import { isFinished, retryIt } from "../item/moves.ts"
import { Ingest } from "../queue/ingest.ts"
import type { Queue } from "../queue/queue.ts"
import type { Standing, Workers } from "../queue/workers.ts"
import { RENDERER_NAMES, type RendererName } from "../renderers/renderer.ts"
import { IngestAnswer } from "../wire/answers.ts"
import { json, words } from "./docs/words.ts"
import { ItemParams, LEASE, LeaseParams, tokenOf } from "./params.ts"

const IngestParams = Type.Object({
  ...ItemParams.properties,
  renderer: Type.Union(RENDERER_NAMES.map((name) => Type.Literal(name))),
})

const IngestQuery = Type.Object(
  {
    ...LeaseParams.properties,
    total: Type.Optional(
      Type.String({
        pattern: "^[0-9]{1,9}(\\.[0-9]{1,6})?$",
        description: "seconds of the finished video, or frames",
      }),
    ),
    finish: Type.Optional(Type.Union([Type.Literal("true"), Type.Literal("false")])),
  },
  { additionalProperties: false },
)

/** @throws AppError `invalid` if the end of the output would not tell success from failure */
function checkFinish(name: RendererName, total: number | undefined): void {
  if (name === "lines") {
    throw new AppError(
      "invalid",
      "finish=true works with ffmpeg and blender: lines do not tell success from failure",
    )
  }
  // A total of 0 is not known either.
  if (!total) {
    throw new AppError(
      "invalid",
      "finish=true needs total: without it a render that broke off looks finished",
    )
  }
}

const leaseMs = ({ expiresAt }: Standing): number => Date.parse(expiresAt ?? "") - Date.now()

/** Calls again and again, until it is disposed of. */
function every(ms: number, call: () => void): Disposable {
  const timer = setInterval(call, ms)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/**
 * The output of renderers, taken as it comes, for hours: `ffmpeg -progress URL` needs no wrapper. It starts a waiting
 * item. With `finish=true` the end of the output ends the item.
 */
export const ingestRoutes = (workers: Workers, queue: Queue) =>
  new Elysia({ prefix: "/queue", normalize: false }).post(
    "/:id/ingest/:renderer",
    async ({ params: { id: itemId, renderer: name }, query, request, server }) => {
      const id = Number(itemId)
      const token = tokenOf(request, query)
      const total = query.total === undefined ? undefined : Number(query.total)
      if (query.finish === "true") checkFinish(name, total)
      // A renderer may print nothing for minutes.
      server?.timeout(request, 0)
      const lease = token === undefined ? undefined : await workers.heartbeat(id, token)
      const { status } = lease?.item ?? (await queue.get(id))
      if (isFinished(status))
        throw new AppError(
          "illegal_move",
          `queue item ${id} is ${status}: it takes no progress; ${retryIt(id)}`,
        )
      const ingest = new Ingest({ workers, queue }, { id, token, renderer: name, total })
      using _renewing = lease && every(leaseMs(lease) / 3, () => ingest.keepAlive())
      await ingest.listen(request.body ?? new Blob().stream()).catch((error: unknown) => {
        // The renderer is gone with its connection; store what it had said.
        if (!request.signal.aborted || error instanceof AppError) throw error
        return ingest.settle()
      })
      // When this server stops, the renderer has not ended: it goes on without a viewer.
      const isOver = query.finish === "true" && !workers.draining
      const answer = isOver ? await ingest.finish() : undefined
      const item = await queue.get(id)
      return { directive: answer?.directive ?? directiveOf(item), item } satisfies IngestAnswer
    },
    {
      params: IngestParams,
      query: IngestQuery,
      parse: "none",
      ...words({
        id: "ingest",
        tag: "Workers",
        summary: "Report by piping a renderer's output",
        about:
          "Takes the output for as long as it lasts: `ffmpeg -progress URL` needs no wrapper. It starts a waiting item. `total` is the seconds of the finished video, or the frames. With `finish=true` the end of the output completes the item at 98 % of its total or more, and fails it below.",
        headers: LEASE,
        body: {
          type: "text/plain",
          about: "the output as it comes, of any length, with lines of at most 64 KiB",
        },
        successes: [json("the output has ended", IngestAnswer)],
        refusals: ["illegal_move", "leased", "lease_lost", "gone", "too_large"],
      }),
    },
  )
