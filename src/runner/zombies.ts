import { every } from "../background-work.ts"
import { forget } from "../machine/libc.ts"
import { endedChildren } from "./processes.ts"

const LOOK_MS = 1000
const FIRST_PROCESS = 1

/**
 * As the first process of a container we become the parent of every process whose own parent has ended. The
 * kernel keeps each ended process until its parent takes note of the end. Renders that leave such processes
 * behind would use up all process numbers if we did not take note. Outside of a container the first process
 * of the system does this.
 */
export function forgetZombies(): Disposable {
  if (process.pid !== FIRST_PROCESS) return { [Symbol.dispose]: () => undefined }
  let before: readonly number[] = []
  const looking = every(
    LOOK_MS,
    () => {
      const ended = endedChildren()
      // The runtime takes note of our own children, within a tick of its event loop.
      for (const pid of ended) if (before.includes(pid)) forget(pid)
      before = ended
    },
    // Without /proc no ended processes can be found.
    () => undefined,
  )
  return { [Symbol.dispose]: () => void looking.stop() }
}
