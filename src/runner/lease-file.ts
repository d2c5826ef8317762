import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"

import { type Static, Type } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"

import { valueOf } from "../client/requests.ts"
import { LEASE_TOKEN } from "../client/work-shapes.ts"
import { codeOf } from "../errors.ts"
import type { QueueItem } from "../item/item.ts"
import { lock } from "../machine/libc.ts"
import { MARK } from "./process-brand.ts"
import { Verdict } from "./verdict.ts"

/** A lease as it is stored on the disk. */
export const KeptLease = Type.Object({
  /** The queue item. */
  id: Type.Integer({ minimum: 1 }),
  /** The token of the lease. */
  token: Type.String({ pattern: LEASE_TOKEN.source }),
  /** The number of the attempt that the lease is for; of no meaning if the lease is kept for the next step. */
  attempt: Type.Integer({ minimum: 0 }),
  /** When the item was added, as its server says; absent in files of older versions. */
  queued_at: Type.Optional(Type.String()),
  /**
   * The text that the command and everything that it started carry in their environment; absent if there is
   * no command. It must be a whole mark, because a part of one would also fit other programs.
   */
  mark: Type.Optional(Type.String({ pattern: MARK.source })),
  /** How the attempt ended; absent while it goes on. */
  verdict: Type.Optional(Verdict),
  /** How many claims may have taken the item again, though their answers were not read; default 0. */
  unanswered: Type.Optional(Type.Integer({ minimum: 0 })),
  /**
   * The lease is kept for the next step of its item until this time, in epoch milliseconds; absent if it is
   * not kept.
   */
  kept_until: Type.Optional(Type.Number()),
})
export type KeptLease = Static<typeof KeptLease>

const StoredContents = Type.Object({ server: Type.String(), leases: Type.Array(Type.Unknown()) })

/** What a file lists. */
interface Contents {
  /** The URL of the server that gave the leases. */
  readonly server: string
  readonly leases: readonly KeptLease[]
  /** The leases of another version of this program, which may hold results that only that version can read. */
  readonly unreadable: readonly unknown[]
}

const isKeptLease = (lease: unknown): lease is KeptLease => Value.Check(KeptLease, lease)

/** The host names by which a server on this machine can be reached. */
const OWN_HOSTS: readonly string[] = ["localhost", "127.0.0.1", "[::1]", "0.0.0.0", "[::]"]

/** The address of a server, in the same form however it was written. */
function addressOf(server: string): string {
  const url = URL.parse(server)
  if (!url) return server
  const { protocol, hostname, port, pathname } = url
  const host = OWN_HOSTS.includes(hostname) ? "localhost" : hostname.replace(/\.$/, "")
  return `${protocol}//${host}:${port}${pathname.replace(/\/+$/, "")}`
}

const NOTHING = { leases: [], unreadable: [] } as const

const isKept = ({ kept_until = 0 }: KeptLease): boolean => kept_until > Date.now()

/** The folder for files of leases, inside the folder for what this user's workers store. */
export const leasesIn = (stateFolder: string): string => join(stateFolder, "leases")

/** No file of leases is larger: a worker holds at most 256 leases, and their error messages are short. */
const MAX_BYTES = 64 * 1024 * 1024

const LOCK = ".lock"
const FILE = ".json"

/** The path at which the next contents of a file are written. */
const nextOf = (path: string): string => `${path}.new`

/** Replaces a file as a whole: after a power failure it has either the old or the new contents. */
function replace(path: string, contents: Static<typeof StoredContents>): void {
  const next = nextOf(path)
  try {
    writeFileSync(next, `${JSON.stringify(contents)}\n`, { mode: 0o600, flush: true })
    renameSync(next, path)
  } catch (error) {
    rmSync(next, { force: true })
    throw error
  }
  const folder = openSync(join(path, ".."), "r")
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/**
 * What a file lists; undefined if it does not exist or was damaged.
 * @throws Error if it cannot be read now, for example because too many files are open
 */
function read(path: string): Contents | undefined {
  // Reading a pipe would wait for its writer.
  const file = statSync(path, { throwIfNoEntry: false })
  if (!file?.isFile() || file.size > MAX_BYTES) return undefined
  const contents = valueOf(readFileSync(path, "utf8"))
  if (!Value.Check(StoredContents, contents)) return undefined
  const { server, leases } = contents
  const unreadable = leases.filter((lease) => !isKeptLease(lease))
  return { server, leases: leases.filter(isKeptLease), unreadable }
}

/** Like `read`; undefined also if the file cannot be read, as it may be another user's. */
function contentsOf(path: string): Contents | undefined {
  try {
    return read(path)
  } catch {
    return undefined
  }
}

const APPEND_AT_ONCE = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK
const READ_AT_ONCE = constants.O_RDONLY | constants.O_NONBLOCK

/** Opens a file, created if it does not exist. On a disk that has become read-only it is opened as it is. */
function opened(path: string): number {
  try {
    // If the path is a pipe, opening it like this does not wait for the other end.
    return openSync(path, APPEND_AT_ONCE, 0o600)
  } catch (error) {
    if (codeOf(error) === "EROFS" && existsSync(path)) return openSync(path, READ_AT_ONCE)
    throw error
  }
}

/** Opens a file, created if it does not exist, and locks it; undefined if another process has the lock. */
function locked(path: string): number | undefined {
  const descriptor = opened(path)
  try {
    // Between our opening and locking it, another process may have locked and removed the file.
    if (lock(descriptor) && fstatSync(descriptor).ino === statSync(path).ino) return descriptor
  } catch {
    // The file was removed.
  }
  closeSync(descriptor)
  return undefined
}

const fileOf = (lockPath: string): string => lockPath.slice(0, -LOCK.length) + FILE

/** Removes a file and its lock, and the unfinished file of a worker that was killed while it wrote. */
function removeBoth(lockPath: string): void {
  const path = fileOf(lockPath)
  for (const each of [nextOf(path), path, lockPath]) rmSync(each, { force: true })
}

/**
 * Takes the lease that a file keeps for the next step of this item, and removes the file. Undefined if there
 * is none.
 */
function keptIn(lockPath: string, id: number): KeptLease | undefined {
  const descriptor = locked(lockPath)
  if (descriptor === undefined) return undefined
  try {
    const [lease] = read(fileOf(lockPath))?.leases ?? []
    if (lease === undefined || lease.id !== id || !isKept(lease)) return undefined
    removeBoth(lockPath)
    return lease
  } finally {
    closeSync(descriptor)
  }
}

/** Keeps the lease of an item for its next step. @throws Error if it cannot be written */
export function keepLease(folder: string, server: string, lease: KeptLease): void {
  const file = new LeaseFile(folder, server)
  file.set(lease)
  file.close()
}

/** Takes the lease that `keepLease` kept for this item; undefined if there is none. @throws Error from the disk */
export function takeLease(folder: string, server: string, id: number): KeptLease | undefined {
  if (!existsSync(folder)) return undefined
  for (const name of readdirSync(folder).filter((each) => each.endsWith(LOCK))) {
    const lockPath = join(folder, name)
    const of = contentsOf(fileOf(lockPath))?.server
    const isOurs = of !== undefined && addressOf(of) === addressOf(server)
    const lease = isOurs ? keptIn(lockPath, id) : undefined
    if (lease) return lease
  }
  return undefined
}

/** A file of another process from which we took leases over. */
interface Former {
  /** Holds the lock. */
  readonly descriptor: number
  /** What stays in the file. */
  readonly rest: Static<typeof StoredContents>
}

/**
 * The leases that this process holds, in its own file. The file is locked by the kernel for as long as the process
 * or its guard lives, so that other workers can see by the lock alone, and not by a name or a number, whether the
 * leases in it are still in use. The lock is a file beside it, because the file itself is replaced at each change.
 */
export class LeaseFile {
  /** The path of the file. */
  readonly path: string
  readonly #folder: string
  readonly #server: string
  readonly #leases = new Map<string, KeptLease>()
  /** The locked files of others that still list leases which we took over, by the path of the lock. */
  readonly #former = new Map<string, Former>()
  readonly #unreadable = new Set<string>()
  #descriptor: number | undefined
  #isWritten = true

  /**
   * Creates a file for the leases of one server. The folder is created if it does not exist, with access for
   * this user only. If that fails, the next write tries it again, and throws the reason.
   */
  constructor(folder: string, server: string) {
    const name = join(folder, crypto.randomUUID())
    this.path = name + FILE
    this.#folder = folder
    this.#server = server
    try {
      this.#descriptor = this.#create()
    } catch {
      // The disk may be full. What others left behind can be taken over even so.
    }
  }

  /** The locked file; undefined if it could not be created. A child that inherits it keeps the lock. */
  get descriptor(): number | undefined {
    return this.#descriptor
  }

  /** The files found so far that list leases of another version of this program. They stay for that version. */
  get unreadable(): ReadonlySet<string> {
    return this.#unreadable
  }

  /**
   * Adds a lease, or changes it. `former` is its former token, if it had another one: the file always lists the lease
   * once. @throws Error when the file cannot be written
   */
  set(lease: KeptLease, former = lease.token): void {
    if (former !== lease.token) this.#leases.delete(former)
    this.#leases.set(lease.token, lease)
    this.#write()
  }

  /** Removes a lease that has ended. @throws Error when the file cannot be written */
  remove(token: string): void {
    if (this.#leases.delete(token) || !this.#isWritten) this.#write()
  }

  /**
   * Writes the leases if the last write has failed, if leases were taken over since, or if somebody has removed the
   * file. @throws Error when the file cannot be written
   */
  save(): void {
    if (!this.#isWritten || !this.#isThere) this.#write()
  }

  /**
   * Takes over the leases of files whose lock is free, because their workers are gone. Their files stay, locked by us,
   * until our own file lists these leases: a disk that is full keeps nobody from ending them, and if we are killed
   * before, the next worker finds them there.
   */
  adopt(): KeptLease[] {
    const adopted: KeptLease[] = []
    for (const path of this.#otherLocks()) {
      try {
        adopted.push(...this.#adoptFrom(path))
      } catch {
        // The file may be another user's, as after a `sudo`. That must not stop us from taking over the
        // others.
      }
    }
    return adopted
  }

  /** Whether the file of another process, living or gone, lists a lease of this item as one to be ended. */
  isListedElsewhere({ id, queued_at }: Pick<QueueItem, "id" | "queued_at">): boolean {
    return this.#otherLocks().some((lockPath) => {
      const contents = contentsOf(fileOf(lockPath))
      if (!contents || addressOf(contents.server) !== addressOf(this.#server)) return false
      return contents.leases.some(
        (lease) =>
          lease.id === id && (lease.queued_at ?? queued_at) === queued_at && lease.kept_until === undefined,
      )
    })
  }

  /**
   * Gives up the lock, and removes the file if it lists nothing. Otherwise the next worker takes over what it
   * lists.
   */
  close(): void {
    if (this.#leases.size === 0) {
      this.#leaveFormer()
      removeBoth(this.#lock)
    }
    for (const { descriptor } of [{ descriptor: this.#descriptor }, ...this.#former.values()])
      if (descriptor !== undefined) closeSync(descriptor)
  }

  get #lock(): string {
    return this.path.slice(0, -FILE.length) + LOCK
  }

  /** Whether the file that we have locked is still at its path. */
  get #isThere(): boolean {
    if (this.#descriptor === undefined) return false
    return statSync(this.#lock, { throwIfNoEntry: false })?.ino === fstatSync(this.#descriptor).ino
  }

  #create(): number {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    const descriptor = locked(this.#lock) ?? locked(this.#lock)
    if (descriptor === undefined) throw new Error(`${this.#lock} cannot be locked`)
    return descriptor
  }

  /** The locks in the folder that we do not have; none if the folder cannot be read, as a write will say. */
  #otherLocks(): string[] {
    try {
      const names = readdirSync(this.#folder).filter((name) => name.endsWith(LOCK))
      return names
        .map((name) => join(this.#folder, name))
        .filter((path) => path !== this.#lock && !this.#former.has(path))
    } catch {
      return []
    }
  }

  #adoptFrom(lockPath: string): KeptLease[] {
    const path = fileOf(lockPath)
    const descriptor = locked(lockPath)
    if (descriptor === undefined) return []
    try {
      const { server, unreadable, leases: all } = read(path) ?? { ...NOTHING, server: this.#server }
      if (addressOf(server) !== addressOf(this.#server) || all.some(isKept)) return []
      const leases = all.filter(({ kept_until }) => kept_until === undefined)
      for (const lease of leases) this.#leases.set(lease.token, lease)
      if (unreadable.length > 0) this.#unreadable.add(path)
      if (leases.length > 0) {
        this.#former.set(lockPath, { descriptor, rest: { server, leases: [...unreadable] } })
        this.#isWritten = false
      } else if (unreadable.length === 0) {
        removeBoth(lockPath)
      }
      return leases
    } finally {
      if (!this.#former.has(lockPath)) closeSync(descriptor)
    }
  }

  #write(): void {
    this.#isWritten = false
    if (!this.#isThere) {
      const removed = this.#descriptor
      this.#descriptor = this.#create()
      if (removed !== undefined) closeSync(removed)
    }
    replace(this.path, { server: this.#server, leases: [...this.#leases.values()] })
    // If we are killed before this, both files list the leases, and each lease is ended twice, which does no harm.
    this.#leaveFormer()
    this.#isWritten = true
  }

  #leaveFormer(): void {
    for (const [lockPath, { descriptor, rest }] of this.#former) {
      if (rest.leases.length > 0) replace(fileOf(lockPath), rest)
      else removeBoth(lockPath)
      this.#former.delete(lockPath)
      closeSync(descriptor)
    }
  }
}
