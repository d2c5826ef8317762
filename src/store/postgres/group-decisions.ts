import { unknownItem } from "../../errors.ts"
import type { KeptRun } from "../../item/estimate/earlier-run.ts"
import type { Draft, QueueItem, Status } from "../../item/item.ts"
import { type Clock, momentOf, steadyOf } from "../../item/moment.ts"
import { isWaiting } from "../../item/moves.ts"
import { type Change, IDLE, type Stored } from "../../item/stored.ts"
import { encodeUpdate } from "../../item/update.ts"
import type { Create, Decide, Due, Idempotency, Repeatable } from "../contract/items.ts"
import { keptAnswer } from "../idempotent-add.ts"
import { firstAnswer, ifStillHeld, type KeptClaim, keptClaim, nextAnswer } from "../repeated-claim.ts"

/** A row as it was read. */
export interface KnownRow {
  /** What is stored of the item. */
  readonly stored: Stored
  /** The version of the row. A decision on the row is valid as long as the version is the same. */
  readonly version: number
}

/** A row that a group works on. */
export interface DecidedRow {
  /** The row after the decisions so far. */
  readonly now: Stored
  /** The row as it was read. */
  readonly before: KnownRow
  /** Whether this group has read it; otherwise it was kept in memory. */
  readonly isFresh: boolean
  /** The last decision on it; undefined if nothing must be written. */
  readonly change: Change | undefined
  /** When it may be claimed, in milliseconds of the steady clock; null for at once. */
  readonly availableMs: number | null
}

/** A new item. */
export interface Added {
  /** The item, with its number. */
  readonly item: QueueItem
  /** The key that no other add may have used; undefined for none. */
  readonly key: string | undefined
  /** See `DecidedRow`. */
  readonly availableMs: number | null
}

/** The answer to an `add` or a claim that may be repeated. */
export interface KeptAnswer extends Idempotency {
  /** The item as it was added, or what the claim got, as JSON. */
  readonly answer: string
  /** The claimed item: the claim is valid only if its answer can be kept. Null for an `add`. */
  readonly claimed: number | null
  /** The answer that it replaces; null if there is none. */
  readonly former: string | null
}

/** An update before it has an event ID. */
export interface NewUpdate {
  /** The item. */
  readonly queue_id: number
  /** Its song. */
  readonly song_id: number
  /** Its status. */
  readonly status: Status
  /** The update as it is stored. */
  readonly data: string
}

/** The result of a decision, and what it depends on. */
export interface Decision<T> {
  /** The result of the write, or the reason why it was refused. */
  readonly result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown }
  /** Whether it found nothing, although another read may find something. */
  readonly isOpen: boolean
  /** The IDs of the items that it has read, and which must not have changed. */
  readonly seen: ReadonlySet<number>
  /** The IDs of the new items on which it depends. */
  readonly added: ReadonlySet<number>
}

/** Everything that one group of writes has read and decided. Each decision is based on the ones before it. */
export class GroupDecisions {
  /** The rows by item. */
  readonly rows = new Map<number, DecidedRow>()
  /** The stored answers by key. */
  readonly answers = new Map<string, { readonly digest: string; readonly answer: string }>()
  /** Free numbers for new items. */
  readonly numbers: number[] = []
  /** The items that are to be added. */
  readonly adds: Added[] = []
  /** The keys of added and claimed items, with their answers. */
  readonly keys: KeptAnswer[] = []
  /** The updates that are to be appended to the history. */
  readonly said: NewUpdate[] = []
  /**
   * How often the songs of claimable items were claimed, by item ID; only if a song has one worker at a time.
   */
  readonly songVersions = new Map<number, number>()
  /** Claims that are valid only if no other claim of their song is. */
  readonly soleClaims: { readonly id: number; readonly song_id: number; readonly version: number }[] = []
  /** The items that were claimed. A claim is valid only if the queue is not paused. */
  readonly claims: number[] = []
  /** The runs that are to be remembered, with the time at which they ended. */
  readonly runs: (KeptRun & { readonly ended_at: string })[] = []
  readonly #clock: Clock
  #seen = new Set<number>()
  #added = new Set<number>()
  #undo = new Map<number, DecidedRow>()
  #isOpen = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The rows that are to be written. */
  get changed(): readonly DecidedRow[] {
    return [...this.rows.values()].filter(({ change }) => change !== undefined)
  }

  /** Notes a row that was read. The newest known state of an item counts. */
  read(known: KnownRow, isFresh: boolean): number {
    const { id } = known.stored.item
    const there = this.rows.get(id)
    if (!there || there.before.version <= known.version)
      this.rows.set(id, {
        now: known.stored,
        before: known,
        isFresh,
        change: undefined,
        availableMs: null,
      })
    return id
  }

  /** Makes one decision. If it throws, it leaves nothing behind. */
  attempt<T>(work: () => T): Decision<T> {
    const lists = [this.adds, this.keys, this.said, this.runs, this.claims, this.soleClaims]
    const lengths = lists.map(({ length }) => length)
    this.#isOpen = false
    this.#seen = new Set()
    this.#added = new Set()
    this.#undo = new Map()
    try {
      const value = work()
      return { result: { ok: true, value }, isOpen: this.#isOpen, seen: this.#seen, added: this.#added }
    } catch (error) {
      for (const [id, row] of this.#undo) this.rows.set(id, row)
      for (const [at, list] of lists.entries()) list.length = lengths[at] ?? 0
      return { result: { ok: false, error }, isOpen: false, seen: this.#seen, added: this.#added }
    }
  }

  /** An item as the decisions so far have left it. @throws AppError `not_found` */
  see(id: number): Stored {
    this.#seen.add(id)
    const row = this.rows.get(id)
    if (!row || row.change?.deleted) throw unknownItem(id)
    return row.now
  }

  /**
   * Takes the first of these items that still waits. Undefined if there is none; another read may find one, if another
   * instance has taken one of these.
   */
  takeFirst(ids: readonly number[]): number | undefined {
    const first = ids.find((id) => this.#isWaiting(id))
    if (first === undefined) this.#isOpen = ids.some((id) => this.rows.get(id)?.change === undefined)
    else this.claims.push(first)
    return first
  }

  /** Whether an item that could be claimed when it was read can still be claimed after the decisions so far. */
  #isWaiting(id: number): boolean {
    const row = this.rows.get(id)
    if (!row || row.change?.deleted) return false
    const isLater = row.availableMs !== null && row.availableMs > this.#clock.steadyMs()
    return isWaiting(row.now.item.status) && !isLater
  }

  /**
   * Takes the first waiting item whose song was not leased by an earlier decision. The claim is valid only if
   * no other instance claims an item of that song. Undefined if there is none; another read may find one.
   */
  takeSole(ids: readonly number[]): number | undefined {
    const leased = new Set(
      this.changed
        .filter(({ now: { item, work } }) => item.status === "processing" && work.lease_expires_at !== null)
        .map(({ now }) => now.item.song_id),
    )
    const songOf = (id: number): number => this.rows.get(id)?.now.item.song_id ?? 0
    const first = ids.find((id) => this.#isWaiting(id) && !leased.has(songOf(id)))
    if (first === undefined) this.#isOpen = ids.length > 0
    else {
      this.claims.push(first)
      this.soleClaims.push({ id: first, song_id: songOf(first), version: this.songVersions.get(first) ?? 0 })
    }
    return first
  }

  /** Decides on an item. @throws AppError `not_found`, and whatever `decide` throws */
  decide(id: number, decide: Decide): Change {
    const before = this.see(id)
    const row = this.rows.get(id)
    if (!row) throw unknownItem(id)
    const moment = momentOf(this.#clock)
    const change = decide(before, moment)
    const { item, work, quiet, run } = change
    if (quiet && work === before.work) return change
    if (!this.#undo.has(id)) this.#undo.set(id, row)
    const isMoved = item.available_at !== before.item.available_at
    const availableMs = isMoved ? steadyOf(item.available_at, moment) : row.availableMs
    // A quiet change leaves the visible item as it is.
    const now = { item: quiet ? before.item : item, work }
    this.rows.set(id, { ...row, now, change, availableMs })
    if (!quiet) this.#say(change)
    if (run) this.runs.push({ ...run, ended_at: item.updated_at })
    return change
  }

  /**
   * Decides on those of these items that are still due after the decisions so far: an earlier write of the group may have
   * renewed a lease or ended an attempt. Returns how many they are. @throws whatever `decide` throws
   */
  sweep(ids: readonly number[], due: Due, decide: Decide): number {
    const left = ids.filter((id) => this.#isDue(id, due))
    for (const id of left) this.decide(id, decide)
    return left.length
  }

  #isDue(id: number, { due, by }: Due): boolean {
    const row = this.rows.get(id)
    if (!row || row.change?.deleted) return false
    const { item, work } = row.now
    if (item.status !== "processing") return false
    if (due === "stall") return !item.stalled && work.moved_at <= by
    return work.lease_expires_at !== null && work.lease_expires_at <= by
  }

  /** Adds an item, unless its key was used before. @throws AppError `idempotency_mismatch` */
  add(create: Create, idempotency: Idempotency | undefined): { item: QueueItem; added: boolean } {
    const answer = idempotency && this.#answered(idempotency)
    if (answer) return { item: answer, added: false }
    const id = this.numbers.shift()
    if (id === undefined) throw new RangeError("there is no number for a new item")
    const moment = momentOf(this.#clock)
    const draft: Draft = create(moment)
    const item = { id, ...draft }
    this.#added.add(id)
    this.adds.push({ item, key: idempotency?.key, availableMs: steadyOf(draft.available_at, moment) })
    if (idempotency)
      this.keys.push({ ...idempotency, answer: JSON.stringify(item), claimed: null, former: null })
    this.#say({ item, work: IDLE })
    return { item, added: true }
  }

  /**
   * What an earlier claim with this key holds, decided again, and otherwise what `first` takes; what that gets is kept.
   * An undefined claim cannot be repeated.
   */
  once<T extends Change | null>(repeatable: Repeatable | undefined, first: () => T): T | Change {
    const again = repeatable && this.again(repeatable)
    if (again) return again
    const change = first()
    if (change && repeatable) this.#keep(repeatable.key, firstAnswer(change))
    return change
  }

  /** What an earlier claim with this key holds, decided again; undefined if it holds nothing. */
  again({ key, again }: Repeatable): Change | undefined {
    const kept = this.earlierClaim(key)
    const change = kept && ifStillHeld(() => this.decide(kept.id, again(kept.token)))
    if (change) this.#keep(key, nextAnswer(kept))
    return change
  }

  /** What an earlier claim with this key got, of this group or as it was read. */
  earlierClaim(key: string): KeptClaim | undefined {
    const kept = this.keys.find((own) => own.key === key) ?? this.answers.get(key)
    return keptClaim(kept?.answer)
  }

  #keep(key: string, kept: KeptClaim): void {
    const former = this.answers.get(key)?.answer ?? null
    const own = { key, digest: "", answer: JSON.stringify(kept), claimed: kept.id, former }
    const at = this.keys.findIndex((other) => other.key === key)
    // A statement can write a row only once.
    if (at >= 0) this.keys[at] = own
    else this.keys.push(own)
  }

  #say(change: Change): void {
    const { id: queue_id, song_id, status } = change.item
    this.said.push({ queue_id, song_id, status, data: encodeUpdate(change) })
  }

  #answered(asked: Idempotency): QueueItem | undefined {
    const kept = this.answers.get(asked.key) ?? this.keys.find(({ key }) => key === asked.key)
    if (!kept) return undefined
    const item = keptAnswer(asked, kept)
    // The item was added by this group, so the answer is valid only if that item is stored.
    if (this.adds.some(({ item: { id } }) => id === item.id)) this.#added.add(item.id)
    return item
  }
}
