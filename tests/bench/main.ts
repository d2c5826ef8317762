import { parseArgs } from "node:util"

import { type Bench, fullPlan, type Plan, quickPlan, type Scenario } from "./bench.ts"
import { claim } from "./claim.ts"
import { disk } from "./disk.ts"
import { fanOutFew, fanOutMany, latency } from "./fanout.ts"
import { fleet } from "./fleet.ts"
import { greedy } from "./greedy.ts"
import { guard } from "./guard.ts"
import { history } from "./history.ts"
import { items } from "./items.ts"
import { learned } from "./learned.ts"
import { hasTwoCpus, moveTo } from "./machine.ts"
import { allowRepeats, foreignCpu } from "./noise.ts"
import { build, oursContender } from "./ours.ts"
import { installPeers } from "./peers.ts"
import { writeDocument } from "./report.ts"
import { rest } from "./rest.ts"
import { retention } from "./retention.ts"
import { start } from "./start.ts"
import { connect, memory, stalled } from "./streams.ts"
import { passes, plainTable, type Row } from "./table.ts"
import { tokens } from "./tokens.ts"
import { watching } from "./watching.ts"
import { writes } from "./writes.ts"
import { year } from "./year.ts"

const scenarios: Scenario[] = [
  fanOutFew,
  fanOutMany,
  latency,
  memory,
  connect,
  stalled,
  writes,
  start,
  history,
  items,
  claim,
  disk,
  learned,
  watching,
  rest,
  tokens,
  greedy,
  fleet,
  retention,
  year,
]

const limitMs = 28 * 60_000

const usage = `usage: bun run bench [scenario ...] [--quick] [--runs n] [--peers-only] [--guard]

${scenarios.map(({ letter, name, title }) => `  ${letter.padEnd(3)} ${name.padEnd(9)} ${title}`).join("\n")}

  --quick       once and short; shows that it works, not how fast
  --runs n      as often, instead of 3 (B, D, G and M: 5)
  --peers-only  without ours
  --guard       under a minute; fails only where a ratio is worse than half its bar`

function chosen(names: string[]): Scenario[] {
  const wanted = new Set(names.map((name) => name.toLowerCase()))
  const found = scenarios.filter(
    ({ letter, name }) => wanted.delete(letter.toLowerCase()) || wanted.has(name),
  )
  for (const { name } of found) wanted.delete(name)
  if (wanted.size === 0) return names.length > 0 ? found : scenarios
  console.error(`no scenario ${[...wanted].join(", ")}\n\n${usage}`)
  process.exit(2)
}

function planOf(values: { quick?: boolean | undefined; runs?: string | undefined }): Plan {
  const plan = values.quick ? quickPlan : fullPlan
  const runs = Number(values.runs)
  return runs > 0 ? { ...plan, runs, manyRuns: runs } : plan
}

async function measureAll(bench: Bench, wanted: Scenario[]): Promise<Row[]> {
  const rows: Row[] = []
  for (const { letter, title, measure } of wanted) {
    console.error(`${letter} ${title}`)
    if (performance.now() > limitMs) {
      rows.push({ scenario: letter, measure: title, unit: "", figures: {}, faults: ["no time left"] })
      continue
    }
    try {
      rows.push(...(await measure(bench)))
    } catch (error) {
      rows.push({ scenario: letter, measure: title, unit: "", figures: {}, faults: [String(error)] })
    }
  }
  return rows
}

function prepared(peersOnly: boolean): Pick<Bench, "ours" | "peers"> {
  moveTo("client")
  if (!hasTwoCpus) console.error("only one CPU: servers and load share it")
  const peers = installPeers()
  if (peers.missing.length > 0) console.error(`missing: ${peers.missing.join(", ")}`)
  const complaint = peersOnly ? undefined : build()
  if (complaint !== undefined) console.error(`ours can't be built: ${complaint}`)
  return { peers, ours: peersOnly || complaint !== undefined ? undefined : oursContender }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    guard: { type: "boolean" },
    help: { type: "boolean", short: "h" },
    "peers-only": { type: "boolean" },
    quick: { type: "boolean" },
    runs: { type: "string" },
  },
})

if (values.help) {
  console.log(usage)
  process.exit(0)
}
const wanted = chosen(positionals)
const startMs = performance.now()
const ready = prepared(values["peers-only"] ?? false)
if (values.guard) process.exit(await guard(ready, [fanOutMany, latency, memory, writes]))

if (!values.quick) allowRepeats(240_000)
const plan = planOf(values)
const rows = await measureAll({ ...ready, plan }, wanted)
const tookMinutes = (performance.now() - startMs) / 60_000
console.log(`\n${plainTable(rows)}\n\n${tookMinutes.toFixed(1)} minutes; other processes: ${foreignCpu()}`)
const isFull = wanted.length === scenarios.length && !values.quick && ready.ours
if (isFull) console.log(`written: ${writeDocument(rows, scenarios, ready.peers, plan, tookMinutes)}`)
process.exit(rows.some((row) => passes(row) === false) ? 1 : 0)
