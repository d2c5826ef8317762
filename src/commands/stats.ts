import { type Client, ServerError } from "../client/client.ts"
import type { Zone } from "../terminal/times-of-day.ts"
import { duration, printable, safeJson, thousands, tookWords } from "../text.ts"
import type { Counts, FinishedSince } from "../wire/answers.ts"
import type { Stats, StreamSeen } from "../wire/health-and-stats.ts"
import { aligned } from "./aligned.ts"
import { clientOf, type Command, say, UTC_FLAG, zoneFlag } from "./command.ts"
import { columnsOf } from "./list-table.ts"
import { hanging, refuseMoreWords } from "./usage.ts"

/** What finished in a period: `12 completed in 0:40 to 12:03, mean 4:10; 1 failed`. */
function finishedOf(finished: FinishedSince): string {
  const { completed, failed, cancelled, lost } = finished
  const { shortest_seconds, longest_seconds, mean_seconds } = finished
  const others = [
    ...(failed > 0 ? [`${thousands(failed)} failed`] : []),
    ...(cancelled > 0 ? [`${thousands(cancelled)} cancelled`] : []),
    ...(lost > 0 ? [`${thousands(lost)} lost`] : []),
  ].join(", ")
  const took = (): string => {
    if (shortest_seconds === null || longest_seconds === null || mean_seconds === null) return ""
    const [from, to, mean] = [shortest_seconds, longest_seconds, mean_seconds].map(tookWords)
    return from === to ? ` in ${mean}` : ` in ${from} to ${to}, mean ${mean}`
  }
  return `${thousands(completed)} completed${took()}${others === "" ? "" : `; ${others}`}`
}

/** The figures by name, in the order in which they are shown. */
function figuresOf(
  counts: Counts,
  { streams, updates, uptime_seconds, degraded = [] }: Stats,
  pausedAt: string,
) {
  const { status, outcome } = counts
  return [
    ...degraded.map(({ title, about }) => ["degraded", `${title}: ${about}`] as const),
    ["queue", pausedAt === "" ? "" : `paused since ${pausedAt}`],
    ["running", thousands(status.processing)],
    ["waiting", thousands(status.queued + status.retrying)],
    [
      "finished",
      `${thousands(outcome.completed)} completed, ${thousands(outcome.failed)} failed, ${thousands(outcome.cancelled)} cancelled, ${thousands(outcome.lost)} lost`,
    ],
    ["last hour", finishedOf(counts.last_hour)],
    ["today", finishedOf(counts.today)],
    ["this week", finishedOf(counts.this_week)],
    ["streams", `${thousands(streams.global)} of all items, ${thousands(streams.item)} of one item`],
    ["updates", `${thousands(updates.stored)} kept, newest ${updates.newest_id ?? "none"}`],
    ["uptime", duration(uptime_seconds)],
  ] as const
}

const STREAM_COLUMNS = ["SINCE", "SHOWS", "FORMAT", "LAST EVENT ID", "LAG", "CLIENT"] as const

/** The open streams as a table, a line each below the names of the columns. */
function streamTable(streams: readonly StreamSeen[], zone: Zone, nowMs: number): string {
  const rows = streams.map(({ since, kind, queue_id, format, last_event_id, lag, client }) => [
    zone.when(Date.parse(since), nowMs),
    queue_id !== null ? `#${queue_id}` : kind === "item" ? "some items" : "all items",
    format,
    String(last_event_id),
    String(lag),
    printable(client),
  ])
  return aligned([STREAM_COLUMNS, ...rows], [3, 4]).join("\n")
}

/** The role of our token: `viewer until 3 Dec 14:32`; empty if the server is too old to tell. */
async function roleFrom(client: Client, zone: Zone): Promise<string> {
  try {
    const { role, expires_at } = await client.me()
    return expires_at === null ? role : `${role} until ${zone.when(Date.parse(expires_at), Date.now())}`
  } catch (error) {
    if (error instanceof ServerError && error.status === 404) return ""
    throw error
  }
}

/** Shows statistics of the queue and the server. */
export const statsCommand: Command = {
  usage: {
    line: "stats",
    about: `Shows statistics of the queue and the server. Days begin at midnight, weeks on Monday.
With --streams it lists the open streams, those that lag most first.`,
    settings: ["server", "token-file"],
    flags: {
      streams: {
        type: "boolean",
        help: "list the open streams, at most 1,000; needs the role admin, or viewer on the server's own machine",
      },
      json: { type: "boolean", help: "print the statistics as JSON, and streams one per line" },
      ...UTC_FLAG,
    },
  },
  async run(given) {
    refuseMoreWords(given, 0)
    const client = clientOf(given)
    if (given.flags["streams"]) {
      const streams = await client.openStreams()
      if (given.flags["json"]) for (const stream of streams) say(safeJson(stream))
      else if (streams.length === 0) say("No stream is open.")
      else say(streamTable(streams, zoneFlag(given), Date.now()))
      return 0
    }
    const timeZone = given.flags["utc"] ? "UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone
    const [counts, stats] = [await client.counts(timeZone), await client.stats()]
    if (given.flags["json"]) {
      say(safeJson({ ...counts, ...stats }))
      return 0
    }
    const { paused_at } = counts
    const pausedAt = paused_at === null ? "" : zoneFlag(given).when(Date.parse(paused_at), Date.now())
    const role = ["your role", await roleFrom(client, zoneFlag(given))] as const
    for (const [name, figure] of [...figuresOf(counts, stats, pausedAt), role]) {
      if (figure !== "") say(hanging(`${name.padEnd(10)} `, figure, columnsOf(process.stdout)))
    }
    return 0
  },
}
