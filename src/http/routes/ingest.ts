import { Type } from "@sinclair/typebox"

import { every } from "../../background-work.ts"
import { AppError } from "../../errors.ts"
import type { QueueItem, Step } from "../../item/item.ts"
import { directiveOf } from "../../item/lease.ts"
import { isFinished, takesNoProgress } from "../../item/moves.ts"
import { OneOf } from "../../item/schema-parts.ts"
import { spanOf } from "../../item/step-span.ts"
import { IngestTurns } from "../../queue/ingest-turns.ts"
import type { Ingest } from "../../queue/ingest.ts"
import type { Output } from "../../queue/output.ts"
import type { Queue } from "../../queue/queue.ts"
import type { Workers } from "../../queue/workers.ts"
import { RENDERER_NAMES } from "../../renderers/names.ts"
import { IngestAnswer } from "../../wire/answers.ts"
import { API } from "../api.ts"
import { piecesOf } from "../body-silence-limit.ts"
import type { AppWithCaller, Callers } from "../caller-of-request.ts"
import { json, words } from "../docs/words.ts"
import { checkLast, type Ingesting, ingestingOf, IngestQuery } from "../ingest-query.ts"
import { ItemParams, LEASE, leaseOf } from "../request-parameters.ts"
import { whileIn } from "../revoked-meanwhile.ts"

const IngestParams = Type.Object({
  ...ItemParams.properties,
  renderer: OneOf(RENDERER_NAMES, "whose output it is"),
})

/** The next declared step; undefined if there is none. */
function comingStep({ step, steps }: QueueItem): Step | undefined {
  const index = (step?.index ?? 0) + 1
  const name = steps?.[index - 1]
  return steps === null || name === undefined ? undefined : { index, total: steps.length, name }
}

/**
 * Adds the step: under a lease, an output that names no step belongs to the first declared step that has not
 * begun.
 */
async function withStep(
  workers: Workers,
  wanted: Ingesting,
  token: string | undefined,
  item: QueueItem,
): Promise<Ingesting> {
  const coming = comingStep(item)
  if (wanted.span !== undefined || token === undefined || coming === undefined) return wanted
  if (wanted.isFinal) checkLast(coming)
  const { step } = await workers.beginStep(item.id, token)
  return step ? { ...wanted, span: spanOf(step) } : wanted
}

/** Reads the output to its end. Meanwhile it renews a lease of `lengthMs`; null if there is no lease. */
async function listen(ingest: Ingest, request: Request, lengthMs: number | null): Promise<void> {
  const renewing =
    lengthMs === null
      ? undefined
      : every(
          lengthMs / 3,
          () => ingest.keepAlive(lengthMs),
          (error) => ingest.stop(error),
        )
  try {
    await ingest.listen(piecesOf(request))
  } catch (error) {
    // The renderer has closed its connection. What it had printed before is stored.
    if (!request.signal.aborted || error instanceof AppError) throw error
    await ingest.settle()
  } finally {
    await renewing?.stop()
  }
}

/**
 * Takes the output of renderers as it comes, for hours: `ffmpeg -progress URL` needs no other program. The
 * output starts a waiting item. With `finish=true` the end of the output ends the item.
 */
export const ingestRoutes = (
  app: AppWithCaller,
  workers: Workers,
  queue: Queue,
  output: Output,
  { limits }: Callers,
) => {
  const turns = new IngestTurns()
  return app.post(
    `${API}/queue/:id/ingest/:renderer`,
    async ({ params: { id: itemId, renderer: name }, query, request, server, caller }) => {
      const id = Number(itemId)
      const token = leaseOf(request, query)
      const asked = ingestingOf(name, query)
      using _held = limits.hold(caller, "output")
      // A renderer may print nothing for minutes.
      server?.timeout(request, 0)
      const lease = token === undefined ? undefined : await workers.heartbeat(id, token)
      const before = lease?.item ?? (await queue.unleased(id))
      if (isFinished(before.status)) throw takesNoProgress(before)
      const underWay = before.status === "processing" ? before : undefined
      const { isFinal, ...wanted } = await withStep(workers, asked, token, before)
      // It is loaded at its first use, because the readers of renderers would take a tenth of the start.
      const { Ingest } = await import("../../queue/ingest.ts")
      const ingest = new Ingest(
        { workers, queue, output, turns },
        { id, token, renderer: name, underWay, client: caller.client, ...wanted },
      )
      // The lease lets a render go on to its end even if the token is revoked, and even if the render began
      // while the server had no tokens.
      using _allowed = lease || !caller.token ? undefined : whileIn(caller, (refusal) => ingest.stop(refusal))
      await listen(ingest, request, lease?.leaseMs ?? null)
      // If this server stops, the renderer has not ended. It goes on, but without a viewer.
      const answer = isFinal && !workers.draining ? await ingest.finish() : ingest.leave()
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
          "Takes the output for as long as it lasts: `ffmpeg -progress URL` needs no wrapper. It starts a waiting item. `total` is the seconds of the finished video, or the frames. With `finish=true` the end of the output completes the item at 98 % of its seconds or more, or with all of its frames, and fails it below. What ffmpeg prints on standard error is not seen here, and ffmpeg can exit with 0 after output that it could not write: add `-xerror`, or use `track-studio run`. With `step=3/4&name=Render` the output's own 0 to 100 fill that part of the item, or the part that `from` and `to` name; under a lease whose attempt has declared steps, an output that names none takes the first that has not begun.",
        headers: LEASE,
        body: {
          type: "text/plain",
          about:
            "the output as it comes, of any length; a line of more than 64 KiB is dropped, and above 256 KiB a second only the newest text is read",
        },
        successes: [json("the output has ended", IngestAnswer)],
        refusals: ["illegal_move", "leased", "lease_lost", "gone"],
      }),
    },
  )
}
