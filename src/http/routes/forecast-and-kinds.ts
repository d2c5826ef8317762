import { Type } from "@sinclair/typebox"

import { BoundedMap } from "../../bounded-map.ts"
import { AppError } from "../../errors.ts"
import { shortCauseOf } from "../../failure-cause.ts"
import type { Start } from "../../item/estimate/start-forecast.ts"
import type { QueueItem } from "../../item/item.ts"
import type { LearnedDurations } from "../../queue/learned-durations.ts"
import type { StartForecasts } from "../../queue/start-forecasts.ts"
import { Kinds, QueueForecastAnswer, type ReadItem, RunsForgotten, type Starts } from "../../wire/forecast.ts"
import { API } from "../api.ts"
import type { AppWithCaller } from "../caller-of-request.ts"
import { json, words } from "../docs/words.ts"
import { bounded, MAX_ROWS, queryUpTo } from "../request-parameters.ts"

const DEFAULT_ROWS = 200

const ForecastParams = Type.Object(
  { limit: queryUpTo(1, MAX_ROWS, ` items, ${DEFAULT_ROWS} by default`) },
  { additionalProperties: false },
)

const KindParams = Type.Object({
  kind: Type.String({
    format: "text",
    minLength: 1,
    maxLength: 1024,
    description: "the kind, as `GET /kinds` names it",
  }),
})

const tenth = (seconds: number): number => Math.round(seconds * 10) / 10

const startOf = ({ startsIn, low, high, takes }: Start) =>
  ({
    starts_in_seconds: tenth(startsIn),
    starts_low_seconds: tenth(low),
    starts_high_seconds: tenth(high),
    ...(takes !== undefined && { takes_seconds: tenth(takes) }),
  }) satisfies Starts

const rounded = (kinds: Readonly<Kinds["kinds"]>): Kinds["kinds"] =>
  kinds.map((kind) => ({ ...kind, seconds: tenth(kind.seconds) }))

/** The causes of the errors that were read last: lists are read again and again, and a search takes as long as all else. */
const causes = new BoundedMap<string, string>(1000)
/** Longer errors, which no command of ours reports, would take too much memory. */
const LONGEST_KEPT = 4096

function causeIn(error: string): string {
  const cause = causes.get(error) ?? shortCauseOf(error)
  if (error.length <= LONGEST_KEPT) causes.set(error, cause)
  return cause
}

/** The items as readers get them, with what is computed for each answer and never stored. */
export async function asRead(forecasts: StartForecasts, items: readonly QueueItem[]): Promise<ReadItem[]> {
  const starts = await forecasts.of(items)
  return items.map((item) => {
    const start = starts.get(item.id)
    const { error_message } = item
    const read = start ? { ...item, ...startOf(start) } : item
    return error_message === "" ? read : { ...read, error_cause: causeIn(error_message) }
  })
}

/** The routes of forecasts, and of the runs from which the server learns. */
export const foreseenRoutes = (app: AppWithCaller, forecasts: StartForecasts, learned: LearnedDurations) =>
  app
    .get(
      `${API}/queue/forecast`,
      async ({ query: { limit } }): Promise<QueueForecastAnswer> => {
        const { starts, doneIn, workers } = await forecasts.now()
        return {
          forecast: starts
            .slice(0, bounded(limit, DEFAULT_ROWS, MAX_ROWS))
            .map((start) => ({ id: start.id, ...startOf(start) })),
          done_in_seconds: doneIn === undefined ? null : tenth(doneIn),
          workers,
        }
      },
      {
        query: ForecastParams,
        ...words({
          id: "forecastQueue",
          tag: "Queue",
          summary: "Forecast when waiting items start",
          about:
            "Estimated from earlier runs of their kinds, for the workers that are present: those that hold an item which they did not claim by its `id`, and those whose claims wait. Items that no worker may take are left out, and items that come after one of an unknown kind.",
          successes: [json("when they start", QueueForecastAnswer)],
        }),
      },
    )
    .get(
      `${API}/kinds`,
      async (): Promise<Kinds> => ({ kinds: rounded(await learned.kinds()) }),
      words({
        id: "listKinds",
        tag: "Queue",
        summary: "List the kinds of items that are known",
        about:
          "Of each kind the newest eight runs that look alike are remembered, and of all kinds together the newest 10,000.",
        successes: [json("the kinds, the one with the newest run first", Kinds)],
      }),
    )
    .delete(
      `${API}/kinds/:kind/runs`,
      async ({ params: { kind } }): Promise<RunsForgotten> => {
        const runs = await learned.forget(kind)
        if (runs === 0) throw new AppError("not_found", `no run of the kind "${kind}" is remembered`)
        return { message: "Runs forgotten", runs }
      },
      {
        params: KindParams,
        ...words({
          id: "forgetRuns",
          tag: "Queue",
          summary: "Forget the runs of a kind",
          about: "Until one of its items completes, estimates rest on the pace of each item alone.",
          successes: [json("forgotten", RunsForgotten)],
          refusals: ["not_found"],
        }),
      },
    )
