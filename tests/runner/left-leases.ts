import type { Client } from "../../src/client/client.ts"
import { type KeptLease, LeaseFile, leasesIn } from "../../src/runner/lease-file.ts"
import type { HeirOptions } from "../../src/runner/leases-of-killed-workers.ts"
import type { Verdict } from "../../src/runner/verdict.ts"
import { WorkerLeases } from "../../src/runner/worker-leases.ts"

export const SERVER = "http://127.0.0.1:1"

/**
 * A worker that takes over leases and prints into `said`. Its client has these methods; its server remembers the first
 * attempt of each item.
 */
export function heirOf(said: string[], methods: object = {}): HeirOptions {
  const client: unknown = {
    history: async () => ({ updates: [{ attempt: 1 }], next: null }),
    ...methods,
  }
  return {
    client: client as Client,
    worker: "box1",
    leaseS: 60,
    reportWithinMs: 60_000,
    say: (text) => void said.push(text),
  }
}

/** The leases that the next worker takes over. */
export function leftIn(folder: string): KeptLease[] {
  const next = new LeaseFile(leasesIn(folder), SERVER)
  const left = next.adopt()
  next.close()
  return left
}

/** A worker that was killed after it had completed item 7, or had come to another verdict on it. */
export function leaveCompleted(
  folder: string,
  queued_at?: string,
  verdict: Verdict = { end: "complete", result: {} },
): void {
  const killed = new WorkerLeases(folder, SERVER, heirOf([]))
  const lease = { id: 7, token: "seven", attempt: 1, ...(queued_at !== undefined && { queued_at }) }
  killed.hold(lease).onVerdict(verdict)
  killed.close()
}
