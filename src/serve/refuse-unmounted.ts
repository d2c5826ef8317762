import { dirname } from "node:path"

import { AppError } from "../errors.ts"
import { unmountedDiskOf } from "../machine/unmounted-disk.ts"
import type { ServeSettings } from "../settings/read-settings.ts"
import { realPathOf } from "../store/sqlite/database-path.ts"

/**
 * Refuses to begin an empty queue in the folder of a disk that is not mounted: the queue may be on that disk.
 * `unmountedOf` returns where a disk of a folder is not mounted.
 * @throws AppError `unavailable`
 */
export async function refuseUnmounted(
  { database, newDatabase }: Pick<ServeSettings, "database" | "newDatabase">,
  unmountedOf: (folder: string) => Promise<string | undefined> = unmountedDiskOf,
): Promise<void> {
  if (newDatabase) return
  const path = realPathOf(database)
  const disk = await unmountedOf(dirname(path))
  if (disk === undefined) return
  throw new AppError(
    "unavailable",
    `there is no database ${path}, and nothing is mounted at ${disk}, where /etc/fstab has a disk; mount it, or start once with --new-database, which begins an empty queue there`,
  )
}
