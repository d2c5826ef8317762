import { readFileSync } from "node:fs"
import { constants } from "node:os"

/** What ends a program from outside. */
const ENDING = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const

/** Whether we were started with this signal ignored, as by nohup: then so it stays. */
function isIgnored(signal: keyof typeof constants.signals): boolean {
  try {
    const [, mask = "0"] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1")) ?? []
    return ((BigInt(`0x${mask}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n
  } catch {
    return false
  }
}

/** What to do on signals from outside. */
export interface SignalHandlers {
  /** SIGINT, SIGTERM, SIGHUP, SIGQUIT; SIGUSR1 and SIGUSR2, which end what does not know them. */
  readonly onEnd: (signal: NodeJS.Signals) => void
  /** Ctrl-Z, and the return from it: what is to be halted with us. */
  readonly onHalt?: (isHalted: boolean) => void
}

/** Takes signals until it is disposed. */
export function takeSignals({ onEnd, onHalt }: SignalHandlers): Disposable {
  const taken: [NodeJS.Signals, (signal: NodeJS.Signals) => void][] = ENDING.filter(
    (signal) => !isIgnored(signal),
  ).map((signal) => [signal, onEnd])
  if (onHalt) {
    const halt = (): void => {
      onHalt(true)
      process.kill(process.pid, "SIGSTOP")
    }
    if (!isIgnored("SIGTSTP")) taken.push(["SIGTSTP", halt])
    taken.push(["SIGCONT", () => onHalt(false)])
  }
  for (const [signal, handler] of taken) process.on(signal, handler)
  return {
    [Symbol.dispose]() {
      for (const [signal, handler] of taken) process.off(signal, handler)
    },
  }
}

/** Ends this process by a signal, as the command that it ran was ended, where that is how a program is ended. */
export async function dieOf(signal: NodeJS.Signals): Promise<void> {
  if (!ENDING.some((each) => each === signal)) return
  await flushed()
  process.kill(process.pid, signal)
}

/** Ends this process at once, though a request may still wait for its answer. */
export async function exit(code: number): Promise<never> {
  await flushed()
  process.exit(code)
}

/** What we said last is not to be lost. */
async function flushed(): Promise<void> {
  await Promise.all(
    [process.stdout, process.stderr].map(
      (stream) => new Promise<void>((resolve) => stream.write("", () => resolve())),
    ),
  )
}
