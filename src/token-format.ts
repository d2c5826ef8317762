/** What the text of an access token looks like, as a regular expression without its anchors. */
export const TOKEN_PATTERN = "tsk_[A-Za-z0-9_\\-]{43}"

/** The same in words. */
export const TOKEN_WORDS = "tsk_ and 43 characters"

const TOKEN = new RegExp(`^${TOKEN_PATTERN}$`)

/** Whether a text can be an access token. */
export const isToken = (text: string): boolean => TOKEN.test(text)

/** The text of a new token, from 43 random characters. */
export const tokenText = (random: string): string => `tsk_${random}`

/** The text with its tokens and tickets cut short, because a user may have put one in a wrong place. */
export const withoutSecrets = (text: string): string => text.replace(/\b(ts[kt]_)[\w-]{8,}/g, "$1...")
