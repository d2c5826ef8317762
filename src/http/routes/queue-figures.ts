import { Type } from "@sinclair/typebox"

import type { Caller } from "../../access/authorize.ts"
import type { QueueItem } from "../../item/item.ts"
import type { Overview, Period, QueueTotals } from "../../queue/totals.ts"
import { Counts, Dashboard, type FinishedSince } from "../../wire/answers.ts"
import { API } from "../api.ts"
import type { AppWithCaller, Callers } from "../caller-of-request.ts"
import { json, words } from "../docs/words.ts"

/** The query of a route whose days begin at midnight. */
const ZoneParams = Type.Object(
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

const shownPeriod = ({ shortestMs, meanMs, longestMs, ...counts }: Period): FinishedSince => ({
  ...counts,
  shortest_seconds: seconds(shortestMs),
  mean_seconds: seconds(meanMs),
  longest_seconds: seconds(longestMs),
})

/** A length of time as Track Studio's web application shows it: `1h2m3s`. */
function lasted(ms: number | null): string {
  if (ms === null || Number.isNaN(ms)) return "N/A"
  const seconds = Math.round(ms / 1000)
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return `${h > 0 ? `${h}h` : ""}${h > 0 || m > 0 ? `${m}m` : ""}${s}s`
}

const took = ({ started_at, completed_at }: QueueItem): number =>
  Date.parse(completed_at ?? "") - Date.parse(started_at ?? "")

const endOf = ({ completed_at, updated_at }: QueueItem): string => completed_at ?? updated_at

function videoOf(item: QueueItem): Dashboard["recent_videos"][number] {
  const { id, song_id, title, metadata } = item
  const artist = metadata["artist"]
  return {
    ...{ id, song_id, title, artist: typeof artist === "string" ? artist : "" },
    processing_time: lasted(took(item)),
    completed_at: endOf(item),
  }
}

function dashboardOf({ songs, standing, today, thisYear, completed, failed }: Overview): Dashboard {
  const errors = thisYear.failed + thisYear.lost
  const ended = thisYear.completed + errors
  return {
    total_songs: songs,
    total_videos: standing.completed,
    queued_items: standing.queued + standing.retrying,
    processing_items: standing.processing,
    completed_today: today.completed,
    errors_today: today.failed + today.lost,
    ytd_min_processing_time: lasted(thisYear.shortestMs),
    ytd_max_processing_time: lasted(thisYear.longestMs),
    ytd_avg_processing_time: lasted(thisYear.meanMs),
    ytd_total_videos: thisYear.completed,
    ytd_total_errors: errors,
    ytd_success_rate: ended === 0 ? 0 : Math.round((1000 * thisYear.completed) / ended) / 10,
    recent_videos: completed.map(videoOf),
    recent_errors: failed.map((item) => ({
      ...{ id: item.id, song_id: item.song_id, title: item.title },
      error_message: item.error_message,
      failed_at: endOf(item),
    })),
    genre_distribution: [],
  }
}

/** Counting so many finished items costs one unit, in addition to the unit for the request. */
const UNIT_ITEMS = 10_000

const finishedIn = ({ completed, failed, cancelled, lost }: Period): number =>
  completed + failed + cancelled + lost

/** The figures of the queue: for the page and `stats`, and a summary for Track Studio's web application. */
export function figureRoutes(app: AppWithCaller, totals: QueueTotals, { limits }: Pick<Callers, "limits">) {
  const charge = (caller: Caller, periods: readonly Period[]): void => {
    const items = periods.reduce((sum, period) => sum + finishedIn(period), 0)
    limits.chargeUnits(caller, Math.floor(items / UNIT_ITEMS))
  }
  return app
    .get(
      `${API}/queue/counts`,
      async ({ query: { tz = "UTC" }, caller }): Promise<Counts> => {
        const { standing, pausedAt, lastHour, today, thisWeek } = await totals.counts(tz)
        charge(caller, [lastHour, today, thisWeek])
        const { queued, processing, retrying, completed, failed, cancelled, lost } = standing
        return {
          status: { queued, processing, completed, failed: failed + cancelled + lost, retrying },
          outcome: { completed, failed, cancelled, lost },
          paused_at: pausedAt,
          last_hour: shownPeriod(lastHour),
          today: shownPeriod(today),
          this_week: shownPeriod(thisWeek),
        }
      },
      {
        query: ZoneParams,
        ...words({
          id: "countItems",
          tag: "Queue",
          summary: "Count the items",
          about: "The figures of the whole queue, not of a page only. A week begins on Monday.",
          successes: [json("the current figures", Counts)],
        }),
      },
    )
    .get(
      `${API}/dashboard`,
      async ({ query: { tz = "UTC" }, caller }): Promise<Dashboard> => {
        const overview = await totals.overview(tz)
        charge(caller, [overview.today, overview.thisYear])
        return dashboardOf(overview)
      },
      {
        query: ZoneParams,
        ...words({
          id: "dashboard",
          tag: "Queue",
          summary: "The queue at a glance",
          about:
            "The keys are those that Track Studio's web application reads. A year begins on the first of January.",
          successes: [json("the current figures", Dashboard)],
        }),
      },
    )
}
