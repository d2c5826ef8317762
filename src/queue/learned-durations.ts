import type { Service } from "../background-work.ts"
import { BoundedMap } from "../bounded-map.ts"
import { withoutDigits } from "../item/estimate/count-in-words.ts"
import { type KeptRun, MAX_RUNS, type Run } from "../item/estimate/earlier-run.ts"
import { type Outlook, outlook } from "../item/estimate/estimate.ts"
import { type Experience, learn } from "../item/estimate/experience.ts"
import { type Knowledge, type Outage, withCourse } from "../item/estimate/follow-attempt.ts"
import { pastRun } from "../item/estimate/run-from-updates.ts"
import type { QueueItem } from "../item/item.ts"
import type { StoredUpdate } from "../item/stored.ts"
import type { History } from "../store/contract/history.ts"
import type { Decide, Items } from "../store/contract/items.ts"
import type { Life } from "../store/contract/life.ts"
import type { KnownKind, Runs } from "../store/contract/runs.ts"

/** How many kinds are kept in memory. */
const AT_HAND = 1000
/** How many kinds are in memory from the start. Others are read when they are first needed. */
const FROM_START = 8
/** For how long a look that has no runs of its own is kept in memory after an attempt asked for it. */
const ASKED_MS = 600_000
/** The server learns from this many completed items of an older database, the newest ones. */
const PAST_ITEMS = 64
const PAGE_UPDATES = 1000
const MOST_KINDS = 1000

type LearningStore = Items & History & Life & { readonly runs: Runs }

/** What was learned, and from which runs. */
interface Learned {
  readonly experience: Experience | undefined
  readonly runs: readonly Run[]
}

/** What is known of a kind in memory. */
interface InMemory extends RunKeys, Learned {
  /** When they were read, in milliseconds of the monotonic clock. */
  readonly readMs: number
  /** When an attempt last asked for it, in milliseconds of the same clock. */
  askedMs: number
}

/** The keys by which runs are found. */
type RunKeys = Pick<KnownKind, "kind" | "look">

/** The length distinguishes two pairs whose texts are the same when they are joined. */
const keyOf = ({ kind, look }: RunKeys): string => `${kind.length} ${kind}${look}`

/** Whether attempts look the same except for numbers: one more picture makes one more step. */
const isNear = (one: RunKeys, other: RunKeys): boolean =>
  withoutDigits(one.look) === withoutDigits(other.look) &&
  (one.kind === other.kind || (one.kind === one.look && other.kind === other.look))

/**
 * What was learned about how long renders take. It is kept in memory, so that decisions on running items,
 * which all need it, never wait for the database.
 */
export class LearnedDurations implements Service, Knowledge {
  readonly #store: LearningStore
  readonly #onError: (error: unknown) => void
  readonly #freshMs: number
  readonly #inMemory = new BoundedMap<string, InMemory>(AT_HAND)
  readonly #loading = new Map<string, Promise<void>>()
  /** The kinds and looks of which there are runs, as far as this server knows; the newest last. */
  readonly #known = new BoundedMap<string, RunKeys>(MOST_KINDS)
  #past: Promise<void> | undefined
  #isStopped = false
  #hasRuns = false
  #latest: Learned | undefined
  #kindsReadMs = 0

  /**
   * `onError` is called when runs cannot be read; they are read again when they are next needed. Runs that
   * were read more than `freshMs` milliseconds ago are read again, because other servers also learn and
   * forget; default: never.
   */
  constructor(store: LearningStore, onError: (error: unknown) => void, freshMs = Number.POSITIVE_INFINITY) {
    this.#store = store
    this.#onError = onError
    this.#freshMs = freshMs
  }

  /**
   * Reads the newest kinds into memory. Once per database, the server learns in the background from items
   * that completed before.
   */
  async start(): Promise<void> {
    const known = await this.#readKinds()
    for (const found of known.slice(0, FROM_START)) {
      await this.#load(found)
      await this.#loadStart(found)
    }
    if (!this.#isStopped) this.#past = this.#learnPast().catch(this.#onError)
  }

  /** Stops learning in the background. Later reports are followed as before. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#past
    await Promise.all(this.#loading.values())
  }

  /** The latest outages that this server knows of, the oldest first. */
  get outages(): readonly Outage[] {
    return this.#store.outages.known
  }

  /** See `Knowledge`. */
  of(kind: string, look: string): Experience | undefined | null {
    const named = { kind: kind || look, look }
    const key = keyOf(named)
    const known = this.#inMemory.get(key)
    if (!known || (this.#isOld(known.readMs) && !this.#loading.has(key))) void this.#load(named)
    if (!known) return null
    known.askedMs = performance.now()
    return known.experience
  }

  /** Extends a decision, so that its change also says how long the attempt will take. */
  follow(decide: Decide): Decide {
    return (stored, moment) => withCourse(stored, decide(stored, moment), moment, this)
  }

  /** Learns from a run whose item was stored as completed. The next item of its kind uses it. */
  async note(run: KeptRun): Promise<void> {
    this.#hasRuns = true
    this.#know(run)
    const isStale = (found: RunKeys): boolean =>
      found.kind === run.kind || found.kind === "" || isNear(found, run)
    const own = keyOf(run)
    const others = [...this.#inMemory].filter(([key, found]) => key !== own && isStale(found))
    await this.#load({ kind: run.kind, look: run.look })
    for (const [key, { kind, look, askedMs }] of others) {
      // A look with runs of its own is not compared with this one.
      if (look !== "" && this.#known.has(key)) continue
      // Where each attempt looks different, most looks never come again.
      if (look === "" || performance.now() - askedMs < ASKED_MS) await this.#load({ kind, look })
      else this.#inMemory.delete(key)
    }
    await this.#loadStart(run)
  }

  /** An attempt that has just been claimed has no look yet, and its first report may come late. */
  async #loadStart({ kind, look }: RunKeys): Promise<void> {
    const start = { kind: kind === look ? "" : kind, look: "" }
    if (!this.#inMemory.has(keyOf(start))) await this.#load(start)
  }

  /** Forgets the runs of a kind; returns how many there were. @throws AppError `unavailable` */
  async forget(kind: string): Promise<number> {
    const count = await this.#store.runs.forget(kind)
    for (const [key, found] of this.#known) if (found.kind === kind) this.#known.delete(key)
    this.#inMemory.clear()
    this.#latest = undefined
    return count
  }

  /** Whether there is any run to learn from. @throws AppError `unavailable` */
  async isAnythingKnown(): Promise<boolean> {
    if (this.#isOld(this.#kindsReadMs)) await this.#readKinds()
    return this.#hasRuns
  }

  /** The kinds that are known, the one with the newest run first. */
  kinds(): Promise<readonly KnownKind[]> {
    return this.#store.runs.kinds(MOST_KINDS)
  }

  /** How long a waiting item will take on a worker; undefined if it is unknown. */
  async outlookOf({ kind, totals }: QueueItem): Promise<(worker: string) => Outlook | undefined> {
    if (this.of(kind, "") === null) await this.#loading.get(keyOf({ kind, look: "" }))
    const experience = this.of(kind, "")
    return (worker) => (experience ? outlook(experience, worker, totals) : undefined)
  }

  #isOld(readMs: number): boolean {
    return performance.now() - readMs > this.#freshMs
  }

  async #readKinds(): Promise<readonly KnownKind[]> {
    this.#kindsReadMs = performance.now()
    const known = await this.#store.runs.kinds(MOST_KINDS)
    this.#hasRuns = known.length > 0
    this.#known.clear()
    for (const found of known.toReversed()) this.#know(found)
    return known
  }

  #know({ kind, look }: RunKeys): void {
    this.#known.set(keyOf({ kind, look }), { kind, look })
  }

  /** The runs of a kind that have this look; if there are none, the newest ones of nearly the same look. */
  async #runsOf(wanted: RunKeys): Promise<readonly Run[]> {
    const { runs } = this.#store
    if (this.#isOld(this.#kindsReadMs)) await this.#readKinds()
    const isExact = wanted.look === "" || this.#known.has(keyOf(wanted))
    const near = isExact ? [] : [...this.#known.values()].filter((found) => isNear(found, wanted))
    const found: Run[] = []
    for (const { kind, look } of near.toReversed()) {
      if (found.length < MAX_RUNS) found.unshift(...(await runs.alike(kind, look)))
    }
    return found.length > 0 ? found : runs.alike(wanted.kind, wanted.look)
  }

  #load(wanted: RunKeys): Promise<void> {
    const key = keyOf(wanted)
    const load = async (): Promise<void> => {
      if (this.#isStopped) return
      try {
        const readMs = performance.now()
        const runs = await this.#runsOf(wanted)
        const askedMs = this.#inMemory.get(key)?.askedMs ?? readMs
        this.#inMemory.set(key, { ...wanted, ...this.#learned(key, runs), readMs, askedMs })
      } catch (error) {
        this.#onError(error)
      } finally {
        this.#loading.delete(key)
      }
    }
    // A read that is under way may be older than the change that led to this call.
    const loading = (this.#loading.get(key) ?? Promise.resolve()).then(load)
    this.#loading.set(key, loading)
    return loading
  }

  /** What these runs teach: what is known already, if they are the same as before, or as those that were read last. */
  #learned(key: string, runs: readonly Run[]): Learned {
    const text = JSON.stringify(runs)
    const known = [this.#inMemory.get(key), this.#latest].find(
      (one) => one && JSON.stringify(one.runs) === text,
    )
    const { experience } = known ?? { experience: runs.length > 0 ? learn(runs) : undefined }
    this.#latest = { runs: known?.runs ?? runs, experience }
    return this.#latest
  }

  async #learnPast(): Promise<void> {
    const { runs } = this.#store
    if (await runs.hasLearned()) return
    const { items } = await this.#store.list({ status: "completed", limit: PAST_ITEMS })
    const learned = []
    for (const item of items.toReversed()) {
      if (this.#isStopped) return
      const run = pastRun(item, await this.#updatesOf(item.id))
      if (run) learned.push(run)
      // Requests that have come in the meantime go first.
      await new Promise(setImmediate)
    }
    await runs.addLearned(learned)
    this.#hasRuns ||= learned.length > 0
    for (const run of learned) this.#know(run)
    this.#inMemory.clear()
  }

  async #updatesOf(queueId: number): Promise<StoredUpdate[]> {
    const found: StoredUpdate[] = []
    for (let after = 0; ;) {
      const { updates, more } = await this.#store.page({ after, queueId, limit: PAGE_UPDATES })
      found.push(...updates)
      after = updates.at(-1)?.id ?? after
      if (!more) return found
    }
  }
}
