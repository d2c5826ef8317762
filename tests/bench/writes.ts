import { type Bench, contenders, inTurn, row, type Scenario } from "./bench.ts"
import { type Published, write } from "./load.ts"
import type { Row } from "./table.ts"

interface Written extends Published {
  faults: string[]
}

async function durably(bench: Bench, connections: number): Promise<Map<string, Written[]>> {
  const { runs, writeSeconds: seconds } = bench.plan
  return inTurn(
    `F ${connections}`,
    contenders(bench, "bullmq"),
    runs,
    async (target) => {
      const published = await write(target, { connections, seconds })
      const failed = published.sent - published.ok
      return { ...published, faults: failed > 0 ? [`${failed} writes failed`] : [] }
    },
    ({ per_s, rt_us, faults }) =>
      [`${per_s} writes/s`, `p50 ${rt_us.p50} us`, `p99 ${rt_us.p99} us`, ...faults].join(", "),
  )
}

function rows(results: Map<string, Written[]>, connections: number, bar: Row["bar"]): Row[] {
  const about = `durable PUT, ${connections} connection${connections > 1 ? "s" : ""}`
  const faults = (results.get("ours") ?? []).flatMap((run) => run.faults)
  const each = { scenario: "F", measure: about, unit: "1/s", ...(bar ? { bar } : {}) }
  return [
    row(results, ({ per_s }) => per_s, each, faults),
    row(results, ({ rt_us }) => rt_us.p99 / 1000, { scenario: "F", measure: `${about}: p99`, unit: "ms" }),
  ]
}

/** Writes that are answered once they are on the disk. */
export const writes: Scenario = {
  letter: "F",
  name: "writes",
  title: "durable writes",
  async measure(bench) {
    const many = rows(await durably(bench, 16), 16, { kind: "at least", limit: 1.7, times: "BullMQ" })
    return bench.plan.barsOnly ? many : [...many, ...rows(await durably(bench, 1), 1, undefined)]
  },
}
