import { closeSync, copyFileSync, existsSync, openSync, readSync, statSync, truncateSync } from "node:fs"

import { AppError } from "../../errors.ts"
import type { Fault } from "../life.ts"
import type { GroupCommit } from "./group.ts"
import { textOfMark } from "./lock.ts"
import { type Opened, WAL_BYTES } from "./open.ts"

/** A write-ahead log of this size was not written into the file for long: something holds an old state. */
const PINNED_BYTES = 2 * WAL_BYTES

/** The file of an open database: whether it is still in its place, its write-ahead log, its mark, and its end. */
export class DatabaseFile {
  readonly #opened: Opened
  readonly #group: GroupCommit
  readonly #markPage: MarkPage
  #isMarkKept = false
  /** Whether the file itself has carried the mark of this start: then it must still carry it. */
  #wasMarked: boolean

  constructor(opened: Opened, group: GroupCommit) {
    this.#opened = opened
    this.#group = group
    this.#markPage = new MarkPage(opened)
    this.#wasMarked = this.#markPage.isMarked()
  }

  /** What is wrong with the file now; see `Life.faults`. */
  faults(): Fault[] {
    const { lock, found } = this.#opened
    const isReplaced = !lock.isInPlace || this.#isOverwritten()
    if (!this.#isMarkKept && !isReplaced) void this.#keepMark()
    if (isReplaced) this.#group.refuse(replaced(found.path))
    return [
      ...(isReplaced ? ["file_replaced" as const] : []),
      ...(this.#isPinned() ? ["wal_pinned" as const] : []),
    ]
  }

  /** Writes everything into the file, after `lastWords`, and releases it. */
  close(lastWords: () => void): void {
    const { client, lock, found } = this.#opened
    if (this.#isOverwritten()) setLogAside(found.path)
    else this.#writeAll(lastWords)
    client.close()
    this.#markPage.close()
    lock.close()
  }

  #writeAll(lastWords: () => void): void {
    const { client, lock, mark } = this.#opened
    try {
      lastWords()
      client.run("PRAGMA wal_checkpoint(TRUNCATE)")
      lock.remember(mark)
    } catch {
      // Acknowledged writes are in the write-ahead log, where the next start finds them.
    }
  }

  /** Whether something else was written into the file itself, such as a plain copy over it. */
  #isOverwritten(): boolean {
    const isMarked = this.#markPage.isMarked()
    this.#wasMarked ||= isMarked
    return this.#wasMarked && !isMarked
  }

  /**
   * Brings the mark of this start to the disk, and lets the lock rely on it; at the start this wait would be
   * too long.
   */
  async #keepMark(): Promise<void> {
    const { client, lock, mark } = this.#opened
    this.#isMarkKept = true
    try {
      await this.#group.run(() => client.run("UPDATE history SET mark = mark"))
      client.run("PRAGMA wal_checkpoint(PASSIVE)")
      lock.remember(mark)
    } catch {
      // The next look tries again; until then the lock relies on the mark before.
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

/** SQLite would write the log into the file at its close, or at the next start; but it belongs to what was there before. */
function setLogAside(path: string): void {
  if (!existsSync(`${path}-wal`)) return
  copyFileSync(`${path}-wal`, `${path}-wal.old`)
  truncateSync(`${path}-wal`)
}

/** The page of the database file that bears the mark. It is read without SQLite, which would read its own memory of it. */
class MarkPage {
  readonly #descriptor: number
  readonly #page: Buffer
  readonly #position: number
  readonly #mark: string

  constructor({ client, found, mark }: Opened) {
    const sql =
      "SELECT rootpage, page_size AS size FROM sqlite_master, pragma_page_size WHERE name = 'history'"
    const { rootpage, size } = client.query<{ rootpage: number; size: number }, []>(sql).get() ?? {
      rootpage: 1,
      size: 0,
    }
    this.#page = Buffer.alloc(size)
    this.#position = (rootpage - 1) * size
    this.#mark = textOfMark(mark)
    this.#descriptor = openSync(found.path, "r")
  }

  isMarked(): boolean {
    const { length } = this.#page
    try {
      const read = readSync(this.#descriptor, this.#page, 0, length, this.#position)
      return this.#page.subarray(0, read).includes(this.#mark)
    } catch {
      // A disk that fails has not written anything over it.
      return true
    }
  }

  /** To be called after SQLite has closed the file: this takes all locks from it that the process has on it. */
  close(): void {
    closeSync(this.#descriptor)
  }
}

const replaced = (path: string): AppError =>
  new AppError(
    "unavailable",
    `the database ${path} was replaced, moved or deleted while the server ran; nothing was changed, and the server ends`,
  )
