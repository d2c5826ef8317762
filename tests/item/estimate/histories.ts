import { readFileSync } from "node:fs"

import type { TracedReport } from "../../../src/item/estimate/traced-report.ts"
import type { ProgressUpdate } from "../../../src/item/item.ts"

/** What a worker reported, `at` seconds after its attempt started. */
export interface Told extends TracedReport {
  readonly at: number
}

/** A completed attempt of the histories. */
export interface Attempt {
  readonly item: number
  readonly kind: string
  readonly worker: string
  readonly seconds: number
  readonly reports: readonly Told[]
  /** How much there was to do, by unit. */
  readonly totals: Readonly<Record<string, number>>
}

interface HistoryItem {
  readonly id: number
  readonly kind: string
  readonly metadata: Readonly<Record<string, unknown>>
}

const FOLDER = new URL("../../captures/histories/", import.meta.url)
const lines = <T>(name: string): T[] =>
  readFileSync(new URL(name, FOLDER), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line): T => JSON.parse(line))

/** Seconds of CPU time that an item's processes had used by a time, in epoch milliseconds. */
type Clock = (ms: number) => number

/** The clocks of all items. Commands that ran one after the other for one item each counted from 0. */
function clocks(): Map<number, Clock> {
  const samples = new Map<number, [ms: number, used: number][]>()
  for (const one of lines<{ item: number; samples: [number, number][] }>("clock.jsonl")) {
    const known = samples.get(one.item) ?? []
    const before = known.at(-1)?.[1] ?? 0
    samples.set(one.item, [
      ...known,
      ...one.samples.map(([ms, used]): [number, number] => [ms, before + used]),
    ])
  }
  return new Map(
    [...samples].map(([item, all]) => [
      item,
      (ms) => {
        const i = all.findIndex(([at]) => at >= ms)
        const [to, used] = all.at(i) ?? [0, 0]
        const [from, usedBefore] = all[i - 1] ?? [to - 1, used]
        return i < 0 ? used : usedBefore + ((used - usedBefore) * (ms - from)) / (to - from)
      },
    ]),
  )
}

/** The part of an update that is new: an update repeats what was reported earlier. */
function tracedReportOf(update: ProgressUpdate, before: ProgressUpdate | undefined): TracedReport {
  const isNew = (key: "unit" | "media"): boolean =>
    JSON.stringify(update[key]) !== JSON.stringify(before?.[key])
  return {
    progress: update.progress,
    ...(update.current_step !== "" && { current_step: update.current_step }),
    ...(update.step && { step: update.step }),
    ...(update.unit && isNew("unit") && { unit: update.unit }),
    ...(update.media && isNew("media") && { media: update.media }),
  }
}

/** The attempt that completed an item, with the times of its own clock. */
function attemptOf(
  { id, kind, metadata }: HistoryItem,
  updates: readonly ProgressUpdate[],
  clock: Clock,
): Attempt | undefined {
  const end = updates.findLast(({ status }) => status === "completed")
  if (!end) return undefined
  const own = updates.filter(({ status, attempt }) => status === "processing" && attempt === end.attempt)
  const start = clock(Date.parse(own[0]?.timestamp ?? ""))
  const atOf = (update: ProgressUpdate): number => Math.max(0, clock(Date.parse(update.timestamp)) - start)
  const totals = Object.entries(metadata).filter(
    (entry): entry is [string, number] => typeof entry[1] === "number",
  )
  return {
    item: id,
    kind,
    worker: end.worker ?? "",
    seconds: atOf(end),
    reports: own.map((update, i) => ({ at: atOf(update), ...tracedReportOf(update, own[i - 1]) })),
    totals: Object.fromEntries(totals),
  }
}

/**
 * The completed attempts of real renders, by kind, in the order in which they ended. Times are CPU times, as
 * an idle machine would have shown them; the machine was busy.
 */
export function histories(): Map<string, Attempt[]> {
  const used = clocks()
  const items = lines<HistoryItem>("items.jsonl")
  const kinds = [...new Set(items.map(({ kind }) => kind))].filter((kind) => kind !== "visual")
  return new Map(
    kinds.map((kind) => {
      const updates = Map.groupBy(lines<ProgressUpdate>(`${kind}.jsonl`), ({ queue_id }) => queue_id)
      const ended = (item: HistoryItem): string => updates.get(item.id)?.at(-1)?.timestamp ?? ""
      const own = items
        .filter((item) => item.kind === kind)
        .toSorted((a, b) => ended(a).localeCompare(ended(b)))
      return [
        kind,
        own.flatMap((item) => {
          const clock = used.get(item.id)
          return clock ? (attemptOf(item, updates.get(item.id) ?? [], clock) ?? []) : []
        }),
      ]
    }),
  )
}
