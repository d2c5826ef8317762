import type { Bounds, Lost } from "../store/contract/history.ts"
import type { Gap } from "../wire/frames.ts"
import { eventId } from "./stream-request.ts"

/**
 * The lost event IDs among which this one is, because an older database was restored or took over. Undefined if its update
 * was not lost.
 */
export const lossOf = (eventId: number, lost: readonly Lost[]): Lost | undefined =>
  lost.find(({ after, upTo }) => eventId > after && eventId <= upTo)

/**
 * Whether every update after this event ID is stored, so that a client with this last event ID can resume.
 */
export const isKept = (eventId: number, { oldest, newest, lost }: Bounds): boolean =>
  eventId >= oldest - 1 && eventId <= newest && lossOf(eventId, lost) === undefined

/**
 * How many updates after this event ID, which was not lost, are no longer kept. Lost event IDs do not count, nor the one after
 * each range of them, which no update has.
 */
export const missedAfter = (eventId: number, { oldest, lost }: Bounds): number =>
  lost
    .filter(({ after, upTo }) => after >= eventId && upTo < oldest)
    .reduce((missed, { after, upTo }) => missed - (upTo + 1 - after), oldest - 1 - eventId)

/**
 * The gap of a stream that cannot resume at the event ID that its client gave. How much was missed is known only of a
 * stream of all items, because other updates do not concern the others.
 */
export function gapAtStart(given: string, bounds: Bounds, isOfAll: boolean): Gap {
  const from = eventId(given)
  const loss = from === undefined ? undefined : lossOf(from, bounds.lost)
  if (from !== undefined && loss) {
    return { event: "gap", reason: loss.reason, last_event_id: from, missed: null }
  }
  const isExpired = from !== undefined && from <= bounds.newest
  return {
    event: "gap",
    reason: isExpired ? "expired" : "unknown",
    last_event_id: from ?? given.slice(0, 64).toWellFormed(),
    missed: isExpired && isOfAll ? missedAfter(from, bounds) : null,
  }
}

/** Whether a stream that is `behind` updates behind may be too far behind, so that it skips some; 0 for no limit. */
export const isFar = (behind: number, maxLag: number): boolean => maxLag > 0 && behind > maxLag
