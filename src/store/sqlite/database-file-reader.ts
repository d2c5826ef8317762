import type { Database } from "bun:sqlite"
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  statSync,
} from "node:fs"

import { codeOf } from "../../errors.ts"
import { textOfMark } from "./database-mark.ts"
import { isDamage } from "./fault-sentences.ts"
import type { Opened } from "./open.ts"

/**
 * A deleted database of at most this size is copied before it is gone. A stop has no time for a larger one.
 */
const RESCUED_BYTES = 256 * 1024 * 1024

/** The length of the header of a write-ahead log, and of the header of each frame in it, in bytes. */
const [LOG_HEADER, FRAME_HEADER] = [32, 24]

const NO_PAGE = 0

/** The write-ahead log of an open database. */
class Log {
  readonly #client: Database
  readonly #path: string

  /** `path` is that of the database. */
  constructor(client: Database, path: string) {
    this.#client = client
    this.#path = `${path}-wal`
  }

  /**
   * Whether all pages of a range will come from the log into the file. @throws Error if the log cannot be
   * read
   */
  has({ from, to }: { readonly from: number; readonly to: number }): boolean {
    const { log, checkpointed } = this.#frames
    if (log - checkpointed < to - from + 1) return false
    const missing = new Set(Array.from({ length: to - from + 1 }, (_, at) => from + at))
    for (const page of this.#pages(checkpointed + 1, log)) missing.delete(page)
    return missing.size === 0
  }

  /**
   * Whether another program has emptied the log or cut it off, although a part of it is not in the file yet.
   * @throws Error if it cannot be read
   */
  get isCut(): boolean {
    const { log: before, checkpointed } = this.#frames
    // SQLite reads nothing of it any more, and begins it again at the next write.
    if (checkpointed >= before) return false
    const { size } = statSync(this.#path)
    // Where a log was emptied, SQLite writes on at its own place, and what was before it is zeros.
    // All of what is asked for is taken, because only then the log is closed again.
    const [first] = [...this.#pages(1, 1)]
    const isLacking = size < LOG_HEADER + before * this.#frameBytes || first === NO_PAGE
    // Meanwhile another program may have made the log empty in the right way, by SQLite's own means.
    return isLacking && this.#frames.log >= before
  }

  /** How many frames the log has, and how many of them are in the file. */
  get #frames(): { readonly log: number; readonly checkpointed: number } {
    const query = this.#client.query<{ log: number; checkpointed: number }, []>("PRAGMA wal_checkpoint(NOOP)")
    return query.get() ?? { log: 0, checkpointed: 0 }
  }

  get #frameBytes(): number {
    return (
      FRAME_HEADER + (this.#client.query<{ page_size: number }, []>("PRAGMA page_size").get()?.page_size ?? 0)
    )
  }

  /** The numbers of the pages that the frames of the log contain. */
  *#pages(from: number, to: number): Generator<number> {
    const frameBytes = this.#frameBytes
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

/** The place in the first page that has the number of pages. */
const SIZE_IN_PAGES = 28

/** Gives the file or link at a path the first number behind its name that is free. */
function moveAside(path: string): void {
  const isThere = (at: string): boolean => lstatSync(at, { throwIfNoEntry: false }) !== undefined
  if (!isThere(path)) return
  let number = 1
  while (isThere(`${path}.${number}`)) number += 1
  renameSync(path, `${path}.${number}`)
}

/**
 * The file of an open database as it is on the disk: whether it carries the mark, and whether its end is missing. It is
 * read without SQLite, which would use its cached pages.
 */
export class DatabaseFileReader {
  readonly #descriptor: number
  /** Room for the page that carries the mark. */
  readonly #page: Buffer
  readonly #client: Database
  readonly #mark: string
  readonly #log: Log
  /** The number of the page that carries the mark. It changes when the database is rewritten. */
  #number: number

  /** Opens the file of the database a second time, to read what is on the disk. */
  constructor({ client, found, mark }: Opened) {
    this.#client = client
    const { page_size = 0 } = client.query<{ page_size: number }, []>("PRAGMA page_size").get() ?? {}
    this.#page = Buffer.alloc(page_size)
    this.#number = this.#numberNow
    this.#mark = textOfMark(mark)
    this.#log = new Log(client, found.path)
    this.#descriptor = openSync(found.path, "r")
  }

  /** Whether the file carries the mark. */
  isMarked(): boolean {
    try {
      if (this.#hasMark()) return true
      const now = this.#numberNow
      if (now === this.#number) return false
      // The database was rewritten, and the result may not be in the file yet.
      if (this.#log.has({ from: now, to: now })) return true
      this.#number = now
      return this.#hasMark()
    } catch (error) {
      // A read error of the disk does not mean that the mark was overwritten.
      return !isDamage(codeOf(error))
    }
  }

  get #numberNow(): number {
    const sql = "SELECT rootpage FROM sqlite_master WHERE name = 'history'"
    return this.#client.query<{ rootpage: number }, []>(sql).get()?.rootpage ?? 1
  }

  #hasMark(): boolean {
    const { length } = this.#page
    const read = readSync(this.#descriptor, this.#page, 0, length, (this.#number - 1) * length)
    return this.#page.subarray(0, read).includes(this.#mark)
  }

  /**
   * Whether the file is shorter than its first page says, and the log does not contain the rest. While a
   * reader uses an old state, SQLite writes the first page into the file before the pages that have changed
   * since that state.
   */
  get isCut(): boolean {
    const header = Buffer.alloc(SIZE_IN_PAGES + 4)
    try {
      readSync(this.#descriptor, header, 0, header.length, 0)
      const there = Math.floor(fstatSync(this.#descriptor).size / this.#page.length)
      const pages = header.readUInt32BE(SIZE_IN_PAGES)
      return there < pages && !this.#log.has({ from: there + 1, to: pages })
    } catch {
      // A read error of the disk does not mean that the file is shorter.
      return false
    }
  }

  /** Whether another program has taken something from the write-ahead log that is not in the file yet. */
  get isLogCut(): boolean {
    try {
      return this.#log.isCut
    } catch {
      return false
    }
  }

  /**
   * Copies a file that has no name any more. What was rescued before gets a number behind its name.
   * @throws Error if that cannot be done
   */
  rescue(to: string): void {
    const { nlink, size } = fstatSync(this.#descriptor)
    if (nlink > 0 || size > RESCUED_BYTES) return
    moveAside(to)
    copyFileSync(`/proc/self/fd/${this.#descriptor}`, to, constants.COPYFILE_FICLONE)
    chmodSync(to, 0o600)
  }

  /**
   * To be called after SQLite has closed the file: this call removes all locks that the process has on the
   * file.
   */
  close(): void {
    closeSync(this.#descriptor)
  }
}
