import { extname } from "node:path"

/** Options of ffmpeg that take no value, so the word after such an option can be a file. */
const FLAGS = new Set(
  (
    "-y -n -an -vn -sn -dn -re -shortest -nostdin -stdin -stats -nostats -hide_banner -bitexact -copyts -xerror " +
    "-accurate_seek -noaccurate_seek -autorotate -noautorotate -benchmark -ignore_unknown -start_at_zero " +
    "-copyinkf -report -dump -hex -find_stream_info -autoscale -copy_unknown"
  ).split(" "),
)
/** Muxers that write no file, or many files. */
const MUXERS = new Set(
  "null tee segment stream_segment ssegment hls dash image2 image2pipe fifo rtp rtsp".split(" "),
)
/** File name endings for which ffmpeg uses such a muxer. */
const ENDINGS = new Set(
  ".m3u8 .mpd .avif .bmp .dpx .exr .gif .jpeg .jpg .jxl .pam .pgm .png .ppm .tga .tif .tiff .webp".split(" "),
)

/** Whether a word names one plain file, and not a protocol, a pattern, standard output or a device. */
const isPlain = (word: string): boolean =>
  word !== "" &&
  !word.startsWith("-") &&
  !word.includes("%") &&
  !/^[a-z][a-z0-9+.-]*:/i.test(word) &&
  !word.startsWith("/dev/")

/**
 * The file that an ffmpeg command writes last, if it is one plain file; undefined if that is not certain. `words` are
 * the arguments of ffmpeg.
 */
export function lastOutput(words: readonly string[]): string | undefined {
  const [before = "", last = ""] = words.slice(-2)
  // A word that begins with a dash is an option, unless it is a negative number.
  const isValue = /^-[^\d.]/.test(before) && !FLAGS.has(before)
  const input = words.lastIndexOf("-i")
  const format = words.lastIndexOf("-f")
  const muxer = format > input ? words[format + 1] : undefined
  if (input === -1 || isValue || !isPlain(last)) return undefined
  if (muxer === undefined ? ENDINGS.has(extname(last).toLowerCase()) : MUXERS.has(muxer)) return undefined
  return last
}
