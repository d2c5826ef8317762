import { forget } from "../machine/libc.ts"
import { every } from "../service.ts"
import { endedChildren } from "./processes.ts"

const LOOK_MS = 1000
const FIRST_PROCESS = 1

/**
 * As the first process of a container we are the parent of every process whose own parent has ended, and the kernel
 * keeps each of them after its end until its parent takes note. Without that, renders that leave such processes behind
 * would use up all numbers of processes. Elsewhere the system's first process does this.
 */
export function forgetOrphans(): Disposable {
  if (process.pid !== FIRST_PROCESS) return { [Symbol.dispose]: () => undefined }
  let before: readonly number[] = []
  const looking = every(
    LOOK_MS,
    () => {
      const ended = endedChildren()
      // Of our own children the runtime takes note, within a turn of its event loop.
      for (const pid of ended) if (before.includes(pid)) forget(pid)
      before = ended
    },
    // Without /proc nothing is known of orphans.
    () => undefined,
  )
  return { [Symbol.dispose]: () => void looking.stop() }
}
