import type { Claimed } from "../../src/client/client.ts"
import { Attempt, type AttemptOptions } from "../../src/runner/attempt.ts"
import { FileWatch } from "../../src/runner/expected-files.ts"
import { KillGuard } from "../../src/runner/kill-guard.ts"
import { planned } from "../../src/runner/progress-arguments.ts"
import type { Reporter } from "../../src/runner/reporter.ts"
import type { Verdict } from "../../src/runner/verdict.ts"

/** It starts no process: a shell whose child is suspended before its first step waits for it and is not suspended. */
export const ADDING = "while :; do echo >>"

/** A reporter whose server never answers. It remembers what it had to report, and for how long. */
export class Unheard {
  readonly isLent: boolean = false
  readonly asked: { readonly verdict: Verdict | undefined; readonly withinMs: number }[] = []
  /** Whether the wait for the server was broken off. */
  isBrokenOff = false
  start(): void {}
  push(): void {}
  print(): void {}
  async takeOver(_claimed: Claimed, _isWanted: () => boolean): Promise<boolean> {
    return false
  }
  async finish(verdict: Verdict | undefined, withinMs: number, signal: AbortSignal): Promise<"pending"> {
    this.asked.push({ verdict, withinMs })
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve))
    this.isBrokenOff = true
    return "pending"
  }
}

/** Starts a script, with this reporter. */
export function attempt(
  reporter: Unheard,
  reportWithinMs: number,
  script: string,
  more: Partial<AttemptOptions> = {},
): Attempt {
  return new Attempt({
    plan: planned(["sh", "-c", script]),
    reporter: reporter as unknown as Reporter,
    // A guard that nobody disposes of would look for ever.
    guarded: more.guarded ?? new KillGuard().watch(),
    variables: {},
    files: new FileWatch({ paths: [], isGuessed: true, seconds: undefined, isVerified: true }),
    reportWithinMs,
    ...more,
  })
}
