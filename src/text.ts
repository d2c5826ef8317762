/** What JSON leaves as it is though it steers terminals: DEL, C1, and what turns the direction of text. */
const STEERING = /[\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** The value as JSON that can be shown on a terminal: the same value, with such characters escaped. */
export const safeJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    STEERING,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )
