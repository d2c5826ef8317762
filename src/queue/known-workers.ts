import { BoundedMap } from "../bounded-map.ts"
import type { QueueItem } from "../item/item.ts"
import { isAfter, type Token, tokenOf, tokenThatRanOut } from "../item/lease-token.ts"
import type { Stored } from "../item/stored.ts"
import type { WorkerReport } from "../store/contract/instances.ts"
import { DrainedWorkers } from "./drained-workers.ts"

/** A worker and its tags: it takes items whose tags are all among these. */
export interface PresentWorker {
  /** Its name. */
  readonly worker: string
  /** Its tags. */
  readonly tags: readonly string[]
}

/** What a worker says about itself when it claims. */
export interface Introduction extends PresentWorker {
  /** The version of its program; undefined if it does not send it. */
  readonly version?: string | undefined
  /** Different after each start of the worker; undefined if the worker does not send it. */
  readonly instance?: string | undefined
}

/** What is known of a worker from its claims and reports. */
export interface KnownWorker extends PresentWorker {
  /** The version of its program; empty if it did not send it. */
  readonly version: string
  /** Whether it takes items by their place; a worker that has only claimed by number takes no other items. */
  readonly isTaking: boolean
  /** Whether one of its claims waits now, or its last claim or report is not older than half a minute. */
  readonly isThere: boolean
  /** When it last claimed or reported, in epoch milliseconds. */
  readonly heardMs: number
  /** Since when it has held no item, as far as that was seen, in epoch milliseconds. */
  readonly idleMs: number
  /** Whether it was asked to take no more items. */
  readonly isDraining: boolean
}

interface WorkerEntry {
  tags: readonly string[]
  version: string
  isTaking: boolean
  waits: number
  heardMs: number
  idleMs: number
  /** The starts of the worker's program that are known, the latest last. */
  readonly instances: Set<string>
}

interface Taken {
  readonly tags: readonly string[] | null
  readonly instance: string | undefined
  /** The token of its lease; empty if it is not known. */
  readonly token: string
}

/** How many items are remembered with their workers; the oldest are forgotten first. */
const MANY = 10_000
/** How many workers are remembered; the one that was silent for longest is forgotten first. */
const MANY_WORKERS = 1000
const MANY_INSTANCES = 16
/** A worker that was silent for this long is forgotten. */
const FORGET_MS = 3_600_000
/**
 * A worker that claims without waiting counts as present if its last claim or report is not older than this.
 */
const THERE_MS = 30_000

/**
 * The known workers, learned from their claims and reports, so after a restart fewer are known. The workers
 * of the other servers of a fleet are learned from these servers.
 */
export class KnownWorkers {
  readonly #nowMs: () => number
  readonly #waiting = new Set<PresentWorker>()
  readonly #taken = new BoundedMap<number, Taken>(MANY)
  readonly #workers = new Map<string, WorkerEntry>()
  readonly #drained = new DrainedWorkers()
  #others: readonly WorkerReport[] = []

  /** `nowMs` returns the present time in epoch milliseconds. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** The workers whose claims wait now, one for each claim; at another server one for all of its claims. */
  get waiting(): readonly PresentWorker[] {
    return [...this.#waiting, ...this.#others.filter(({ isWaiting }) => isWaiting)]
  }

  /** The workers that claimed or reported within an hour, by name. */
  get known(): readonly KnownWorker[] {
    const all = Map.groupBy([...this.crew, ...this.#others], ({ worker }) => worker)
    const sinceMs = this.#nowMs() - THERE_MS
    return [...all.values()]
      .map((reports) => {
        const [latest] = reports.toSorted((a, b) => b.heardMs - a.heardMs)
        return {
          worker: latest?.worker ?? "",
          tags: (reports.findLast(({ isTaking }) => isTaking) ?? latest)?.tags ?? [],
          version: latest?.version ?? "",
          isTaking: reports.some(({ isTaking }) => isTaking),
          isThere: reports.some(({ isWaiting, heardMs }) => isWaiting || heardMs > sinceMs),
          heardMs: latest?.heardMs ?? 0,
          idleMs: Math.max(...reports.map(({ idleMs }) => idleMs)),
          isDraining: this.#drained.has(latest?.worker ?? ""),
        }
      })
      .sort((a, b) => (a.worker < b.worker ? -1 : 1))
  }

  /** The workers that claimed from or reported to this server within an hour. */
  get crew(): readonly WorkerReport[] {
    const sinceMs = this.#nowMs() - FORGET_MS
    for (const [name, { waits, heardMs }] of this.#workers)
      if (waits === 0 && heardMs < sinceMs) this.#workers.delete(name)
    return [...this.#workers].map(
      ([worker, { tags, version, isTaking, waits, heardMs, idleMs, instances }]) => ({
        ...this.#drained.reportOf(worker),
        ...{ tags, version, isTaking, idleMs },
        isWaiting: waits > 0,
        // The worker's connection is open, so it counts as heard now.
        heardMs: waits > 0 ? this.#nowMs() : heardMs,
        starts: [...instances],
      }),
    )
  }

  /** Takes the reports of the other servers. Returns whether they drain a worker that was not drained. */
  learn(others: readonly WorkerReport[]): boolean {
    this.#others = others
    return others.filter((report) => this.#drained.learn(report)).length > 0
  }

  /** Notes that a worker claims. */
  claims({ worker, tags, version, instance }: Introduction): void {
    const entry = this.#heard(worker)
    entry.tags = tags
    entry.version = version ?? ""
    entry.isTaking = true
    if (instance === undefined || entry.instances.has(instance)) return
    entry.instances.add(instance)
    const [oldest] = entry.instances
    if (entry.instances.size > MANY_INSTANCES && oldest !== undefined) entry.instances.delete(oldest)
  }

  /** Notes that a worker's claim waits, until it is disposed of. */
  wait({ worker, tags }: PresentWorker): Disposable {
    // One worker may wait with several claims.
    const present = { worker, tags }
    this.#waiting.add(present)
    const entry = this.#heard(worker)
    entry.waits += 1
    return {
      [Symbol.dispose]: () => {
        this.#waiting.delete(present)
        entry.waits -= 1
        entry.heardMs = this.#nowMs()
      },
    }
  }

  /** Notes which worker took an item, with which tags, and under which lease. */
  took(id: number, tags: readonly string[] | null, instance?: string, token = ""): void {
    this.#taken.set(id, { tags, instance, token })
  }

  /** Notes that a worker took an item by its number; `former` is the token that it had before, if it had one. */
  tookByNumber(id: number, work: Token, former = ""): void {
    const before = this.#taken.get(id)
    const isBack = isAfter(work, former) && before?.token === former
    const { tags, instance } = isBack ? before : { tags: null, instance: undefined }
    this.took(id, tags, instance, tokenOf(work))
  }

  /**
   * The token of the lease that this start of a worker has lost: it took the item last, its lease ran out, and it goes on
   * if it gets the item again. Undefined if that is not so, or not known. Another server may have given the item to
   * another worker since.
   */
  lostBy(instance: string | undefined, { item, work }: Stored): string | undefined {
    const taken = this.#taken.get(item.id)
    const token = tokenThatRanOut(work)
    return instance !== undefined && taken?.instance === instance && taken.token === token ? token : undefined
  }

  /** Notes a report of an item's worker. */
  reports({ worker, status }: Pick<QueueItem, "worker" | "status">): void {
    if (worker === "") return
    const entry = this.#heard(worker)
    if (status !== "processing") entry.idleMs = entry.heardMs
  }

  /** Asks a worker to take no more items, or lets it take some again. Returns whether there is such a worker. */
  setDraining(worker: string, isDraining: boolean): boolean {
    const others = this.#others.filter((other) => other.worker === worker)
    const entry = this.#workers.get(worker)
    if (!entry && others.length === 0) return false
    // The worker's next claim may come to this server, and the other servers learn of it from this one.
    const known = entry ?? this.#met(worker, Math.max(...others.map(({ heardMs }) => heardMs)))
    for (const start of others.flatMap(({ starts }) => starts)) known.instances.add(start)
    this.#drained.set(worker, isDraining ? new Set(known.instances) : null, this.#nowMs())
    return true
  }

  /** Whether a worker takes no more items: see `DrainedWorkers`. */
  isDraining(worker: string, instance: string | undefined): boolean {
    return this.#drained.isDrained(worker, instance)
  }

  /** Whether the worker of this item is drained. */
  isDrainingAt({ id, worker }: Pick<QueueItem, "id" | "worker">): boolean {
    return this.isDraining(worker, this.#taken.get(id)?.instance)
  }

  /**
   * The worker that takes the next item when this one is done. Null if none does: a worker that claimed an
   * item by its number, or is drained, takes no other item.
   */
  afterwards({ id, worker, tags }: QueueItem): PresentWorker | null {
    const taken = this.#taken.get(id)
    if (taken?.tags === null || this.isDrainingAt({ id, worker })) return null
    if (taken) return { worker, tags: taken.tags }
    // The worker took the item from another server, or before this one started.
    const others = this.#others.filter((other) => other.worker === worker)
    const own = this.#workers.get(worker)
    const taking = own?.isTaking ? own : others.find(({ isTaking }) => isTaking)
    return others.length > 0 && !taking ? null : { worker, tags: taking?.tags ?? tags }
  }

  #heard(worker: string): WorkerEntry {
    const nowMs = this.#nowMs()
    const entry = this.#workers.get(worker) ?? this.#met(worker, nowMs)
    entry.heardMs = nowMs
    return entry
  }

  #met(worker: string, nowMs: number): WorkerEntry {
    if (this.#workers.size >= MANY_WORKERS) {
      const idle = [...this.#workers].filter(([, { waits }]) => waits === 0)
      const [silent] = idle.toSorted(([, a], [, b]) => a.heardMs - b.heardMs)
      if (silent) this.#workers.delete(silent[0])
    }
    const entry: WorkerEntry = {
      ...{ tags: [], version: "", isTaking: false, waits: 0, heardMs: nowMs, idleMs: nowMs },
      instances: new Set(),
    }
    this.#workers.set(worker, entry)
    return entry
  }
}
