import type { Outlook } from "../item/estimate/estimate.ts"
import {
  type Forecast,
  forecast,
  type Slot,
  type SongInHand,
  type Start,
  type Waiting,
} from "../item/estimate/start-forecast.ts"
import type { QueueItem } from "../item/item.ts"
import { isWaiting } from "../item/moves.ts"
import type { Items } from "../store/contract/items.ts"
import type { Life } from "../store/contract/life.ts"
import type { KnownWorkers } from "./known-workers.ts"
import type { LearnedDurations } from "./learned-durations.ts"

/** How many items are considered, including running ones. */
const MOST_ITEMS = 1000
/** How long a forecast is reused. */
const FRESH_MS = 1000
/** How far the end reaches to both sides if only the pace of one attempt tells it, as a part of the time left. */
const PACE_ALONE = 0.4
const NOW: Outlook = { seconds: 0, low: 0, high: 0 }

/** When the waiting items start, and the number of workers on which the forecast is based. */
export interface QueueForecast extends Forecast {
  /** How many workers there are, according to their claims. */
  readonly workers: number
}

/** Forecasts of when waiting items start. */
export class StartForecasts {
  readonly #store: Items & Life
  readonly #presence: KnownWorkers
  readonly #learned: LearnedDurations
  readonly #onePerSong: boolean
  #latest: Promise<QueueForecast> | undefined
  #madeMs = Number.NEGATIVE_INFINITY

  /** With `onePerSong`, workers get no item of a song while another item of that song is being rendered. */
  constructor(store: Items & Life, presence: KnownWorkers, learned: LearnedDurations, onePerSong = false) {
    this.#onePerSong = onePerSong
    this.#store = store
    this.#presence = presence
    this.#learned = learned
  }

  /** When the waiting items start; at most one second old. */
  now(): Promise<QueueForecast> {
    const nowMs = this.#store.clock.steadyMs()
    if (this.#latest && Math.abs(nowMs - this.#madeMs) < FRESH_MS) return this.#latest
    this.#madeMs = nowMs
    const made = this.#made()
    this.#latest = made
    // If it could not be read, the next caller tries again.
    made.catch(() => (this.#latest = undefined))
    return made
  }

  /** When each of these items starts, for waiting items whose start is known. */
  async of(items: readonly QueueItem[]): Promise<ReadonlyMap<number, Start>> {
    if (!items.some(waits) || !(await this.#learned.isAnythingKnown())) return new Map()
    const { starts } = await this.now()
    return new Map(starts.map((start) => [start.id, start]))
  }

  async #made(): Promise<QueueForecast> {
    const { items, next } = await this.#store.list({ limit: MOST_ITEMS })
    const nowMs = this.#store.clock.now()
    // A paused queue gives out no items, for an unknown time.
    const isPaused = (await this.#store.pausedAt()) !== null
    const slots = isPaused ? [] : this.#slots(items, nowMs)
    const waiting: Waiting[] = []
    for (const item of items.filter(waits)) {
      waiting.push({
        id: item.id,
        tags: item.tags,
        availableIn: Math.max(0, secondsTo(item.available_at, nowMs)),
        ...(this.#onePerSong && { song: item.song_id }),
        takes: await this.#learned.outlookOf(item),
      })
    }
    const isWhole =
      next === null || waiting.length < items.filter(({ status }) => status !== "processing").length
    const { starts, doneIn } = forecast(slots, waiting, MOST_ITEMS, this.#songsInHand(items, nowMs))
    const inHandIn = inHandUntil(items, nowMs)
    const isKnown = isWhole && doneIn !== undefined && inHandIn !== undefined
    return { starts, doneIn: isKnown ? Math.max(doneIn, inHandIn) : undefined, workers: slots.length }
  }

  /** The items that keep others of their songs waiting. */
  #songsInHand(items: readonly QueueItem[], nowMs: number): SongInHand[] {
    if (!this.#onePerSong) return []
    // An item without a worker was started by PUT, and keeps none waiting.
    return items
      .filter(({ status, worker }) => status === "processing" && worker !== "")
      .map((item) => ({ song: item.song_id, free: freeIn(item, nowMs) }))
  }

  #slots(items: readonly QueueItem[], nowMs: number): Slot[] {
    const busy = items
      .filter(({ status }) => status === "processing")
      .flatMap((item): Slot[] => {
        const present = this.#presence.afterwards(item)
        return present ? [{ ...present, free: freeIn(item, nowMs) }] : []
      })
    const idle = this.#presence.waiting.map((present): Slot => ({ ...present, free: NOW }))
    return [...busy, ...idle]
  }
}

const waits = ({ status }: QueueItem): boolean => isWaiting(status)

const secondsTo = (time: string | null, nowMs: number): number =>
  time === null ? 0 : (Date.parse(time) - nowMs) / 1000

/**
 * When the running items are done, also those of a paused queue and of workers that take no other item; undefined if that
 * is unknown for any of them.
 */
function inHandUntil(items: readonly QueueItem[], nowMs: number): number | undefined {
  let seconds = 0
  for (const item of items) {
    if (item.status !== "processing") continue
    const free = freeIn(item, nowMs)
    if (!free) return undefined
    seconds = Math.max(seconds, free.seconds)
  }
  return seconds
}

/** When a running item is done; undefined if it is unknown, and when it takes longer than its band. */
function freeIn(item: QueueItem, nowMs: number): Outlook | undefined {
  const { eta_seconds: eta, eta_low_seconds, eta_high_seconds, updated_at, cancel_requested_at } = item
  if (cancel_requested_at !== null) return NOW
  if (eta === null) return undefined
  const reported = secondsTo(updated_at, nowMs)
  const high = reported + (eta_high_seconds ?? eta * (1 + PACE_ALONE))
  if (high < 0) return undefined
  const low = Math.max(0, reported + (eta_low_seconds ?? eta * (1 - PACE_ALONE)))
  return { seconds: Math.max(0, reported + eta), low, high }
}
