import { asFrames } from "../../src/stream/sse-ndjson-text.ts"
import type { Streams } from "../../src/stream/streams.ts"
import type { Frame } from "../../src/wire/frames.ts"

/** The event IDs of the updates among these frames. */
export const eventIds = (frames: readonly Frame[]): number[] =>
  frames.flatMap((frame) => (frame.type === "update" ? [frame.update.id] : []))

/** The event ID of the last frame if it is `live`; undefined if another frame is the last. */
export const lastEventId = (frames: readonly Frame[]): number | undefined => {
  const last = frames.at(-1)
  return last?.type === "control" && last.control.event === "live" ? last.control.last_event_id : undefined
}

/** Everything that a stream of all items sends up to `live`. */
export async function opening(streams: Streams, signal: AbortSignal): Promise<readonly Frame[]> {
  const asked = { snapshot: true, untilFinished: false, format: asFrames, signal }
  const stream = await streams.open(asked)
  const frames: Frame[] = []
  while (lastEventId(frames) === undefined) {
    const next = await stream?.next()
    if (!next || next.done) break
    frames.push(...next.value)
  }
  return frames
}
