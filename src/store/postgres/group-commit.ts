import { BoundedMap } from "../../bounded-map.ts"
import { AppError } from "../../errors.ts"
import type { Outage } from "../../item/estimate/follow-attempt.ts"
import type { Clock } from "../../item/moment.ts"
import { IDEMPOTENCY_MS } from "../contract/items.ts"
import { ALIVE_MS } from "../contract/life.ts"
import type { Observed } from "../contract/store.ts"
import { type Outages, SLOW_MS } from "../outages-extend-leases.ts"
import { RECENT_ITEMS } from "../row-parts.ts"
import { parametersOf } from "./append-statement.ts"
import {
  PATIENCE_MS,
  type PostgresConnections,
  unable,
  UnchangedError,
  withoutChange,
} from "./connections.ts"
import type { DatabaseClock } from "./database-clock.ts"
import type { DoubleWriteFence } from "./double-write-fence.ts"
import { isOfDatabase, isOfOneWrite, StatementError } from "./faults.ts"
import { type DecidedRow, type Decision, GroupDecisions, type KnownRow } from "./group-decisions.ts"
import { GroupReads, type itemReads, knownOf } from "./group-reads.ts"
import type { RolledBackCheck } from "./rolled-back-database.ts"
import { ALIVE } from "./sign-of-life.ts"

/** After so many rounds in which other instances changed its items first, a group locks them before it decides. */
const LOST_ROUNDS = 3
/** As many more claimable items are then read, because others may claim the first ones until these are locked. */
const MORE_CLAIMABLE = 50
/**
 * The most writes of one group. PostgreSQL ends a statement that takes seconds, and would end it at each new try: that of
 * 10,000 new items, or on a slow machine of 500 with much metadata.
 */
const MOST_WRITES = 200
/** Writes that have waited for PostgreSQL as long as they may, or nearly, are refused together. */
const TOGETHER_MS = 250

/** A write. */
export interface Write<T> {
  /** The items that it decides on. */
  readonly ids: readonly number[]
  /** Whether it must read the items as they are stored now, and not from memory; default false. */
  readonly isFresh?: boolean
  /** Whether no other write of this kind may be in its group; default false. */
  readonly isAlone?: boolean
  /** What else must be read before it decides; default nothing. */
  readonly look?: (look: GroupReads) => unknown
  /** The items that it may change, once it has looked; default `ids`. */
  readonly wanted?: () => readonly number[]
  /** Decides, on the rows that were read. May be called more than once. @throws to refuse */
  readonly decide: (decisions: GroupDecisions) => T
}

/** The answer of `ALIVE`. */
interface Alive {
  readonly now: number
  readonly counted: boolean
  readonly took: number
  readonly outages: string | null
}

interface WaitingWrite extends Write<unknown> {
  /** When it came, on the clock of `performance.now()`. */
  readonly sinceMs: number
  readonly settle: (result: Decision<unknown>["result"]) => void
}

/** What the group needs from the store. */
export interface GroupOptions {
  /** The connection that only groups use; they wait there for the append lock. */
  readonly link: PostgresConnections
  /** Stores each group once. */
  readonly fence: DoubleWriteFence
  /** Notices if the database has gone back. */
  readonly backCheck: RolledBackCheck
  /** How items are read on that connection. */
  readonly reads: ReturnType<typeof itemReads>
  /** The database's clock. */
  readonly clock: Clock
  /** The account of outages. */
  readonly outages: Outages
  /** Called at commits. */
  readonly observed: Observed
  /** The database's clock as it is measured; it learns the time of each sign of life. */
  readonly measured: DatabaseClock
}

/**
 * The writes of one instance, in groups: one group at a time, and writes that come in the meantime form the
 * next one. A group reads what it needs, decides without a lock, and appends in one statement. The statement
 * leaves out items that another instance has changed in the meantime, and these are decided again. Rows are
 * kept in memory. Such a row may be out of date, so it may only be used for a write, which checks its
 * version; a refusal, or an answer without a write, needs rows that were read now.
 */
export class GroupCommit {
  readonly #options: GroupOptions
  /** The rows that were written last, as they are stored; the latest one last. */
  readonly #recent = new BoundedMap<number, KnownRow>(RECENT_ITEMS)
  #waiting: WaitingWrite[] = []
  #isFlushing = false
  #flushing: Promise<void> = Promise.resolve()
  #aliveMs = Number.NEGATIVE_INFINITY
  /** Until when no sign of life is stored for its own sake, on the clock of `performance.now()`. */
  #restUntilMs = Number.NEGATIVE_INFINITY
  /** Why the last group could not be stored; undefined if it was. */
  #failure: string | undefined

  constructor(options: GroupOptions) {
    this.#options = options
  }

  /** Whether the last group could not be stored. */
  get isUnwritable(): boolean {
    return this.#failure !== undefined
  }

  /** Why the last group could not be stored: the SQLSTATE, or the code of Bun's client; empty if it was. */
  get failure(): string {
    return this.#failure ?? ""
  }

  /** Whether a sign of life must be stored. */
  get isAliveDue(): boolean {
    const { clock, outages } = this.#options
    return outages.isUnderWay || clock.steadyMs() - this.#aliveMs >= ALIVE_MS
  }

  /**
   * Whether a sign of life that nothing else needs must wait: during a slow group, and after it for as long as it took. Otherwise
   * a server would always be storing one, no time would count against a lease, and a dead worker would keep its own.
   */
  get isResting(): boolean {
    return this.#options.outages.isOver && (this.#isFlushing || performance.now() < this.#restUntilMs)
  }

  /** Forgets all rows that are remembered. */
  forget(): void {
    this.#recent.clear()
  }

  /** Takes a write into the next group. Resolves with its decision when that is stored. */
  run<T>(write: Write<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const settle: WaitingWrite["settle"] = (result) =>
        // The value was returned by `decide` of this same write.
        result.ok ? resolve(result.value as T) : reject(result.error)
      this.#waiting.push({ ...write, sinceMs: performance.now(), settle })
      if (!this.#isFlushing) this.#flushing = this.#flush()
    })
  }

  /** Resolves when nothing is waiting to be written. */
  async idle(): Promise<void> {
    while (this.#isFlushing) await this.#flushing
  }

  async #flush(): Promise<void> {
    this.#isFlushing = true
    while (this.#waiting.length > 0) {
      // It waits for two ticks, because after one tick only about half of the clients that were just answered
      // have sent their next request.
      await new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)))
      const writes = this.#taken()
      // They may have waited for the group before.
      const sinceMs = writes.reduce((first, write) => Math.min(first, write.sinceMs), performance.now())
      const storedMs = performance.now()
      await this.#store(writes, sinceMs + PATIENCE_MS)
      this.#restUntilMs = 2 * performance.now() - storedMs
    }
    this.#isFlushing = false
  }

  /** The next group: the writes that have waited longest. Of those that must be alone it has only the first. */
  #taken(): WaitingWrite[] {
    const taken: WaitingWrite[] = []
    const left: WaitingWrite[] = []
    let hasAlone = false
    for (const write of this.#waiting) {
      const isLeft = taken.length === MOST_WRITES || (write.isAlone === true && hasAlone)
      ;(isLeft ? left : taken).push(write)
      hasAlone ||= write.isAlone === true
    }
    this.#waiting = left
    return taken
  }

  async #store(all: readonly WaitingWrite[], untilMs: number): Promise<void> {
    const { clock, outages, observed } = this.#options
    const triedMs = clock.steadyMs()
    let writes = all
    try {
      for (let round = 0; writes.length > 0; round += 1) {
        writes =
          round < LOST_ROUNDS
            ? await this.#round(writes, untilMs, () => this.#read(writes))
            : await this.#lockedRound(writes, untilMs)
      }
      this.#failure = undefined
    } catch (error) {
      this.#recent.clear()
      if (isOfOneWrite(error) && writes.length > 1) {
        // One of them is to blame, so each write is now stored on its own.
        for (const write of writes) await this.#store([write], untilMs)
        return
      }
      if (!isOfOneWrite(error)) {
        this.#failure = new StatementError(error).code
        observed.onFailure?.(this.#failure)
        outages.begin(triedMs)
      }
      const isOfServer = isOfDatabase(error) && !isOfOneWrite(error) && !(error instanceof AppError)
      const refused = error instanceof UnchangedError ? this.#outOfTime(writes, untilMs) : writes
      for (const write of refused)
        write.settle({ ok: false, error: isOfServer ? withoutChange(unable(error)) : error })
    }
  }

  /**
   * Those of a group, and of the writes behind it, that have no time left: if each group behind were tried once more, the
   * last of thousands would wait for minutes. The others wait on. If the group had time left, all of it is refused, and
   * nothing else.
   */
  #outOfTime(writes: readonly WaitingWrite[], untilMs: number): readonly WaitingWrite[] {
    // A timer may ring a little early.
    const ofNowMs = performance.now() + TOGETHER_MS
    if (ofNowMs < untilMs) return writes
    const [refused, left] = [[] as WaitingWrite[], [] as WaitingWrite[]]
    for (const write of [...writes, ...this.#waiting])
      (write.sinceMs + PATIENCE_MS > ofNowMs ? left : refused).push(write)
    this.#waiting = left
    return refused
  }

  /**
   * A round whose items no other instance can change between its reads and its commit, so that it is the last one.
   * Otherwise an instance that is far from the database would never store a change of an item that others change often.
   */
  async #lockedRound(writes: readonly WaitingWrite[], untilMs: number): Promise<WaitingWrite[]> {
    const { fence } = this.#options
    try {
      return await this.#round(writes, untilMs, async () => {
        await fence.begin()
        return this.#readLocked(writes)
      })
    } finally {
      // If this is not answered, the server ends the transaction.
      await fence.rollBack().catch(() => undefined)
    }
  }

  /** Decides on what `read` reads, and stores. Returns the writes that must be decided again. */
  async #round(
    writes: readonly WaitingWrite[],
    untilMs: number,
    read: () => Promise<GroupDecisions>,
  ): Promise<WaitingWrite[]> {
    const { link, fence, backCheck, clock } = this.#options
    const { era } = backCheck
    const reading = link.patiently(async () => {
      await this.#begin()
      return read()
    }, untilMs)
    const decisions = await reading.catch((error: unknown) => {
      throw withoutChange(error)
    })
    const attempts = writes.map((write) => ({
      write,
      attempt: decisions.attempt(() => write.decide(decisions)),
    }))
    let kept: ReadonlySet<number> = new Set()
    // A sign of life can be stored while updates cannot: whether they can is found out by an empty group.
    if (decisions.changed.length > 0 || decisions.adds.length > 0 || this.isUnwritable) {
      const nowMs = clock.now()
      const askedMs = performance.now()
      const parameters = parametersOf(decisions, { era, nowMs, oldestMs: nowMs - IDEMPOTENCY_MS })
      kept = await fence.send(parameters, nowMs, untilMs)
      const statuses = decisions.said.filter((one) => kept.has(one.queue_id)).map(({ status }) => status)
      const seconds = (performance.now() - askedMs) / 1000
      this.#options.observed.onCommit?.({ writes: writes.length, seconds, statuses })
      for (const row of decisions.changed) this.#remember(row)
    }
    const again: WaitingWrite[] = []
    for (const { write, attempt } of attempts) {
      if (holds(attempt, decisions, kept)) write.settle(attempt.result)
      else {
        for (const id of attempt.seen) this.#recent.delete(id)
        again.push(write)
      }
    }
    return again
  }

  /** The beginning of every group: after an outage all leases are extended before anything is decided. */
  async #begin(): Promise<void> {
    if (!this.isAliveDue) return
    const { link, clock, outages, measured } = this.#options
    const nowMs = clock.steadyMs()
    const outage = outages.endingAt(nowMs)
    const askedMs = performance.now()
    const asked = [nowMs, outage?.sinceMs ?? null, measured.now(), outage?.endedMs ?? nowMs]
    const [row] = await link.ask<Alive>(ALIVE, asked)
    if (row?.counted === false) {
      measured.sample(row.now, askedMs)
      return this.#begin()
    }
    const isStart = this.#aliveMs === Number.NEGATIVE_INFINITY
    // Until just now another server was alive, so the renders under way were watched.
    if (isStart && row && row.took <= SLOW_MS) outages.forgetKnown()
    const counted: Outage[] = JSON.parse(row?.outages ?? "[]")
    outages.learn(counted)
    if (outage) {
      outages.end(nowMs, nowMs + Math.ceil(performance.now() - askedMs))
      // The rows in memory of items with a lease are out of date, and a group that is decided on them is stored in vain.
      this.#recent.clear()
    }
    this.#aliveMs = nowMs
    if (row) measured.sample(row.now, askedMs)
  }

  async #readLocked(writes: readonly WaitingWrite[]): Promise<GroupDecisions> {
    const decisions = await this.#read(writes, MORE_CLAIMABLE)
    const ids = writes.flatMap((write) => write.wanted?.() ?? write.ids)
    for (const row of await this.#options.reads.byIdLocked.execute({ ids }))
      decisions.read(knownOf(row), true)
    return decisions
  }

  async #read(writes: readonly WaitingWrite[], more = 0): Promise<GroupDecisions> {
    const { link, reads, clock } = this.#options
    const decisions = new GroupDecisions(clock)
    const fresh = new Set(writes.flatMap(({ ids, isFresh }) => (isFresh ? ids : [])))
    const missing: number[] = []
    for (const id of new Set(writes.flatMap(({ ids }) => ids))) {
      const recent = fresh.has(id) ? undefined : this.#recent.get(id)
      if (recent) decisions.read(recent, false)
      else missing.push(id)
    }
    const look = new GroupReads(link, reads, decisions, {
      clock,
      most: writes.length + decisions.rows.size + missing.length + more,
    })
    const looks = writes.map((write) => write.look?.(look))
    await Promise.all([...looks, look.read(missing)])
    return decisions
  }

  /** Keeps a row as it was decided. One that was not stored is forgotten with the decisions on it, which are made again. */
  #remember({ now, before, change }: DecidedRow): void {
    const { id } = now.item
    if (change?.deleted) this.#recent.delete(id)
    else this.#recent.set(id, { stored: now, version: before.version + 1 })
  }
}

/** Whether a decision is valid: everything that it has read was stored unchanged, or was read just now. */
function holds(
  { isOpen, seen, added }: Decision<unknown>,
  decisions: GroupDecisions,
  kept: ReadonlySet<number>,
): boolean {
  const isAsSeen = (id: number): boolean => {
    const row = decisions.rows.get(id)
    return !row || (row.change ? kept.has(id) : row.isFresh)
  }
  return !isOpen && [...seen].every(isAsSeen) && [...added].every((id) => kept.has(id))
}
