import { within } from "../background-work.ts"
import { ENDING_SIGNALS, isIgnored } from "../ending-signals.ts"
import { nonBlockingOutput } from "../non-blocking-output.ts"

/** How long a program that ends early waits until its output is read, in milliseconds. */
const HURRIED_MS = 1000

/** What to do on signals. */
export interface SignalHandlers {
  /** Called on SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2, all of which end a program by default. */
  readonly onEnd: (signal: NodeJS.Signals) => void
  /** Called before Ctrl-Z suspends us, and after we continue. */
  readonly onSuspend: (isSuspended: boolean) => void
}

/** Handles signals. Disposing of the result ends that. */
export function takeSignals({ onEnd, onSuspend }: SignalHandlers): Disposable {
  const taken: [NodeJS.Signals, (signal: NodeJS.Signals) => void][] = ENDING_SIGNALS.filter(
    (signal) => !isIgnored(signal),
  ).map((signal) => [signal, onEnd])
  const suspend = (): void => {
    onSuspend(true)
    process.kill(process.pid, "SIGSTOP")
  }
  if (!isIgnored("SIGTSTP")) taken.push(["SIGTSTP", suspend])
  taken.push(["SIGCONT", () => onSuspend(false)])
  for (const [signal, handler] of taken) process.on(signal, handler)
  return {
    [Symbol.dispose]() {
      for (const [signal, handler] of taken) process.off(signal, handler)
    },
  }
}

/**
 * Ends this process with the signal that ended its command. Returns if the signal is one that does not end
 * programs.
 */
export async function dieOf(signal: NodeJS.Signals): Promise<void> {
  if (!ENDING_SIGNALS.some((each) => each === signal)) return
  await within(HURRIED_MS, flushed())
  process.kill(process.pid, signal)
}

/**
 * Ends this process at once, even while a request still waits for its answer. `isHurried`: also while nobody reads our
 * output; a stop must not wait for that.
 */
export async function exit(code: number, isHurried: boolean): Promise<never> {
  await (isHurried ? within(HURRIED_MS, flushed()) : flushed())
  process.exit(code)
}

/** Ends this process in a second, with the exit code that it has then (default 1), if what nobody reads keeps it alive. */
export function endSoon(): void {
  setTimeout(() => process.exit(process.exitCode ?? 1), HURRIED_MS).unref()
}

/** Waits until everything that we printed was written. */
async function flushed(): Promise<void> {
  await Promise.all(
    ([1, 2] as const).map(
      (descriptor) =>
        new Promise<void>((resolve) => nonBlockingOutput(descriptor).write("", () => resolve())),
    ),
  )
}
