import { copyFileSync, existsSync, rmSync, truncateSync } from "node:fs"

import { AppError } from "../../errors.ts"
import type { StoreFault } from "../contract/life.ts"
import { DatabaseFileReader } from "./database-file-reader.ts"
import { type Mark, movedOn, textOfMark } from "./database-mark.ts"
import { sizeOf } from "./database-path.ts"
import type { GroupCommit } from "./group-commit.ts"
import { HEAD } from "./history.ts"
import { leaveWord } from "./lock.ts"
import { type Opened, WAL_BYTES, writeLog } from "./open.ts"

/**
 * A write-ahead log of this size was not written into the file for a long time: some reader holds an old
 * state.
 */
const PINNED_BYTES = 2 * WAL_BYTES

/**
 * A file system notes the time of a change in steps: of 10 ms at most on Linux's own, of 2 s on some others. A file that
 * was read so long after its last known change shows any later change by another time.
 */
const STEP_OF_CHANGES_MS = 2500

/** The file of an open database: whether it is still in its place, its write-ahead log, its mark, and its end. */
export class DatabaseFileWatch {
  readonly #opened: Opened
  readonly #group: GroupCommit
  readonly #onDisk: DatabaseFileReader
  /** Whether the mark of this start is on the disk, at least in the log; undefined while it is being written. */
  #isMarkLogged: boolean | undefined = false
  /** Whether the file carries the mark of this start for good, and the lock knows it. */
  #isMarkKept = false
  /** Whether the file itself has carried the mark of this start. If it has, it must still carry it. */
  #wasMarked: boolean
  /** The latest event ID that was seen. */
  #head = 0
  /** Whether the file was too short at the last check. */
  #wasCut = false
  /** The state of the files, when it was first seen, and when their content was last read and found right. */
  #sound: { readonly state: string; readonly seenMs: number; readonly readMs: number } | undefined

  constructor(opened: Opened, group: GroupCommit) {
    this.#opened = opened
    this.#group = group
    this.#onDisk = new DatabaseFileReader(opened)
    this.#wasMarked = this.#onDisk.isMarked()
  }

  /** What is wrong with the file now; see `Life.faults`. */
  faults(): StoreFault[] {
    const { lock, found } = this.#opened
    const { state } = lock
    const isReplaced = state === undefined || this.#isOther(state)
    if (!isReplaced) void this.#keepMark()
    if (isReplaced) this.#group.refuse(replaced(found.path))
    return [
      ...(isReplaced ? ["file_replaced" as const] : []),
      ...(this.#isPinned() ? ["wal_pinned" as const] : []),
    ]
  }

  /**
   * Writes everything into the file, after `lastWords`, and closes the file. If the file was deleted, it is
   * copied to a new file, whose name has `.rescued` at its end.
   */
  close(lastWords: () => void): void {
    const { client, lock, mark, found } = this.#opened
    const isInPlace = lock.state !== undefined
    // A copy that has replaced this database must not be taken for it.
    const last = isInPlace ? mark : movedOn(mark)
    const isForeign =
      !lock.isTaken && (this.#isOverwritten() || this.#onDisk.isCut || (isInPlace && this.#onDisk.isLogCut))
    if (isForeign) setLogAside(found.path)
    else if (!lock.isTaken) this.#writeAll(lastWords, last)
    client.close()
    // If the log was ours, the next start finds that it is gone, and says that something may be lost.
    if (isForeign) rmSync(`${found.path}-wal`, { force: true })
    lock.close()
    if (!isInPlace) this.#leaveBehind(last)
    this.#onDisk.close()
  }

  #writeAll(lastWords: () => void, last: Mark): void {
    const { client, lock, mark } = this.#opened
    try {
      lastWords()
      if (last !== mark) client.run("UPDATE history SET mark = ?", [textOfMark(last)])
      // The lock must not know a mark that the file lacks: the next start would take it for another one.
      if (writeLog(client, true)) lock.remember(last)
    } catch {
      // Acknowledged writes are in the write-ahead log, where the next start finds them.
    }
  }

  #leaveBehind(last: Mark): void {
    const { found, named } = this.#opened
    const { path } = found
    try {
      for (const each of [path, named]) leaveWord(each, last)
      this.#onDisk.rescue(`${path}.rescued`)
    } catch {
      // Nothing can be written there.
    }
  }

  /** Whether the files hold something else than was written here. Files that have not changed are not read again. */
  #isOther(state: string): boolean {
    const nowMs = performance.now()
    const known = this.#sound?.state === state ? this.#sound : undefined
    if (known && known.readMs - known.seenMs >= STEP_OF_CHANGES_MS) return false
    // A transaction that is under way hides what another program has written.
    const isOpen = this.#opened.client.inTransaction
    const isOther = this.#isOverwritten() || this.#isCut() || this.#isRestored()
    this.#sound = isOther || isOpen ? undefined : { state, seenMs: known?.seenMs ?? nowMs, readMs: nowMs }
    return isOther
  }

  /** Whether another program wrote into the file itself, for example with a plain copy over it. */
  #isOverwritten(): boolean {
    const isMarked = this.#onDisk.isMarked()
    this.#wasMarked ||= isMarked
    return this.#wasMarked && !isMarked
  }

  /**
   * Whether another program has put another database here by SQLite's own means, as `.restore` of SQLite's
   * shell does. Then the mark is not ours, or the newest event ID is lower than the one that we have seen.
   */
  #isRestored(): boolean {
    const { client, mark } = this.#opened
    // The additions of a transaction that is under way may still be rolled back.
    if (client.inTransaction) return false
    try {
      const row = client
        .query<{ mark: string; head: number }, []>(`SELECT mark, ${HEAD} AS head FROM history`)
        .get()
      const isOther = row?.mark !== textOfMark(mark) || row.head < this.#head
      this.#head = Math.max(this.#head, row?.head ?? 0)
      return isOther
    } catch {
      // A database that is locked or cannot be read is another fault.
      return false
    }
  }

  /**
   * Whether the end of the file is missing, or a part of its log. Two checks in a row must find this: at one check
   * alone, another program may be about to make the file longer.
   */
  #isCut(): boolean {
    const wasCut = this.#wasCut
    this.#wasCut = this.#onDisk.isCut || this.#onDisk.isLogCut
    return wasCut && this.#wasCut
  }

  /**
   * Writes the mark of this start to the disk, and then lets the lock rely on it. At the start, this wait
   * would be too long.
   */
  async #keepMark(): Promise<void> {
    const { client, lock, mark } = this.#opened
    if (this.#isMarkKept || this.#isMarkLogged === undefined) return
    const isLogged = this.#isMarkLogged
    this.#isMarkLogged = undefined
    try {
      if (!isLogged) await this.#group.run(() => client.run("UPDATE history SET mark = mark"))
      this.#isMarkLogged = true
      // While somebody reads an old state, the next check tries again. Until then, the lock relies on the previous mark.
      if (!writeLog(client)) return
      lock.remember(mark, true)
      this.#isMarkKept = true
    } catch {
      this.#isMarkLogged ??= false
    }
  }

  #isPinned(): boolean {
    const { client, found } = this.#opened
    const size = (): number => sizeOf(`${found.path}-wal`)
    if (size() <= PINNED_BYTES) return false
    client.run("PRAGMA wal_checkpoint(TRUNCATE)")
    return size() > PINNED_BYTES
  }
}

/**
 * The log belongs to the file that was here before. SQLite would write it into the present file when it
 * closes that file, or at the next start.
 */
function setLogAside(path: string): void {
  if (!existsSync(`${path}-wal`)) return
  copyFileSync(`${path}-wal`, `${path}-wal.old`)
  truncateSync(`${path}-wal`)
}

const replaced = (path: string): AppError =>
  new AppError(
    "unavailable",
    `the database ${path} was replaced, moved or deleted while the server ran; nothing was changed, and the server ends`,
  )
