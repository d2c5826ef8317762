import type { Bounds, Lost } from "../store/contract/history.ts"

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
