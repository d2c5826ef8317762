import { closeSync, openSync, writeSync } from "node:fs"

/** Fills a disk to the last byte, with a file that grows by what is free. */
export function fill(file: string): void {
  const descriptor = openSync(file, "a")
  try {
    for (let size = 65_536; size >= 1; size /= 2) {
      try {
        for (;;) writeSync(descriptor, Buffer.alloc(size))
      } catch {
        // A smaller piece may still fit.
      }
    }
  } finally {
    closeSync(descriptor)
  }
}
