import type { Media, Report } from "../item/item.ts"
import type { LineReader } from "./reader.ts"

const KEY_VALUE = /^([a-z_]+)= *(\S+) *$/
const NUMBER = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/
const KEYS = ["frame", "fps", "out_time_us", "out_time_ms", "speed"] as const
/** The longest last frame that is taken for shown to its end, in seconds. */
const MAX_FRAME_S = 1
type Key = (typeof KEYS)[number]
type Block = Partial<Record<Key, number>>

const isKey = (text: string): text is Key => KEYS.some((key) => key === text)

/** `text` as a number, undefined for "N/A" and anything else; "1.61x" is 1.61, "7.51e+03x" 7510. */
function amount(text: string): number | undefined {
  const digits = text.endsWith("x") ? text.slice(0, -1) : text
  const value = NUMBER.test(digits) ? Number(digits) : Number.NaN
  // Some versions write the lowest integer, -9223372036854775807, for "none".
  return Math.abs(value) <= 1e18 ? value : undefined
}

/** The seconds written; undefined while nothing is. */
function outTime(block: Block): number | undefined {
  // ffmpeg's out_time_ms is in microseconds too; it is all that versions before 4.1 have.
  const us = block.out_time_us ?? block.out_time_ms
  // With B-frames the first time stamp is a little below 0.
  return us === undefined ? undefined : Math.max(0, us / 1e6)
}

// Until a second has passed ffmpeg writes 0 for what it has not measured.
const measured = (value: number | undefined): number | null =>
  value !== undefined && value > 0 && value <= 1e12 ? value : null

const short = (value: number): string => {
  if (value >= 10) return value.toFixed(0)
  return value >= 0.1 ? value.toFixed(1) : value.toPrecision(1)
}

function messageOf(media: Media | undefined, block: Block): string {
  const fps = media?.fps ?? measured(block.fps)
  const speed = media?.speed
  const total = media?.total
  const parts = [
    media && `${media.out_time.toFixed(1)} s${total ? ` of ${total.toFixed(1)} s` : ""}`,
    !media && block.frame && `${block.frame} frames`,
    fps && `${short(fps)} fps`,
    speed && `${short(speed)}x`,
  ]
  return parts.filter((part) => part).join(", ") || "nothing written yet"
}

/**
 * Reads the blocks of `ffmpeg -progress`; each `progress=` line is heard once.
 *
 * `total` is the length of the output in seconds. Without it there is no progress, but media and message.
 */
export function ffmpeg(total: number | undefined): LineReader {
  let block: Block = {}
  let furthest = 0
  let frames = 0

  function report(): Report {
    const seconds = outTime(block)
    if (seconds === undefined) return { message: messageOf(undefined, block) }
    furthest = Math.max(furthest, seconds)
    frames = Math.max(frames, block.frame ?? 0)
    const media: Media = {
      out_time: seconds,
      total: total ?? null,
      fps: measured(block.fps),
      speed: measured(block.speed),
    }
    const known = { media, message: messageOf(media, block) }
    // The output may be longer than its total: a looped image outlives the song by a second.
    return total === undefined ? known : { progress: Math.min(100, (seconds / total) * 100), ...known }
  }

  return {
    read(line) {
      const [, key = "", value = ""] = KEY_VALUE.exec(line) ?? []
      if (isKey(key)) {
        const said = amount(value)
        if (said !== undefined) block[key] = said
        return undefined
      }
      if (key !== "progress" || (value !== "continue" && value !== "end")) return undefined
      const heard = { report: report(), ended: value === "end" }
      block = {}
      return heard
    },
    get reached() {
      // The time is that at which the last frame begins: at one frame a second 5 s end at 4. No more than that
      // second is believed: pictures of 5 s each have sound, and with it a time that goes on to the end.
      const lastFrame = frames > 1 ? Math.min(MAX_FRAME_S, furthest / (frames - 1)) : 0
      return total === undefined ? null : Math.min(1, (furthest + lastFrame) / total)
    },
  }
}
