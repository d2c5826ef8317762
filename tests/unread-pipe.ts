import { closeSync, constants, openSync } from "node:fs"
import { join } from "node:path"

import { temporaryFolder } from "./server.ts"

/** A named pipe that is open and that nobody reads, until it is disposed: it takes 64 KiB. */
export function unreadPipe(): Disposable & { readonly path: string } {
  const folder = temporaryFolder()
  const path = join(folder.path, "pipe")
  Bun.spawnSync(["mkfifo", path])
  const descriptor = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  return {
    path,
    [Symbol.dispose]() {
      closeSync(descriptor)
      folder[Symbol.dispose]()
    },
  }
}
