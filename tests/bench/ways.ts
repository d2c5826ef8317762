import { type Bench, inTurn } from "./bench.ts"
import { type ReaderOptions, write } from "./load.ts"
import { get, ours, oursUsual, paths, startOurs } from "./ours.ts"
import type { Target } from "./processes.ts"
import { median, type Row } from "./table.ts"

const storedUpdates = 50

/** How a stream is opened, beside the usual way: the path, and where it resumes. */
export type Way = Pick<ReaderOptions, "path" | "lastEventId">

const usual: Way = { path: paths.stream }

/** The other ways to open a stream, named as in the table. */
const others: Readonly<Record<string, Way>> = {
  "snapshot=false": { path: `${paths.stream}?snapshot=false` },
  "resumed with nothing to replay": { path: paths.stream, lastEventId: storedUpdates },
  [`resumed with ${storedUpdates} updates to replay`]: { path: paths.stream, lastEventId: 0 },
  "filtered by song": { path: `${paths.stream}?song_id=1` },
  "filtered by items": { path: `${paths.stream}?ids=1,2,3` },
  "one item": { path: `${paths.stream}/1` },
}

async function startWithUpdates(): Promise<Target> {
  const target = await startOurs({ items: 1 })
  const { updates } = (await get(target, paths.stats)) as { updates: { newest_id: number } }
  const requests = storedUpdates - updates.newest_id
  const { ok } = await write(target, { connections: 1, requests })
  if (ok !== requests) throw new Error(`only ${ok} of ${requests} updates were stored`)
  return target
}

/** Measures one figure for every way to open a stream, and gives a row for each beside the usual one. */
export async function waysBesideUsual<Result>(
  bench: Bench,
  about: { scenario: string; measure: string; unit: string; runs: number },
  measure: (target: Target, way: Way) => Promise<Result>,
  { figure, tell, faults }: Readers<Result>,
): Promise<Row[]> {
  if (!bench.ours || bench.plan.barsOnly) return []
  const { scenario, unit, runs } = about
  const all: Readonly<Record<string, Way>> = { [oursUsual]: usual, ...prefixed }
  const candidates = Object.keys(all).map((name) => ({ name, start: startWithUpdates }))
  const one = (target: Target, name: string): Promise<Result> => measure(target, all[name] ?? usual)
  const results = await inTurn(`${scenario} ways`, candidates, runs, one, tell)
  return Object.keys(others).map((name): Row => {
    const of = results.get(`${ours}: ${name}`) ?? []
    return {
      scenario,
      measure: `${about.measure}: ${name}`,
      unit,
      figures: {
        [ours]: median(of.map(figure)),
        [oursUsual]: median((results.get(oursUsual) ?? []).map(figure)),
      },
      bar: { kind: "at most", limit: 1.25, times: oursUsual },
      faults: [...new Set(of.flatMap(faults))],
    }
  })
}

const prefixed = Object.fromEntries(Object.entries(others).map(([name, way]) => [`${ours}: ${name}`, way]))

/** How results of one measure are read. */
interface Readers<Result> {
  figure(result: Result): number
  tell(result: Result): string
  faults(result: Result): string[]
}
