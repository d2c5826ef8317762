import type { QueueItem } from "../../item/item.ts"
import type { Tallies } from "./counts.ts"
import { count, doneName, runningTitle } from "./wording.ts"

const NAME = "Track Studio"

/** What the tab's icon and title show. */
export interface Glance {
  /** Whether anything is running. */
  readonly isRunning: boolean
  /** In percent. */
  readonly done: number
  /** Whether what is shown is true now. */
  readonly isLive: boolean
  /** Whether an item has failed that the reader has not seen. */
  readonly hasFailed: boolean
  /** The text of the tab. */
  readonly title: string
}

/** What the page knows, of which the tab shows the most important part. */
export interface KnownPage {
  /** The title of the screen; empty for the queue, which has none of its own. */
  readonly own: string
  /** The running items, as far as they are known. */
  readonly lanes: readonly QueueItem[]
  /** The figures of the queue. */
  readonly tallies: Pick<Tallies, "running" | "done">
  /** Whether what is shown is true now. */
  readonly isLive: boolean
  /** Whether any list of the queue has been read. */
  readonly isLoaded: boolean
  /** Whether an item has failed that the reader has not seen. */
  readonly hasFailed: boolean
  /** The server's clock. */
  readonly nowMs: number
}

function runningWords({ lanes, tallies: { running, done }, nowMs }: KnownPage): string {
  const [first] = lanes
  if (running === 1 && first) return runningTitle(doneName(first), lanes, nowMs)
  if (running === null || running <= 1) return ""
  return runningTitle(`${Math.round(done)}% of ${count(running)}`, lanes, nowMs)
}

/** What a tab shows of its page while the reader looks at another one. */
export function glanceOf(page: KnownPage): Glance {
  const { own, lanes, tallies, isLive, isLoaded, hasFailed } = page
  const words = [
    hasFailed ? "Failed!" : "",
    isLive || !isLoaded ? "" : "Not live",
    own === "" ? runningWords(page) : own,
    NAME,
  ]
  const title = words.filter((word) => word !== "").join(" · ")
  return { isRunning: lanes.length > 0, done: tallies.done, isLive, hasFailed, title }
}
