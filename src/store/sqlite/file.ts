import { statSync } from "node:fs"

import { AppError } from "../../errors.ts"
import type { Fault } from "../life.ts"
import type { GroupCommit } from "./group.ts"
import { type Opened, WAL_BYTES } from "./open.ts"

/** A write-ahead log of this size has not been taken over for long: something holds an old state. */
const PINNED_BYTES = 2 * WAL_BYTES

/** The file of an open database: whether it is still in its place, its write-ahead log, its mark, and its end. */
export class DatabaseFile {
  readonly #opened: Opened
  readonly #group: GroupCommit
  #isMarkKept = false

  constructor(opened: Opened, group: GroupCommit) {
    this.#opened = opened
    this.#group = group
  }

  /** What is wrong with the file now; see `Life.faults`. */
  faults(): Fault[] {
    const { lock, found } = this.#opened
    if (!this.#isMarkKept) void this.#keepMark()
    const isReplaced = !lock.isInPlace
    if (isReplaced) this.#group.refuse(replaced(found.path))
    return [
      ...(isReplaced ? ["file_replaced" as const] : []),
      ...(this.#isPinned() ? ["wal_pinned" as const] : []),
    ]
  }

  /** Writes everything into the file, after the last words, and releases it. */
  close(lastWords: () => void): void {
    const { client, lock, mark } = this.#opened
    try {
      lastWords()
      client.run("PRAGMA wal_checkpoint(TRUNCATE)")
      lock.remember(mark)
    } catch {
      // What was acknowledged is in the write-ahead log, where the next start finds it.
    }
    client.close()
    lock.close()
  }

  /** Brings the mark of this start to the disk, and lets the lock count on it; a start is too early for the wait. */
  async #keepMark(): Promise<void> {
    const { client, lock, mark } = this.#opened
    this.#isMarkKept = true
    try {
      await this.#group.run(() => client.run("UPDATE history SET mark = mark"))
      client.run("PRAGMA wal_checkpoint(PASSIVE)")
      lock.remember(mark)
    } catch {
      // The next look tries again; until then the lock counts on the mark before.
      this.#isMarkKept = false
    }
  }

  #isPinned(): boolean {
    const { client, found } = this.#opened
    const size = (): number => statSync(`${found.path}-wal`, { throwIfNoEntry: false })?.size ?? 0
    if (size() <= PINNED_BYTES) return false
    client.run("PRAGMA wal_checkpoint(TRUNCATE)")
    return size() > PINNED_BYTES
  }
}

const replaced = (path: string): AppError =>
  new AppError(
    "unavailable",
    `the database ${path} was replaced, moved or deleted while the server ran; nothing was changed, and the server ends`,
  )
