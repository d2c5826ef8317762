import { readFileSync } from "node:fs"

const noisyPct = 30
const seenPct: number[] = []
let repeatBudgetMs = 0

/** Lets disturbed runs be repeated, as long as that does not take longer in total. */
export function allowRepeats(budgetMs: number): void {
  repeatBudgetMs = budgetMs
}

// Ticks of a hundredth of a second: all that processes used, and what a virtual machine's host took away.
function busyTicks(): number {
  const fields = readFileSync("/proc/stat", "utf8").split("\n", 1)[0]?.trim().split(/\s+/).map(Number) ?? []
  const [, user = 0, nice = 0, system = 0, , , , , steal = 0] = fields
  return user + nice + system + steal
}

// The bench's own and those of all processes it started that have ended.
function ownTicks(): number {
  const text = readFileSync("/proc/self/stat", "utf8")
  const fields = text
    .slice(text.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number)
  return fields.slice(11, 15).reduce((sum, ticks) => sum + ticks, 0)
}

/**
 * The CPU time of other processes during `work`, in percent of a CPU. `work` must end all processes that it
 * starts.
 */
async function watched<Result>(work: () => Promise<Result>): Promise<{ result: Result; foreignPct: number }> {
  const [startMs, busy, own] = [performance.now(), busyTicks(), ownTicks()]
  const result = await work()
  const foreign = busyTicks() - busy - (ownTicks() - own)
  return { result, foreignPct: Math.max(0, foreign * 1000) / (performance.now() - startMs) }
}

/** Does `work`, and does it again if other processes disturbed it. Returns the quieter result. */
export async function inQuiet<Result>(
  work: () => Promise<Result>,
): Promise<{ result: Result; foreignPct: number }> {
  const startMs = performance.now()
  let best = await watched(work)
  const tookMs = performance.now() - startMs
  if (best.foreignPct > noisyPct && repeatBudgetMs > tookMs) {
    repeatBudgetMs -= tookMs
    console.error(`  others used ${best.foreignPct.toFixed(0)} % of a CPU: once more`)
    const again = await watched(work)
    if (again.foreignPct < best.foreignPct) best = again
  }
  seenPct.push(best.foreignPct)
  return best
}

/** What other processes used of a CPU beside the runs that count: in the middle one, and at most. */
export function foreignCpu(): string {
  const sorted = seenPct.toSorted((a, b) => a - b)
  const percent = (value = 0): string => `${value.toFixed(0)} %`
  return `${percent(sorted[sorted.length >> 1])} of a CPU in the median run, ${percent(sorted.at(-1))} at most`
}
