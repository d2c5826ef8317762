import type { Control, Frame } from "../wire/frames.ts"
import type { Opening } from "./opening.ts"
import type { Format } from "./sse-ndjson-text.ts"
import { eventId, type StreamRequest } from "./stream-request.ts"

/** Replaces an event ID that this viewer cannot have received. It belongs to no history. */
const NO_EVENT_ID = "unknown"

/**
 * A stream for a viewer who may see only one item. For this viewer the history consists of what happened to
 * that item. Event IDs count the updates of all items, so control frames have the last event ID of the item's
 * own updates instead of the newest of all, and the viewer can resume there, too. `item` is the state of the
 * item.
 */
export function ownHistory<Chunk extends object>(
  request: StreamRequest<Chunk>,
  item: Opening,
): StreamRequest<Chunk> {
  const last = item.updates.at(-1)?.update.id ?? 0
  const given = eventId(request.lastEventId)
  // A viewer must not be able to find out whether another item's update has this ID.
  const isAhead = given !== undefined && given > last
  return {
    ...request,
    ...(isAhead && { lastEventId: NO_EVENT_ID }),
    format: new OwnFormat(request.format, last, isAhead ? given : undefined),
  }
}

class OwnFormat<Chunk extends object> implements Format<Chunk> {
  readonly name: Format<Chunk>["name"]
  readonly #format: Format<Chunk>
  readonly #given: number | undefined
  #last: number

  constructor(format: Format<Chunk>, last: number, given: number | undefined) {
    this.name = format.name
    this.#format = format
    this.#last = last
    this.#given = given
  }

  encode(frames: readonly Frame[]): Chunk | undefined {
    return this.#format.encode(frames.map((frame) => this.#own(frame)))
  }

  shared(frames: readonly Frame[]): Chunk | undefined {
    return this.encode(frames)
  }

  join(chunks: readonly Chunk[]): Chunk {
    return this.#format.join(chunks)
  }

  size(chunk: Chunk): number {
    return this.#format.size(chunk)
  }

  #own(frame: Frame): Frame {
    if (frame.type === "update") this.#last = frame.update.id
    return frame.type === "control" ? { ...frame, control: this.#ownControl(frame.control) } : frame
  }

  #ownControl(control: Control): Control {
    const last_event_id = this.#last
    if (control.event === "live" || control.event === "end") return { ...control, last_event_id }
    if (control.event !== "gap") return control
    if (control.reason === "slow" || control.reason === "unreadable") return { ...control, last_event_id }
    if (control.reason === "rolled_back" && this.#given === undefined) {
      this.#last = 0
      return { ...control, last_event_id }
    }
    return this.#given === undefined ? control : { ...control, last_event_id: this.#given }
  }
}
