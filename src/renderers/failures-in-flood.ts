import { BACKSPACE, NEW_LINE, RETURN } from "./control-characters.ts"

/** A part of each word of failure. It is searched in output that is too much to be read. */
export const LOUD = "rror"

const NUL = 0
const ENDS = [NEW_LINE, RETURN, BACKSPACE]

/** Whether a line ends in these bytes. */
export const hasEnd = (bytes: Uint8Array): boolean => ENDS.some((end) => bytes.includes(end))

/**
 * The part of some bytes that must be decoded if only lines with `LOUD` are read. This is all of them if they
 * may have such a line. Otherwise it is the end of the line that began before them, and the beginning of the
 * line that continues after them. Bytes without a NUL are not UTF-16, in which the word looks different.
 */
export function worthDecoding(bytes: Uint8Array): Uint8Array {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [first, last] = [all.indexOf(NEW_LINE), all.lastIndexOf(NEW_LINE)]
  if (first === last || all.includes(LOUD) || all.includes(NUL)) return bytes
  return Buffer.concat([all.subarray(0, first + 1), all.subarray(last + 1)])
}
