import { Database, SQLiteError } from "bun:sqlite"
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs"
import { dirname } from "node:path"

import { AppError } from "../../errors.ts"
import { reservePrivately } from "./database-path.ts"
import { BACKUP_MARK, isMarkOf, type Mark, markIn } from "./mark.ts"

/** What the lock file remembers. */
interface Memory extends Mark {
  /**
   * The number of the database file in its file system, and that of the lock file: both differ in a copy of the
   * folder.
   */
  readonly inode: number
  readonly own: number
}

/** What a write-ahead log begins with. */
const LOG_MAGIC = 0x377f0682

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0
const inodeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.ino ?? 0

/** Which file lies at a path; empty if none does. SQLite's own locks forbid to open it for this. */
function identityOf(path: string): string {
  const file = statSync(path, { throwIfNoEntry: false })
  return file ? `${file.dev}.${file.ino}` : ""
}

/** Whether a file is a write-ahead log that SQLite will read, or an empty one. */
function isLog(path: string): boolean {
  const size = statSync(path, { throwIfNoEntry: false })?.size
  if (size === undefined || size === 0) return size === 0
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
const isDamage = (error: unknown): boolean =>
  error instanceof SQLiteError && /^SQLITE_(?:NOTADB|CORRUPT|ERROR)/.test(error.code ?? "")

const refuse = (message: string, path: string): never => {
  throw new AppError(
    "unavailable",
    `${message}. Put back what belongs there; put a backup there by track-studio restore; or start once with --new-database, which takes ${path} as it is, or begins an empty queue`,
  )
}

/**
 * Notes where a database was if its lock file is gone, perhaps with the whole folder. Without the note the next start
 * would begin an empty queue there.
 */
export function leaveWord(path: string, mark: Mark): void {
  if (existsSync(`${path}.lock`)) return
  mkdirSync(dirname(path), { recursive: true })
  const lock = new Lock(path, true)
  lock.remember(mark)
  lock.close()
  chmodSync(`${path}.lock`, 0o600)
}

/** What SQLite keeps beside a database, and what we do. */
const BESIDE = ["-wal", "-shm", "-journal", ".lock", ".lock-journal"]

/** SQLite would wait for the writer of a pipe, or call the disk full, and root would make a device private. */
function checkBeside(path: string): void {
  const odd = BESIDE.find((part) => statSync(`${path}${part}`, { throwIfNoEntry: false })?.isFile() === false)
  if (odd === undefined) return
  throw new AppError(
    "unavailable",
    `${path}${odd} is not a file, as SQLite needs it beside the database; remove or rename it, and start again`,
  )
}

/**
 * The lock file beside a database: a database of its own, held by a transaction, so that whatever ends the process
 * releases it. A second server would show none of the first one's updates, and take its workers for lost. It also
 * remembers which file it belongs to, so that no other is taken for it.
 */
export class Lock implements Disposable {
  readonly #path: string
  readonly #isNew: boolean
  #client: Database
  /** The identity of each file as it was opened, by path. */
  readonly #opened = new Map<string, string>()
  #inode: number | undefined

  /**
   * With `isNewAllowed`, a lock file that cannot be read is accepted even if there is no database beside it.
   * @throws AppError `unavailable` if another server holds the lock, the lock file cannot be read and the database is
   * gone, or something beside the database is no file
   */
  constructor(path: string, isNewAllowed = false) {
    checkBeside(path)
    this.#path = path
    this.#isNew = !existsSync(`${path}.lock`)
    this.#client = this.#open()
    try {
      if (this.#isReadable()) return
      if (sizeOf(path) === 0 && !isNewAllowed) {
        refuse(`the database ${path} is gone, and ${path}.lock, which is damaged, was kept for it`, path)
      }
      // A power cut leaves it so, as it is never synced. The lock is free: SQLite reads a file only once it
      // may lock it.
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

  /** Whether the lock, which is held from now on, remembers what can be read. */
  #isReadable(): boolean {
    try {
      this.#hold()
      this.#memory()
      return true
    } catch (error) {
      if (isDamage(error)) return false
      throw error
    }
  }

  #hold(): void {
    const client = this.#client
    try {
      client.run("PRAGMA busy_timeout = 0")
      // The lock file is not synced, so that no start waits for the disk here; after a power cut it may lag
      // behind (`MOST_AHEAD` in `mark.ts`).
      client.run("PRAGMA synchronous = OFF")
      client.run("PRAGMA journal_mode = MEMORY")
      client.run("BEGIN EXCLUSIVE")
    } catch (error) {
      if (!(error instanceof SQLiteError && error.code?.startsWith("SQLITE_BUSY"))) throw error
      // Without SQLite's error as its cause: the start would take that for something else, and explain it in its place.
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
   * Checks that the file at the path is the database that the last server used.
   * @throws AppError `unavailable` if that is gone, or another one, or if a write-ahead log of another file lies there
   */
  check(): void {
    const path = this.#path
    const memory = this.#memory()
    const isThere = sizeOf(path) > 0
    const hasLog = sizeOf(`${path}-wal`) > 0
    if (memory && !isThere) refuse(`the database ${path} is gone, and ${path}.lock remembers it`, path)
    if (!isThere && hasLog) refuse(`${path}-wal is left over from a database that is gone`, path)
    const text = isThere ? markIn(path, memory, hasLog) : undefined
    if (text === BACKUP_MARK) refuse(`${path} is a backup, and viewers would not learn what it lacks`, path)
    if (!memory) return
    if (!isMarkOf(memory, text)) {
      refuse(`${path} is not the database that the last server used, as ${path}.lock remembers`, path)
    }
    if (hasLog && this.#isInPlaceOfAnother(memory)) {
      refuse(`${path}-wal belongs to another file than ${path}, which was put in its place`, path)
    }
  }

  /**
   * Whether the file at the path is another one than the one that is remembered, and not because the whole
   * folder was copied.
   */
  #isInPlaceOfAnother({ inode, own }: Memory): boolean {
    return inodeOf(`${this.#path}.lock`) === own && inodeOf(this.#path) !== inode
  }

  /** Takes the file at the path as it is; a write-ahead log that belongs to another one is set aside. */
  override(): void {
    const path = this.#path
    const memory = this.#memory()
    const text = sizeOf(path) > 0 ? markIn(path, memory, sizeOf(`${path}-wal`) > 0) : BACKUP_MARK
    const isKnown = memory === null || (isMarkOf(memory, text) && !this.#isInPlaceOfAnother(memory))
    const isOther = text === BACKUP_MARK || !isKnown
    for (const part of ["-wal", "-shm"]) {
      if (isOther && existsSync(`${path}${part}`)) renameSync(`${path}${part}`, `${path}${part}.old`)
    }
  }

  /**
   * Why what the last server acknowledged may be missing, as a sentence: it did not close the database, and its
   * write-ahead log is gone or cannot be read, which SQLite passes over without a word. Undefined if all is there.
   */
  get loss(): string | undefined {
    const path = `${this.#path}-wal`
    const memory = this.#memory()
    if (memory === null || this.#leftOpen() !== memory.starts || isLog(path)) return undefined
    return `the last server did not close the database, and ${path} is gone or cannot be read: what it held is lost, unless another program has written that into the database`
  }

  /** The number of the start after which the database was not closed; undefined if it was. */
  #leftOpen(): number | undefined {
    const table = this.#client.query("SELECT 1 FROM sqlite_master WHERE name = 'open'").get()
    if (!table) return undefined
    return this.#client.query<{ starts: number }, []>("SELECT starts FROM open").get()?.starts
  }

  /** Remembers that the database carries at least this mark, whatever happens later; and whether it stays open. */
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
    // A table of its own: older versions do not know it.
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

  /** From now on these paths must lead to the files that they lead to now. */
  watch(paths: readonly string[]): void {
    for (const path of paths) this.#opened.set(path, identityOf(path))
  }

  /** Whether the files that are watched are in their places: not replaced, moved or deleted. */
  get isInPlace(): boolean {
    return [...this.#opened].every(([file, identity]) => identityOf(file) === identity)
  }

  /** Whether another server may have the database by now: it lies there still, beside another lock file. */
  get isTaken(): boolean {
    const [path, lock] = [this.#path, `${this.#path}.lock`]
    return existsSync(lock) && identityOf(lock) !== this.#opened.get(lock) && inodeOf(path) === this.#inode
  }

  /** Releases the lock. */
  close(): void {
    this.#client.close()
  }

  /** Releases a lock of a start that failed; the file goes, too, if this start made it. */
  [Symbol.dispose](): void {
    const isEmpty = this.#isNew && sizeOf(`${this.#path}.lock`) === 0
    this.close()
    if (isEmpty) rmSync(`${this.#path}.lock`, { force: true })
  }
}
