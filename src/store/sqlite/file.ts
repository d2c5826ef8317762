import type { Database } from "bun:sqlite"
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  statSync,
  truncateSync,
} from "node:fs"

import { AppError } from "../../errors.ts"
import type { StoreFault } from "../life.ts"
import type { GroupCommit } from "./group.ts"
import { leaveWord, type Mark, movedOn, textOfMark } from "./lock.ts"
import { type Opened, WAL_BYTES } from "./open.ts"

/** A write-ahead log of this size was not written into the file for long: something holds an old state. */
const PINNED_BYTES = 2 * WAL_BYTES

/** A deleted database up to this size is copied before it is gone: a stop has no time for more. */
const RESCUED_BYTES = 256 * 1024 * 1024

/** The file of an open database: whether it is still in its place, its write-ahead log, its mark, and its end. */
export class DatabaseFile {
  readonly #opened: Opened
  readonly #group: GroupCommit
  readonly #markPage: MarkPage
  #isMarkKept = false
  /** Whether the file itself has carried the mark of this start: then it must still carry it. */
  #wasMarked: boolean
  /** Whether the file was too short at the last look. */
  #wasCut = false

  constructor(opened: Opened, group: GroupCommit) {
    this.#opened = opened
    this.#group = group
    this.#markPage = new MarkPage(opened)
    this.#wasMarked = this.#markPage.isMarked()
  }

  /** What is wrong with the file now; see `Life.faults`. */
  faults(): StoreFault[] {
    const { lock, found } = this.#opened
    const isReplaced = !lock.isInPlace || this.#isOverwritten() || this.#isCut()
    if (!this.#isMarkKept && !isReplaced) void this.#keepMark()
    if (isReplaced) this.#group.refuse(replaced(found.path))
    return [
      ...(isReplaced ? ["file_replaced" as const] : []),
      ...(this.#isPinned() ? ["wal_pinned" as const] : []),
    ]
  }

  /**
   * Writes everything into the file, after `lastWords`, and releases it. A file that was deleted is copied to a new
   * one, with `.rescued` behind its name.
   */
  close(lastWords: () => void): void {
    const { client, lock, mark, found } = this.#opened
    const isInPlace = lock.isInPlace
    // No copy that was put in its place may pass for it.
    const last = isInPlace ? mark : movedOn(mark)
    if (!lock.isTaken) {
      if (this.#isOverwritten() || this.#markPage.isCut) setLogAside(found.path)
      else this.#writeAll(lastWords, last)
    }
    client.close()
    lock.close()
    if (!isInPlace) this.#leaveBehind(last)
    this.#markPage.close()
  }

  #writeAll(lastWords: () => void, last: Mark): void {
    const { client, lock, mark } = this.#opened
    try {
      lastWords()
      if (last !== mark) client.run("UPDATE history SET mark = ?", [textOfMark(last)])
      client.run("PRAGMA wal_checkpoint(TRUNCATE)")
      lock.remember(last)
    } catch {
      // Acknowledged writes are in the write-ahead log, where the next start finds them.
    }
  }

  #leaveBehind(last: Mark): void {
    const { found, named } = this.#opened
    const { path } = found
    try {
      for (const each of [path, named]) leaveWord(each, last)
      this.#markPage.rescue(`${path}.rescued`)
    } catch {
      // There is no place for it.
    }
  }

  /** Whether something else was written into the file itself, such as a plain copy over it. */
  #isOverwritten(): boolean {
    const isMarked = this.#markPage.isMarked()
    this.#wasMarked ||= isMarked
    return this.#wasMarked && !isMarked
  }

  /** Whether the end of the file is gone. One look alone may see another program that is about to make it longer. */
  #isCut(): boolean {
    const wasCut = this.#wasCut
    this.#wasCut = this.#markPage.isCut
    return wasCut && this.#wasCut
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

/** The length of the header of a write-ahead log, and of the header of each frame in it, in bytes. */
const [LOG_HEADER, FRAME_HEADER] = [32, 24]

/** The write-ahead log of an open database. */
class Log {
  readonly #client: Database
  readonly #path: string

  /** `path` is that of the database. */
  constructor(client: Database, path: string) {
    this.#client = client
    this.#path = `${path}-wal`
  }

  /** Whether all pages of a range will come from the log into the file. @throws Error if it cannot be read */
  has({ from, to }: { readonly from: number; readonly to: number }): boolean {
    const { log = 0, checkpointed = 0 } =
      this.#client.query<{ log: number; checkpointed: number }, []>("PRAGMA wal_checkpoint(NOOP)").get() ?? {}
    if (log - checkpointed < to - from + 1) return false
    const missing = new Set(Array.from({ length: to - from + 1 }, (_, at) => from + at))
    for (const page of this.#pages(checkpointed + 1, log)) missing.delete(page)
    return missing.size === 0
  }

  /** The numbers of the pages that some frames hold. */
  *#pages(from: number, to: number): Generator<number> {
    const query = this.#client.query<{ page_size: number }, []>("PRAGMA page_size")
    const frameBytes = FRAME_HEADER + (query.get()?.page_size ?? 0)
    const number = Buffer.alloc(4)
    const descriptor = openSync(this.#path, "r")
    try {
      for (let frame = from; frame <= to; frame++) {
        readSync(descriptor, number, 0, number.length, LOG_HEADER + (frame - 1) * frameBytes)
        yield number.readUInt32BE()
      }
    } finally {
      closeSync(descriptor)
    }
  }
}

/** Where the first page says how many pages there are. */
const SIZE_IN_PAGES = 28

/** The page of the database file that bears the mark. It is read without SQLite, which would read its own memory of it. */
class MarkPage {
  readonly #descriptor: number
  readonly #page: Buffer
  readonly #position: number
  readonly #mark: string
  readonly #log: Log

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
    this.#log = new Log(client, found.path)
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

  /**
   * Whether the file is shorter than its own first page says, and the log has not got the rest: while somebody reads an
   * old state, SQLite writes the first page into the file, and not yet those that have changed since that state.
   */
  get isCut(): boolean {
    const header = Buffer.alloc(SIZE_IN_PAGES + 4)
    try {
      readSync(this.#descriptor, header, 0, header.length, 0)
      const there = Math.floor(fstatSync(this.#descriptor).size / this.#page.length)
      const pages = header.readUInt32BE(SIZE_IN_PAGES)
      return there < pages && !this.#log.has({ from: there + 1, to: pages })
    } catch {
      // A disk that fails has cut off nothing.
      return false
    }
  }

  /** Copies a file that has no name any more. @throws Error if that cannot be done */
  rescue(to: string): void {
    const { nlink, size } = fstatSync(this.#descriptor)
    if (nlink > 0 || size > RESCUED_BYTES) return
    copyFileSync(`/proc/self/fd/${this.#descriptor}`, to, constants.COPYFILE_FICLONE)
    chmodSync(to, 0o600)
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
