import { Database } from "bun:sqlite"
import { existsSync, mkdirSync, renameSync, statSync } from "node:fs"
import { dirname, resolve } from "node:path"

import { AppError, reasonOf } from "../../errors.ts"
import { tokenOf } from "../../item/lease-token.ts"
import { handedOver, type HeldBeforeRestore, keptFor } from "../../item/lease.ts"
import { isWaiting } from "../../item/moves.ts"
import { copyDatabase, remove, sync } from "./backup.ts"
import { checkDatabase } from "./check.ts"
import { giveToOwner, realPathOf } from "./database-path.ts"
import { refusalOf } from "./fault-sentences.ts"
import { historyIdOf } from "./history.ts"
import { idsAfterRestore, raiseIds } from "./ids-after-restore.ts"
import {
  hasTokens,
  isSameHistory,
  keepDeliveries,
  keepTokens,
  newestOf,
  type PresentDatabase,
  presentOf,
} from "./kept-by-restore.ts"
import { Lock } from "./lock.ts"
import { setAside, setAsideNow, wayBack } from "./set-aside-by-restore.ts"
import { SqliteStore } from "./sqlite.ts"

/** The result of a restore. */
export interface Restored {
  /** How many items the backup had, without those that were deleted. */
  readonly items: number
  /** The path of the database that was there before; null if there was none. */
  readonly before: string | null
  /** Whether the tokens and numbers of the previous database, which may be gone, could be read. */
  readonly isKnown: boolean
  /** Whose tokens are in force: those of the previous database, of the backup, or of neither, as both have none. */
  readonly tokensOf: "former" | "backup" | "neither"
  /** How many tokens in force of the backup are not in force any more. */
  readonly droppedTokens: number
}

/** What is known of the present database once the history of the copy has begun. */
interface HistoryBegun {
  /** How many tokens of the backup are dropped. */
  readonly droppedTokens: number
  /** The leases of the workers that render, as far as is known, by the IDs of their items in the backup. */
  readonly held: PresentDatabase["held"]
}

/** Gives the copy its own history. Its numbers continue above all numbers that were ever given. */
function beginHistory(client: Database, present: PresentDatabase | null, isReplaced: boolean): HistoryBegun {
  const ids = idsAfterRestore(client, present, isReplaced)
  const { lastUpdate, resumed } = ids
  const [from, to] = [historyIdOf(client), crypto.randomUUID()]
  const names = { from, to, lastUpdate, head: resumed + 1, time: new Date().toISOString() }
  return client.transaction(() => {
    raiseIds(client, ids)
    client
      .query("UPDATE history SET id = ?, restored_id = ?, resumed_id = ?, pruned = pruned + ?")
      .run(to, lastUpdate, resumed, resumed + 1 - lastUpdate)
    keepDeliveries(client, present, names)
    const held = present !== null && isSameHistory(present, names) ? present.held : new Map()
    return { droppedTokens: keepTokens(client, present, names), held }
  })()
}

/** Lets an item that waits in the copy wait for the worker that holds it in the present database. */
async function keepForWorker(store: SqliteStore, id: number, lease: HeldBeforeRestore): Promise<void> {
  const stored = await store.stored(id).catch(() => undefined)
  if (stored === undefined || !isWaiting(stored.item.status)) return
  if (tokenOf(stored.work) !== tokenOf({ lease_token: lease.token })) await store.change(id, keptFor(lease))
}

async function endLeases(path: string, held: PresentDatabase["held"]): Promise<void> {
  const store = new SqliteStore(path)
  try {
    while ((await store.sweep({ due: "lease", by: Number.MAX_SAFE_INTEGER }, handedOver)) > 0);
    await Promise.all([...held].map(([id, lease]) => keepForWorker(store, id, lease)))
  } finally {
    await store.close()
  }
}

function removeBeside(path: string): void {
  for (const suffix of ["-wal", "-shm", ".lock", ".lock-journal"]) remove(`${path}${suffix}`)
}

function moveIfThere(from: string, to: string): void {
  if (existsSync(from)) renameSync(from, to)
}

/** Puts the copy in its place; returns the new name of the database that was there. */
function putInPlace(copy: string, target: string): string | null {
  const before = existsSync(target) ? setAsideNow(target) : null
  try {
    if (before !== null) renameSync(target, before)
    // These files belong to the previous database: SQLite would write them into the restored one.
    if (before !== null) moveIfThere(`${target}-wal`, `${before}-wal`)
    remove(`${target}-wal`)
    remove(`${target}-shm`)
    renameSync(copy, target)
  } catch (error) {
    // The log comes first: if this is the last that we can do, no server starts on a database without it.
    for (const part of before === null ? [] : ["-wal", ""]) moveIfThere(before + part, target + part)
    throw error
  }
  sync(dirname(target))
  return before
}

/**
 * Replaces the database at `path` with a backup, while no server runs on it. The previous database
 * stays beside it, under another name.
 *
 * The history gets a new name, and event IDs and item IDs continue above those of both databases, so that no
 * number ever has two meanings. Items that are being rendered, in the backup or in the present database, wait a minute
 * for their workers, which may claim them by their id at once. No webhook is called twice for the same update. The
 * tokens are those of the present database.
 * @throws AppError `unavailable` if a server runs, the backup is damaged or incomplete or is the database itself, the
 * present database was made by a newer version, or an earlier restore was killed at its last step; then nothing is
 * changed
 */
export async function restoreDatabase(path: string, file: string): Promise<Restored> {
  const target = realPathOf(path)
  if (isSameFile(file, target)) {
    throw new AppError("unavailable", `${file} is the database itself; name a backup of it`)
  }
  checkNothingIsSetAside(target)
  const { items, faults } = checkDatabase(file)
  const [fault] = faults
  if (fault !== undefined) throw new AppError("unavailable", `${file} is damaged or incomplete: ${fault}`)
  try {
    return { items, ...(await put(file, target)) }
  } catch (error) {
    throw refusalOf(error, target, `${file} was not restored to ${target}`)
  }
}

/** Where a restore makes the new database, before that gets its place. */
const copyFor = (target: string): string => `${target}.restoring`

/** Refuses to go on where a restore was killed at its last step: the tokens and numbers in use would be unknown. */
function checkNothingIsSetAside(target: string): void {
  const copy = copyFor(target)
  if (existsSync(target) || !existsSync(copy)) return
  const former = setAside(target)
  if (former === undefined) return
  throw new AppError(
    "unavailable",
    `a restore was killed before the backup was in its place: ${wayBack(target, former)}, and restore again; to go on without that database, delete ${copy}`,
  )
}

/** Whether two paths lead to one file, also through links. */
function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false, bigint: true }))
  return a !== undefined && a.ino === b?.ino && a.dev === b.dev
}

/** @throws AppError `unavailable` that says that the backup is in its place */
function forgetPrevious(target: string): void {
  try {
    remove(`${target}.lock`)
  } catch (cause) {
    throw new AppError(
      "unavailable",
      `the backup was restored to ${target}, but ${target}.lock, which belongs to the database before, cannot be removed: ${reasonOf(cause)}; remove it before you start a server`,
      { cause },
    )
  }
}

async function put(file: string, target: string): Promise<Omit<Restored, "items">> {
  mkdirSync(dirname(target), { recursive: true })
  const wasLockThere = existsSync(`${target}.lock`)
  const lock = new Lock(target)
  const copy = copyFor(target)
  let isDone = false
  try {
    remove(copy)
    removeBeside(copy)
    copyDatabase(resolve(file), copy)
    // The lock file has a record of a database that is gone.
    const isReplaced = existsSync(target) || lock.tables !== undefined
    // To open a backup migrates it to this version, and removes the mark that says it is a backup.
    await new SqliteStore(copy, undefined, { isNewAllowed: true }).close()
    let present: PresentDatabase | null
    let isAnyToken: boolean
    let begun: HistoryBegun
    {
      using client = new Database(copy, { readwrite: true })
      present = presentOf(target, newestOf(client))
      begun = beginHistory(client, present, isReplaced)
      isAnyToken = client.query("SELECT 1 FROM tokens LIMIT 1").get() !== null
    }
    await endLeases(copy, begun.held)
    removeBeside(copy)
    giveToOwner(copy)
    sync(copy)
    const before = putInPlace(copy, target)
    isDone = true
    const tokensOf = hasTokens(present) ? "former" : isAnyToken ? "backup" : "neither"
    return { before, isKnown: !isReplaced || present !== null, tokensOf, droppedTokens: begun.droppedTokens }
  } finally {
    lock.close()
    // The record of the previous database would keep the next server from starting.
    if (isDone) forgetPrevious(target)
    else if (!wasLockThere) remove(`${target}.lock`)
    remove(copy)
    removeBeside(copy)
  }
}
