import { Database } from "bun:sqlite"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const SECTOR = 512
const HEAD = 32

/** One action of a program, as the shim recorded it. */
interface Did {
  /** W: write, T: truncation, S: sync, A: an answer that was sent. */
  readonly kind: string
  /** `db`, `wal`, or empty for an answer. */
  readonly file: string
  readonly offset: number
  readonly bytes: Uint8Array
}

/** The actions, in order. */
export function recorded(file: string): Did[] {
  const all = readFileSync(file)
  const did: Did[] = []
  for (let at = 0; at + HEAD <= all.length;) {
    const kind = String.fromCharCode(all[at] ?? 0)
    const path = all.toString("latin1", at + 1, at + 16).replaceAll("\0", "")
    const offset = Number(all.readBigInt64LE(at + 16))
    const length = Number(all.readBigInt64LE(at + 24))
    const name = path.endsWith(".db-wal") ? "wal" : path.endsWith(".db") ? "db" : ""
    const bytes =
      kind === "W" || kind === "A" ? all.subarray(at + HEAD, at + HEAD + length) : new Uint8Array()
    at += HEAD + bytes.length
    if (kind === "A" || name !== "") did.push({ kind, file: name, offset, bytes })
  }
  return did
}

/** The messages `ack-N-` that had been sent in an answer or on a stream. */
const acknowledged = ({ kind, bytes }: Did): string[] =>
  kind === "A"
    ? (Buffer.from(bytes)
        .toString("latin1")
        .match(/ack-\d+-/g) ?? [])
    : []

/** A file, as the disk has it. */
class OnDisk {
  #room: Uint8Array
  #length: number

  constructor(bytes = new Uint8Array()) {
    this.#room = bytes
    this.#length = bytes.length
  }

  get bytes(): Uint8Array {
    return this.#room.subarray(0, this.#length)
  }

  copy(): OnDisk {
    return new OnDisk(this.bytes.slice())
  }

  apply({ kind, offset, bytes }: Did, length = bytes.length): void {
    const end = kind === "T" ? offset : Math.max(this.#length, offset + length)
    if (end > this.#room.length) {
      const more = new Uint8Array(2 * end)
      more.set(this.bytes)
      this.#room = more
    }
    if (end < this.#length) this.#room.fill(0, end, this.#length)
    this.#length = end
    if (kind === "W") this.#room.set(bytes.subarray(0, length), offset)
  }
}

/** The content of a database after a power failure: whether it is undamaged, and which messages it has. */
export interface Found {
  readonly isWhole: boolean
  readonly lost: readonly string[]
}

function opened(folder: string, wanted: Iterable<string>): Found {
  const database = new Database(join(folder, "cut.db"))
  try {
    const { integrity_check: said } = database.query("PRAGMA integrity_check").get() as {
      integrity_check: string
    }
    const rows = database.query("SELECT data FROM updates").all() as { data: string }[]
    const kept = new Set(rows.flatMap(({ data }) => data.match(/ack-\d+-/g) ?? []))
    return { isWhole: said === "ok", lost: [...wanted].filter((message) => !kept.has(message)) }
  } catch {
    return { isWhole: false, lost: [...wanted] }
  } finally {
    database.close()
  }
}

/**
 * Cuts the power at random places of a recording. Data that a file got after its last sync is kept, dropped
 * or cut at a sector, decided by `random`. After each cut the database is opened in `folder`. `hasSyncs:
 * false` ignores the syncs, as if the disk lied: this is a control, which must find losses.
 */
export function* cuts(
  did: readonly Did[],
  { count, folder, random, hasSyncs = true }: CutOptions,
): Generator<Found, void, undefined> {
  const first = did.findIndex((one) => acknowledged(one).length > 0)
  const places = new Set(
    Array.from({ length: count }, () => first + Math.floor(random() * (did.length - first))),
  )
  const disk = { db: new OnDisk(), wal: new OnDisk() }
  const pending: Record<"db" | "wal", Did[]> = { db: [], wal: [] }
  const promised = new Set<string>()
  const nameOf = ({ file }: Did): "db" | "wal" => (file === "db" ? "db" : "wal")
  for (const [i, one] of did.entries()) {
    if (one.kind === "A") for (const message of acknowledged(one)) promised.add(message)
    else if (one.kind !== "S") pending[nameOf(one)].push(one)
    else if (hasSyncs) {
      const name = nameOf(one)
      for (const write of pending[name].splice(0)) disk[name].apply(write)
    }
    if (!places.has(i)) continue
    for (const name of ["db", "wal"] as const) {
      const after = disk[name].copy()
      for (const write of pending[name]) {
        const fate = random()
        if (fate < 0.45) continue
        const sectors = Math.floor((random() * write.bytes.length) / SECTOR)
        after.apply(write, fate < 0.6 && write.kind === "W" ? sectors * SECTOR : undefined)
      }
      writeFileSync(join(folder, name === "db" ? "cut.db" : "cut.db-wal"), after.bytes)
    }
    writeFileSync(join(folder, "cut.db-shm"), "")
    yield opened(folder, promised)
  }
}

/** How often the power is cut, and how. */
export interface CutOptions {
  readonly count: number
  readonly folder: string
  /** From 0 to below 1. It is seeded, so that a failure can be repeated. */
  readonly random: () => number
  readonly hasSyncs?: boolean
}
