import { Database } from "bun:sqlite"
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  truncateSync,
} from "node:fs"
import { dirname } from "node:path"

import { AppError, codeOf } from "../../errors.ts"
import { BACKUP_MARK, isLogOfAnother, isMarkOf, type Mark, markIn } from "./database-mark.ts"
import { reservePrivately, sizeOf } from "./database-path.ts"
import { setAside, wayBack } from "./set-aside-by-restore.ts"

/** The contents of the lock file. */
interface Memory extends Mark {
  /**
   * The number of the database file in its file system, and the number of the lock file. Both differ in a
   * copy of the folder.
   */
  readonly inode: number
  readonly own: number
}

/** The first bytes of a write-ahead log. */
const LOG_MAGIC = 0x377f0682

const inodeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.ino ?? 0

/**
 * The identity of the file at a path; empty if there is no file. The file is not opened for this, because
 * that would break SQLite's own locks.
 */
const identityOf = (path: string): string => identityIn(statSync(path, { throwIfNoEntry: false }))

const identityIn = (file: Stats | undefined): string => (file ? `${file.dev}.${file.ino}` : "")

/** Whether a file is a write-ahead log that SQLite will read. An empty one is none. */
function isLog(path: string): boolean {
  if (sizeOf(path) === 0) return false
  const descriptor = openSync(path, "r")
  try {
    const magic = Buffer.alloc(4)
    readSync(descriptor, magic, 0, magic.length, 0)
    // The last bit is the order of the bytes in its checksums.
    return magic.readUInt32BE() >>> 1 === LOG_MAGIC >>> 1
  } finally {
    closeSync(descriptor)
  }
}

/** Whether an error means that a file is not a complete database, or not one of ours. */
const isUnusable = (error: unknown): boolean => /^SQLITE_(?:NOTADB|CORRUPT|ERROR)/.test(codeOf(error))

const refuse = (message: string, path: string): never => {
  throw new AppError(
    "unavailable",
    `${message}. Put back what belongs there; put a backup there by track-studio restore; or start once with --new-database, which takes ${path} as it is, or begins an empty queue`,
  )
}

/** What a server saved of a database that was deleted under it, in words; empty if there is none. */
function savedOf(path: string): string {
  const saved = `${path}.rescued`
  const time = statSync(saved, { throwIfNoEntry: false })?.mtime.toISOString()
  return time === undefined ? "" : `; what a server saved of one that was deleted, at ${time}, is in ${saved}`
}

/** Refuses because the database is gone; names what was saved, and the one that a killed restore may have moved away. */
function refuseGone(message: string, path: string): never {
  const former = setAside(path)
  const hint = former === undefined ? "" : `; if a restore was killed, ${wayBack(path, former)}`
  return refuse(message + hint + savedOf(path), path)
}

/**
 * Records where a database was if its lock file is gone, perhaps with the whole folder. Without this record,
 * the next start would begin an empty queue there.
 */
export function leaveWord(path: string, mark: Mark): void {
  if (existsSync(`${path}.lock`)) return
  mkdirSync(dirname(path), { recursive: true })
  const lock = new Lock(path, true)
  lock.remember(mark)
  lock.close()
}

/** The files that SQLite and this program keep beside a database. */
const BESIDE = ["-wal", "-shm", "-journal", ".lock", ".lock-journal"]

/**
 * Refuses anything beside the database that is not a file. SQLite would wait for the writer of a pipe, or say
 * that the disk is full, root would make a device private, and what a link leads to would be written over.
 */
function checkBeside(path: string): void {
  const odd = BESIDE.find(
    (part) => lstatSync(`${path}${part}`, { throwIfNoEntry: false })?.isFile() === false,
  )
  if (odd === undefined) return
  throw new AppError(
    "unavailable",
    `${path}${odd} is not a file, as SQLite needs it beside the database; remove or rename it, and start again`,
  )
}

/**
 * The lock file beside a database. It is a database of its own, and a transaction holds it, so that the end
 * of the process always releases it. A second server would show none of the updates of the first one, and
 * take its workers for lost. The lock file also records to which database file it belongs, so that no other
 * file is taken for that one.
 */
export class Lock implements Disposable {
  readonly #path: string
  readonly #client: Database
  /** The identity of each file as it was opened, by path. */
  readonly #opened = new Map<string, string>()
  #inode: number | undefined

  /**
   * With `isNewAllowed`, a lock file that cannot be read is accepted even if there is no database beside it.
   * @throws AppError `unavailable` if another server holds the lock, if the lock file cannot be read and the
   * database is gone, or if something beside the database is not a file
   */
  constructor(path: string, isNewAllowed = false) {
    checkBeside(path)
    this.#path = path
    this.#client = this.#open()
    try {
      if (this.#isReadable()) return
      if (sizeOf(path) === 0 && !isNewAllowed) {
        refuseGone(`the database ${path} is gone, and ${path}.lock, which is damaged, was kept for it`, path)
      }
      // A power failure can leave the lock file in this state, because it is never synced. The lock is free:
      // SQLite reads a file only after it has locked it.
      this.#client.close()
      truncateSync(`${path}.lock`)
      this.#client = this.#open()
      this.#hold()
    } catch (error) {
      this.#client.close()
      throw error
    }
  }

  #open(): Database {
    reservePrivately(`${this.#path}.lock`)
    return new Database(`${this.#path}.lock`, { create: true, readwrite: true })
  }

  /** Takes the lock, and returns whether the record in the lock file can be read. */
  #isReadable(): boolean {
    try {
      this.#hold()
      this.#memory()
      return true
    } catch (error) {
      if (isUnusable(error)) return false
      throw error
    }
  }

  #hold(): void {
    const client = this.#client
    try {
      client.run("PRAGMA busy_timeout = 0")
      // The lock file is not synced, so that no start waits for the disk here. After a power failure its
      // record may be older than the database (`MOST_AHEAD` in `database-mark.ts`).
      client.run("PRAGMA synchronous = OFF")
      client.run("PRAGMA journal_mode = MEMORY")
      client.run("BEGIN EXCLUSIVE")
    } catch (error) {
      if (!codeOf(error).startsWith("SQLITE_BUSY")) throw error
      // Without SQLite's error as its cause: otherwise the start would explain that error instead of this
      // one.
      throw new AppError(
        "unavailable",
        `the database ${this.#path} is in use by another server; stop that one, or name another file with --database`,
      )
    }
  }

  #memory(): Memory | null {
    const table = this.#client.query("SELECT 1 FROM sqlite_master WHERE name = 'mark'").get()
    if (!table) return null
    return this.#client.query<Memory, []>("SELECT name, starts, tables, inode, own FROM mark").get()
  }

  /**
   * Checks that the file at the path is the database that the last server used. With `isFilled`, a whole database is put
   * there next, so it does not matter what a restore moved away.
   * @throws AppError `unavailable` if that is gone, or another one, if a write-ahead log of another file lies there, or
   * if only the database is there that a restore moved away
   */
  check(isFilled = false): void {
    const path = this.#path
    const memory = this.#memory()
    const isThere = sizeOf(path) > 0
    const hasLog = sizeOf(`${path}-wal`) > 0
    if (memory && !isThere) refuseGone(`the database ${path} is gone, and ${path}.lock remembers it`, path)
    if (!isThere && hasLog) refuseGone(`${path}-wal is left over from a database that is gone`, path)
    if (!isThere && !isFilled && setAside(path) !== undefined)
      refuseGone(`the database ${path} is gone`, path)
    const text = isThere ? markIn(path, memory, hasLog) : undefined
    if (text === BACKUP_MARK)
      refuse(`${path} is a backup, and a server that starts on it could not tell viewers what it lacks`, path)
    if (memory && !isMarkOf(memory, text)) {
      refuse(`${path} is not the database that the last server used, as ${path}.lock remembers`, path)
    }
    const isReplaced = memory !== null && this.#isInPlaceOfAnother(memory)
    if (hasLog && (isReplaced || isLogOfAnother(path, text))) {
      refuse(`${path}-wal belongs to another file than ${path}, which was put in its place`, path)
    }
  }

  /**
   * Whether the file at the path is not the one in the record, for another reason than a copy of the whole
   * folder.
   */
  #isInPlaceOfAnother({ inode, own }: Memory): boolean {
    return inodeOf(`${this.#path}.lock`) === own && inodeOf(this.#path) !== inode
  }

  /** Accepts the file at the path as it is. A write-ahead log that belongs to another file is set aside. */
  override(): void {
    const path = this.#path
    const memory = this.#memory()
    const text = sizeOf(path) > 0 ? markIn(path, memory, sizeOf(`${path}-wal`) > 0) : BACKUP_MARK
    const isKnown = memory === null || (isMarkOf(memory, text) && !this.#isInPlaceOfAnother(memory))
    const isOther = text === BACKUP_MARK || !isKnown || isLogOfAnother(path, text)
    for (const part of ["-wal", "-shm"]) {
      if (isOther && existsSync(`${path}${part}`)) renameSync(`${path}${part}`, `${path}${part}.old`)
    }
  }

  /**
   * A sentence that says why acknowledged writes of the last server may be missing; undefined if all are
   * there. They may be missing if that server did not close the database and its write-ahead log is gone,
   * empty or damaged: SQLite says nothing about this.
   */
  get loss(): string | undefined {
    const path = `${this.#path}-wal`
    const memory = this.#memory()
    if (memory === null || this.#leftOpen() !== memory.starts || isLog(path)) return undefined
    return `the last server did not close the database, and ${path} is gone, empty or damaged: what it held is lost, unless that had been written into the database before`
  }

  /** The number of the start after which the database was not closed; undefined if it was. */
  #leftOpen(): number | undefined {
    const table = this.#client.query("SELECT 1 FROM sqlite_master WHERE name = 'open'").get()
    if (!table) return undefined
    return this.#client.query<{ starts: number }, []>("SELECT starts FROM open").get()?.starts
  }

  /**
   * Records that the database carries at least this mark, whatever happens later, and whether it stays open.
   */
  remember({ name, starts, tables }: Mark, isOpen = false): void {
    this.#inode ??= inodeOf(this.#path)
    const client = this.#client
    client.run(
      "CREATE TABLE IF NOT EXISTS mark (name TEXT, starts INTEGER, tables INTEGER, inode INTEGER, own INTEGER)",
    )
    client.run("DELETE FROM mark")
    client.run("INSERT INTO mark VALUES (?, ?, ?, ?, ?)", [
      name,
      starts,
      tables,
      this.#inode,
      inodeOf(`${this.#path}.lock`),
    ])
    // This is a table of its own because older versions do not know it.
    client.run("CREATE TABLE IF NOT EXISTS open (starts INTEGER)")
    client.run("DELETE FROM open")
    if (isOpen) client.run("INSERT INTO open VALUES (?)", [starts])
    client.run("COMMIT")
    this.#hold()
  }

  /** SQLite's number for the tables that the last server checked; undefined if none did. */
  get tables(): number | undefined {
    return this.#memory()?.tables
  }

  /** From now on, each of these paths must lead to the same file as now. */
  watch(paths: readonly string[]): void {
    for (const path of paths) this.#opened.set(path, identityOf(path))
  }

  /**
   * What each write to a watched file changes: their sizes, and when the kernel last changed them. Undefined unless all
   * are in their places: one was replaced, moved or deleted.
   */
  get state(): string | undefined {
    let state = ""
    for (const [path, identity] of this.#opened) {
      const file = statSync(path, { throwIfNoEntry: false })
      if (identityIn(file) !== identity) return undefined
      state += ` ${file?.size}.${file?.ctimeMs}`
    }
    return state
  }

  /**
   * Whether another server may have the database now: the database is still in its place, but the lock file
   * beside it is another one.
   */
  get isTaken(): boolean {
    const [path, lock] = [this.#path, `${this.#path}.lock`]
    return existsSync(lock) && identityOf(lock) !== this.#opened.get(lock) && inodeOf(path) === this.#inode
  }

  /** Releases the lock. */
  close(): void {
    this.#client.close()
  }

  /** Releases the lock of a start that failed, and deletes a lock file that records nothing. */
  [Symbol.dispose](): void {
    const isEmpty = sizeOf(`${this.#path}.lock`) === 0
    this.close()
    if (isEmpty) rmSync(`${this.#path}.lock`, { force: true })
  }
}
