import { type KeptRun, MAX_RUNS, type Run } from "../item/estimate/earlier-run.ts"

/** If this many runs look alike, or each looks different, the next item is expected to look like them, or different. */
const SURE_RUNS = 3

/** How a store reads its runs. */
export interface RunReads {
  /** The newest runs, the newest first; of all kinds if none is named. */
  readonly newest: (limit: number, kind?: string) => Promise<readonly Pick<KeptRun, "kind" | "look">[]>
  /** The runs of a kind that have this look, the oldest first. */
  readonly of: (kind: string, look: string) => Promise<readonly Run[]>
}

/** These runs of a kind, the oldest first; without those that were forgotten meanwhile. */
async function theseRuns(
  kind: string,
  newest: readonly Pick<KeptRun, "look">[],
  of: RunReads["of"],
): Promise<readonly Run[]> {
  const byLook = new Map<string, Run[]>()
  for (const { look } of newest) if (!byLook.has(look)) byLook.set(look, [...(await of(kind, look))])
  return newest.flatMap(({ look }) => byLook.get(look)?.pop() ?? []).toReversed()
}

/** The runs that the next item is expected to resemble; see `alike` in the contract. */
export async function alikeRuns(
  { newest, of }: RunReads,
  kind: string,
  look: string,
): Promise<readonly Run[]> {
  if (kind === "") {
    const all = await newest(MAX_RUNS)
    const [first] = all
    const isSure = all.length >= SURE_RUNS && all.every((run) => run.look === first?.look)
    return first && isSure && first.kind === first.look ? of(first.kind, first.look) : []
  }
  const found = look === "" ? [] : await of(kind, look)
  if (found.length > 0) return found
  const all = await newest(MAX_RUNS, kind)
  const latest = all.slice(0, SURE_RUNS)
  const looks = new Set(latest.flatMap((run) => run.look || []))
  // Where each run looks different, because each begins with the title of its song, the newest look is no better.
  const told = all.filter((run) => run.look !== "")
  if (looks.size === SURE_RUNS) return theseRuns(kind, told, of)
  // A run without any report, as of a song that was there already, does not stand for all.
  const like = latest.find((run) => run.look !== "") ?? latest[0]
  return like ? of(kind, like.look) : []
}
