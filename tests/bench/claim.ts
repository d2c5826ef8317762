import { inTurn, row, type Scenario } from "./bench.ts"
import { ours, oursSmall, paths, startOurs } from "./ours.ts"
import type { Contender, Target } from "./processes.ts"
import { median } from "./table.ts"

const manyItems = 10_000
const fewItems = 100
const warmup = 100
const claims = 500

interface Claimed {
  medianMs: number
  faults: string[]
}

async function post(target: Target, path: string, body: object): Promise<Response> {
  const answer = await fetch(`http://127.0.0.1:${target.port}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  })
  if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`)
  return answer
}

/**
 * Claims one item after another. For each claimed item another one is added, so that the number of waiting
 * items stays the same.
 */
async function claimed(target: Target): Promise<Claimed> {
  const tookMs: number[] = []
  const taken = new Set<number>()
  for (let number = 0; number < warmup + claims; number++) {
    const startMs = performance.now()
    const answer = await post(target, paths.claim, { worker: "bench", lease: 3600 })
    const { item } = (await answer.json()) as { item: { id: number } }
    if (number >= warmup) tookMs.push(performance.now() - startMs)
    taken.add(item.id)
    await (await post(target, paths.queue, { song_id: 1 })).arrayBuffer()
  }
  const twice = warmup + claims - taken.size
  return { medianMs: median(tookMs), faults: twice > 0 ? [`${twice} items were given out twice`] : [] }
}

/** Claims where many items wait, against few. */
export const claim: Scenario = {
  letter: "K",
  name: "claim",
  title: "claims where many items wait, against few",
  async measure({ plan, ours: contender }) {
    if (!contender) return []
    const counts: Record<string, number> = { [ours]: manyItems, [oursSmall]: fewItems }
    const candidates = Object.entries(counts).map(([name, items]): Contender => ({
      name,
      start: () => startOurs({ items }),
    }))
    const tell = ({ medianMs, faults }: Claimed): string =>
      [`${medianMs.toFixed(3)} ms`, ...faults].join(", ")
    const results = await inTurn("K", candidates, plan.runs, claimed, tell)
    const bar = { kind: "at most", limit: 2, times: oursSmall } as const
    const about = {
      scenario: "K",
      measure: `claim of ${manyItems} items against ${fewItems}`,
      unit: "ms",
      bar,
    }
    const faults = [...new Set([...results.values()].flat().flatMap((run) => run.faults))]
    return [row(results, ({ medianMs }) => medianMs, about, faults)]
  },
}
