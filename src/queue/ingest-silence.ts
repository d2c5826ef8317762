import type { RendererName } from "../renderers/names.ts"
import { isWhole } from "../renderers/whole-from-98-percent.ts"

/** ffmpeg reports twice a second, except while it waits for its input. */
const FFMPEG_MS = 5 * 60_000
/** After ffmpeg has written everything it may take long to move its index; a frame of Blender may take long, too. */
const LONGEST_MS = 30 * 60_000

/**
 * How long a renderer whose output is sent to the server may print nothing, in milliseconds, before its item is taken from
 * it, while its connection is open and its lease is not longer. `reached` is the fraction of the output that it has made,
 * from 0 to 1; null if it has not said so.
 */
export function longestSilenceMs(renderer: RendererName, reached: number | null): number {
  return renderer === "ffmpeg" && !isWhole(reached ?? 0) ? FFMPEG_MS : LONGEST_MS
}
