import type { Database } from "bun:sqlite"

import type { QueueItem } from "../../item/item.ts"
import type { Change } from "../../item/stored.ts"
import { type Decide, type Idempotency, IDEMPOTENCY_MS, type Repeatable } from "../contract/items.ts"
import { keptAnswer } from "../idempotent-add.ts"
import { firstAnswer, ifStillHeld, keptClaim, nextAnswer } from "../repeated-claim.ts"
import { lazily } from "./prepared-statements.ts"

/** So many answers that cannot be repeated any more are removed at once. */
const REMOVED_AT_ONCE = 100

const statements = (client: Database) =>
  lazily({
    find: () =>
      client.prepare<{ digest: string; answer: string }, [string, number]>(
        "SELECT digest, answer FROM idempotency_keys WHERE key = ? AND created_at > ?",
      ),
    keep: () =>
      client.prepare<unknown, [string, string, string, number]>(
        "INSERT OR REPLACE INTO idempotency_keys (key, digest, answer, created_at) VALUES (?, ?, ?, ?)",
      ),
    remove: () =>
      client.prepare<unknown, [number, number]>(
        "DELETE FROM idempotency_keys WHERE key IN (SELECT key FROM idempotency_keys WHERE created_at <= ? LIMIT ?)",
      ),
  })

/** The answers of adds and claims, kept under the keys of their requests. All methods are part of a transaction. */
export class KeptAnswers {
  readonly #statements: ReturnType<typeof statements>
  readonly #nowMs: () => number
  readonly #decide: (id: number, decide: Decide) => Change

  /** `nowMs` returns the time in epoch milliseconds; `decide` decides on an item, as it is stored, and stores that. */
  constructor(client: Database, nowMs: () => number, decide: (id: number, decide: Decide) => Change) {
    this.#statements = statements(client)
    this.#nowMs = nowMs
    this.#decide = decide
  }

  /**
   * The item that an earlier add with this key answered; undefined if there was none.
   * @throws AppError `idempotency_mismatch` if it had another digest
   */
  added(asked: Idempotency): QueueItem | undefined {
    const kept = this.#find(asked.key)
    return kept && keptAnswer(asked, kept)
  }

  /** Keeps the answer of an add. */
  keepAdded({ key, digest }: Idempotency, item: QueueItem): void {
    this.#keep(key, digest, JSON.stringify(item))
  }

  /**
   * What an earlier claim with this key holds, decided again, and otherwise what `first` takes; what that gets is kept.
   * An undefined claim cannot be repeated. The item of the earlier claim is noted in `taken`.
   */
  once<T extends Change | null | undefined>(
    repeatable: Repeatable | undefined,
    first: () => T,
    taken: number[] = [],
  ): T | Change {
    const again = repeatable && this.again(repeatable, taken)
    if (again) return again
    const change = first()
    if (change && repeatable) this.#keep(repeatable.key, "", JSON.stringify(firstAnswer(change)))
    return change
  }

  /** What an earlier claim with this key holds, decided again; undefined if it holds nothing. See `once`. */
  again({ key, again }: Repeatable, taken: number[]): Change | undefined {
    const kept = keptClaim(this.#find(key)?.answer)
    if (!kept) return undefined
    taken.push(kept.id)
    const change = ifStillHeld(() => this.#decide(kept.id, again(kept.token)))
    if (change) this.#keep(key, "", JSON.stringify(nextAnswer(kept)))
    return change
  }

  #find(key: string): { readonly digest: string; readonly answer: string } | undefined {
    return this.#statements.find.get(key, this.#nowMs() - IDEMPOTENCY_MS) ?? undefined
  }

  #keep(key: string, digest: string, answer: string): void {
    const nowMs = this.#nowMs()
    this.#statements.remove.run(nowMs - IDEMPOTENCY_MS, REMOVED_AT_ONCE)
    this.#statements.keep.run(key, digest, answer, nowMs)
  }
}
