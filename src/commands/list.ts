import type { ReadItem } from "../client/client.ts"
import { textFlag } from "../config/config.ts"
import { AppError } from "../errors.ts"
import { STATUSES } from "../item/item.ts"
import { hasFailed } from "../item/state-in-one-word.ts"
import { safeJson } from "../text.ts"
import { clientOf, type Command, eitherOf, idFlag, integerFlag, say, UTC_FLAG, zoneFlag } from "./command.ts"
import { lookOf, table } from "./list-table.ts"
import { takes } from "./usage.ts"
import { type Unserved, unservedBy, waits, workersFor } from "./waiting-without-worker.ts"

const DEFAULT_LIMIT = 100
/** As many as the server gives at once. */
const PAGE = 1000

/** What `--status` accepts that the server cannot distinguish: all of these have the status failed. */
const ENDS: Readonly<Record<string, (item: ReadItem) => boolean>> = {
  failed: hasFailed,
  cancelled: ({ outcome }) => outcome === "cancelled",
  lost: ({ outcome }) => outcome === "lost",
}
const CHOICES: readonly string[] = [...new Set([...STATUSES, ...Object.keys(ENDS)])]

/** What is to be listed. */
interface ListFlags {
  readonly status: string | undefined
  readonly song: number | undefined
  readonly search: string | undefined
  readonly limit: number
}

/** @throws AppError `invalid` */
function wanted(given: Parameters<Command["run"]>[0]): ListFlags {
  takes(given, 0)
  const status = textFlag(given.flags, "status")
  if (status !== undefined && !CHOICES.includes(status)) {
    throw new AppError("invalid", `--status must be one of ${CHOICES.join(", ")}, not "${status}"`)
  }
  const limit = integerFlag(given, "limit") ?? DEFAULT_LIMIT
  if (limit < 1) throw new AppError("invalid", `--limit must be a positive whole number, not ${limit}`)
  return { status, song: idFlag(given, "song"), search: textFlag(given.flags, "search"), limit }
}

/** The first items that are wanted, and whether others follow. */
async function listed(
  client: ReturnType<typeof clientOf>,
  { status, song, search, limit }: ListFlags,
): Promise<{ readonly items: readonly ReadItem[]; readonly more: boolean }> {
  const fits = status !== undefined && Object.hasOwn(ENDS, status) ? ENDS[status] : undefined
  const asked = fits ? "failed" : status
  const items: ReadItem[] = []
  let next: string | null = null
  do {
    const page = await client.list({
      limit: String(fits ? PAGE : Math.min(limit - items.length, PAGE)),
      ...(next !== null && { after: next }),
      ...(asked !== undefined && { status: asked }),
      ...(song !== undefined && { song_id: String(song) }),
      ...(search !== undefined && { q: search }),
    })
    items.push(...(fits ? page.queue.filter(fits) : page.queue))
    next = page.next
  } while (next !== null && items.length < limit)
  return { items: items.slice(0, limit), more: next !== null || items.length > limit }
}

/**
 * The items in the order in which workers take them. Items that no worker takes yet come last: first the
 * delayed ones, then those whose tags no worker offers.
 */
function inTurn(items: readonly ReadItem[], unserved: Unserved): readonly ReadItem[] {
  const nowMs = Date.now()
  const rank = (item: ReadItem): number => {
    if (!waits(item)) return item.completed_at === null ? 0 : 4
    if (unserved(item).length > 0) return 3
    return Date.parse(item.available_at ?? "") > nowMs ? 2 : 1
  }
  return items.toSorted((one, other) => rank(one) - rank(other))
}

/** Since when the queue is paused; null if it is not, or if we may not know. */
async function pausedAt(client: ReturnType<typeof clientOf>): Promise<string | null> {
  try {
    return (await client.counts()).paused_at
  } catch {
    return null
  }
}

/** Lists queue items. */
export const listCommand: Command = {
  usage: {
    line: "list",
    about: `Lists the queue: what is rendering, then what waits in the order in which workers take it, then what no
worker takes yet, then what is finished.`,
    settings: ["server", "token-file"],
    flags: {
      status: {
        type: "string",
        placeholder: "STATUS",
        choices: CHOICES,
        help: `only items that are ${eitherOf(CHOICES)}`,
      },
      song: { type: "string", placeholder: "SONG_ID", help: "only this song's items" },
      search: { type: "string", placeholder: "WORDS", help: "only items in which all of these words occur" },
      limit: { type: "string", placeholder: "N", help: `at most this many; default ${DEFAULT_LIMIT}` },
      json: { type: "boolean", help: "print one item per line as JSON" },
      ...UTC_FLAG,
    },
  },
  async run(given) {
    const asked = wanted(given)
    const client = clientOf(given)
    const { items, more } = await listed(client, asked)
    if (given.flags["json"]) {
      for (const item of items) say(safeJson(item))
      return 0
    }
    const isAll = asked.status === undefined && asked.song === undefined && asked.search === undefined
    const workers = await workersFor(client, items)
    if (items.length === 0)
      say(isAll ? 'The queue is empty; add a song with "track-studio add 7".' : "No such items.")
    else {
      const unserved = unservedBy(workers)
      say(table(inTurn(items, unserved), lookOf(process.stdout, zoneFlag(given), unserved)))
      if (more) say(`... and more; see --limit`)
    }
    const since = await pausedAt(client)
    if (since !== null) {
      const when = zoneFlag(given).when(Date.parse(since), Date.now())
      say(`The queue has been paused since ${when}; "track-studio resume" lets workers go on.`)
    } else if (process.stdout.isTTY && workers?.every(({ state }) => state === "away")) {
      say('No worker takes what waits; start one with "track-studio work --exec ./render.sh".')
    }
    return 0
  },
}
