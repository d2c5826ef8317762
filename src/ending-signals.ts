import { readFileSync } from "node:fs"
import { constants } from "node:os"

/** The signals by which others end a program. */
export const ENDING_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const

let ignored: bigint | undefined

/** The signals that this process ignores, one bit for each; none if the system does not say. */
function ignoredSignals(): bigint {
  try {
    const [, mask = "0"] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1")) ?? []
    return BigInt(`0x${mask}`)
  } catch {
    return 0n
  }
}

/** Whether we were started with this signal ignored, as nohup does. Then we must continue to ignore it. */
export function isIgnored(signal: keyof typeof constants.signals): boolean {
  ignored ??= ignoredSignals()
  return ((ignored >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n
}
