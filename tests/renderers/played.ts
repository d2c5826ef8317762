import { expect } from "bun:test"

import { claimed } from "../../src/item/lease.ts"
import type { Moment } from "../../src/item/moment.ts"
import { reported } from "../../src/item/report.ts"
import { IDLE, type Stored } from "../../src/item/stored.ts"
import { renderer } from "../../src/renderers/renderer.ts"
import { draft, START_MS } from "../contracts/store.contract.ts"

/** A piece of output, when it comes, and how much of the work of all bars is done by then (0 to 1). */
export interface Piece {
  readonly text: string
  readonly atMs: number
  readonly work: number
  /** Whether the second bar has begun. */
  readonly isSecond: boolean
}

const moment = (ms: number): Moment => ({
  time: new Date(START_MS + ms).toISOString(),
  steadyMs: START_MS + ms,
})

/** Reads an output into an item, and looks at the item after each piece. */
export function play(pieces: readonly Piece[], look: (piece: Piece, progress: number) => void): number {
  let nowMs = 0
  const by = { worker: "box1", token: "a", leaseMs: 60_000 }
  let stored: Stored = claimed({ item: { id: 7, ...draft() }, work: IDLE }, by, moment(0))
  const listener = renderer("lines", { now: () => nowMs })
  let falls = 0
  for (const piece of pieces) {
    nowMs = piece.atMs
    for (const report of listener.push(piece.text)) {
      const next = reported(stored, "a", report, moment(nowMs))
      if (next.item.progress < stored.item.progress) falls += 1
      stored = next
    }
    look(piece, stored.item.progress)
  }
  return falls
}

/**
 * From the start of the second bar on, never 90 % while less than half of the work is done, and at most one
 * step back.
 */
export function holds(pieces: readonly Piece[]): void {
  const falls = play(pieces, ({ work, isSecond }, progress) => {
    if (isSecond && work < 0.5) expect(progress).toBeLessThan(90)
  })
  expect(falls).toBeLessThanOrEqual(1)
}
