import type { Client, ReadItem } from "../client/client.ts"
import { AppError } from "../errors.ts"
import { STATUSES } from "../item/item.ts"
import { isWaiting } from "../item/moves.ts"
import { LONGEST_SEARCH } from "../item/search.ts"
import { hasFailed } from "../item/state-in-one-word.ts"
import { textFlag } from "../settings/read-settings.ts"
import { eitherOf, safeJson } from "../text.ts"
import { clientOf, type Command, idFlag, integerFlag, say, UTC_FLAG, zoneFlag } from "./command.ts"
import { table, tableLayout } from "./list-table.ts"
import { saySentence } from "./sentence.ts"
import { refuseMoreWords } from "./usage.ts"
import { pausedAt, type Unserved, unservedBy, workersFor } from "./why-it-waits.ts"

const DEFAULT_LIMIT = 100
/** The most items that the server gives at once. */
const PAGE = 1000

/** Values of `--status` that the server cannot distinguish: all of these items have the status failed. */
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
  refuseMoreWords(given, 0)
  const status = textFlag(given.flags, "status")
  if (status !== undefined && !CHOICES.includes(status)) {
    throw new AppError("invalid", `--status must be one of ${CHOICES.join(", ")}, not "${status}"`)
  }
  const limit = integerFlag(given, "limit") ?? DEFAULT_LIMIT
  if (limit < 1) throw new AppError("invalid", `--limit must be a positive whole number, not ${limit}`)
  const search = textFlag(given.flags, "search")
  if (search !== undefined && search.length > LONGEST_SEARCH)
    throw new AppError(
      "invalid",
      `--search must be text of at most ${LONGEST_SEARCH} characters, not ${search.length}`,
    )
  return { status, song: idFlag(given, "song"), search, limit }
}

/** Items that were read, and whether others follow. */
interface ListedItems {
  readonly items: readonly ReadItem[]
  readonly more: boolean
}

/** The first items that are wanted in the order of the server, and whether others follow. */
async function listed(client: Client, { status, song, search, limit }: ListFlags): Promise<ListedItems> {
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

/** The rank of an item that the next worker may take. */
const TAKEN_NEXT = 1

/**
 * The rank of an item in the order in which workers take them. Items that no worker takes yet come later:
 * first the delayed items, the earliest first, then those with tags that no worker offers.
 */
function rankOf(item: ReadItem, unserved: Unserved, nowMs: number): number {
  if (!isWaiting(item.status)) return item.completed_at === null ? 0 : 4
  if (unserved(item).length > 0) return 3
  return Date.parse(item.available_at ?? "") > nowMs ? 2 : TAKEN_NEXT
}

/** When a waiting item is due that is delayed; 0 for every other one, which has its place already. */
const dueMs = ({ status, available_at }: ReadItem, nowMs: number): number => {
  const ms = isWaiting(status) && available_at ? Date.parse(available_at) : 0
  return ms > nowMs ? ms : 0
}

/**
 * The first items that are wanted, in the order in which workers take them; whether others follow; and the
 * workers, if this caller may know them.
 */
async function listedInTurn(
  client: Client,
  asked: ListFlags,
): Promise<ListedItems & { readonly workers: Awaited<ReturnType<typeof workersFor>> }> {
  const nowMs = Date.now()
  for (let limit = asked.limit; ; limit = PAGE) {
    const { items, more } = await listed(client, { ...asked, limit })
    const workers = await workersFor(client, items)
    const unserved = unservedBy(workers)
    const rank = new Map(items.map((item) => [item, rankOf(item, unserved, nowMs)]))
    const isPutOff = (item: ReadItem): boolean => isWaiting(item.status) && rank.get(item) !== TAKEN_NEXT
    // After items that no worker takes yet, the next page may have some that come before them in this order.
    const last = items.at(-1)
    if (limit < PAGE && more && last && isWaiting(last.status) && items.some(isPutOff)) continue
    const ordered = items.toSorted(
      (one, other) =>
        (rank.get(one) ?? 0) - (rank.get(other) ?? 0) || dueMs(one, nowMs) - dueMs(other, nowMs),
    )
    return { items: ordered.slice(0, asked.limit), more: more || items.length > asked.limit, workers }
  }
}

/** Lists queue items. */
export const listCommand: Command = {
  usage: {
    line: "list",
    about: `Lists the queue: first the items that are being rendered, then the waiting ones in the order in which
workers take them, then those that may not start yet, then the finished ones. A terminal shows as much of a reason
as it has room for; "track-studio show ID" has all of it.`,
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
    if (given.flags["json"]) {
      for (const item of (await listed(client, asked)).items) say(safeJson(item))
      return 0
    }
    const { items, more, workers } = await listedInTurn(client, asked)
    const isAll = asked.status === undefined && asked.song === undefined && asked.search === undefined
    if (items.length === 0)
      saySentence(isAll ? 'The queue is empty; add a song with "track-studio add 7".' : "No such items.")
    else {
      say(table(items, tableLayout(process.stdout, zoneFlag(given), unservedBy(workers))))
      if (more) say(`... and more; see --limit`)
    }
    const since = await pausedAt(client)
    if (since !== null) {
      const when = zoneFlag(given).when(Date.parse(since), Date.now())
      saySentence(`The queue has been paused since ${when}; "track-studio resume" lets workers go on.`)
    } else if (process.stdout.isTTY && workers?.every(({ state }) => state === "away")) {
      saySentence('No worker takes the waiting items; start one with "track-studio work --exec ./render.sh".')
    }
    return 0
  },
}
