import { mkdir, readdir, unlink } from "node:fs/promises"
import { join } from "node:path"

import type { Reasons } from "../degraded-reasons.ts"
import { freeBytes } from "../machine/machine.ts"
import { unmountedDiskOf } from "../machine/unmounted-disk.ts"
import { environment } from "../settings/environment.ts"
import { type ServeSettings } from "../settings/read-settings.ts"
import type { Store } from "../store/contract/store.ts"
import { sizeWords } from "../text.ts"
import { Backups } from "../upkeep/backups.ts"
import { BALLAST_BYTES } from "../upkeep/ballast-for-full-disk.ts"
import { Compaction } from "../upkeep/compaction.ts"
import { logged } from "./error-log.ts"

/** The command that runs this program: the binary alone, or Bun with our source. */
const ownCommand = (): string[] =>
  Bun.main.startsWith("/$bunfs/") ? [process.execPath] : [process.execPath, Bun.main]

/**
 * Runs a command of this program in another process, so that this server is not held up. An abort kills that
 * process.
 * @throws Error with what the command printed, or with its exit code, if it failed
 */
async function runAside(args: readonly string[], signal: AbortSignal): Promise<void> {
  const child = Bun.spawn([...ownCommand(), ...args], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    env: environment({}),
    signal,
    killSignal: "SIGKILL",
  })
  const said = await new Response(child.stderr).text()
  const code = await child.exited
  if (code !== 0) throw new Error(said.trim() || `the process for it ended with code ${code}`)
}

/**
 * A backup on a full disk would fail at its end, and be tried again each minute; and where it takes the room of the
 * database, new items would be refused meanwhile.
 * @throws Error
 */
async function refuseWithoutRoom(store: Store, folder: string, free: number): Promise<void> {
  const { used } = await store.upkeep.size()
  if (free >= used + BALLAST_BYTES) return
  throw new Error(
    `the database has ${sizeWords(used)}, and the disk of ${folder} only ${sizeWords(free)} free, of which ${sizeWords(BALLAST_BYTES)} are kept; make room there`,
  )
}

/**
 * A folder on a disk that is not mounted looks like an empty folder: the backups would go to the disk below it.
 * @throws Error
 */
async function refuseUnmounted(folder: string, unmountedOf: typeof unmountedDiskOf): Promise<void> {
  const disk = await unmountedOf(folder)
  if (disk === undefined) return
  throw new Error(
    `nothing is mounted at ${disk}, where /etc/fstab has a disk, so the backups in ${folder} would be on another one; mount it`,
  )
}

/**
 * Makes backups; empty if no folder is named for them. `freeOn` returns the free bytes on the disk of a folder,
 * `unmountedOf` where a disk of it is not mounted.
 */
export function backupsOf(
  { backupDir, backupEvery, backupKeep }: ServeSettings,
  store: Store,
  reasons: Reasons,
  freeOn: (folder: string) => number = freeBytes,
  unmountedOf: (folder: string) => Promise<string | undefined> = unmountedDiskOf,
): Backups[] {
  if (backupDir === undefined || backupEvery === 0) return []
  return [
    new Backups({
      everyMs: backupEvery,
      keep: backupKeep,
      now: Date.now,
      async names() {
        await refuseUnmounted(backupDir, unmountedOf)
        await mkdir(backupDir, { recursive: true, mode: 0o700 })
        const found = await readdir(backupDir, { withFileTypes: true })
        return found.filter((one) => one.isFile()).map(({ name }) => name)
      },
      async copy(name, signal) {
        await refuseWithoutRoom(store, backupDir, freeOn(backupDir))
        await runAside(["backup", join(backupDir, name), "--database", store.found.path], signal)
      },
      remove: (name) => unlink(join(backupDir, name)),
      onResult: (hasFailed) => reasons.set("backup_failed", hasFailed),
      onError: logged("a backup could not be made"),
    }),
  ]
}

/** Rewrites a database that was made before files could shrink. */
export const compactionOf = (store: Store): Compaction =>
  new Compaction({
    isDone: store.found.canShrink,
    bytes: async () => (await store.upkeep.size()).used,
    isAnyLeased: () => store.isAnyLeased(),
    compact: (signal) => runAside(["compact", "--database", store.found.path], signal),
    onError: logged("the database could not be compacted"),
  })
