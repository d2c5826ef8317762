/** The character with which a sequence begins that steers a terminal. */
export const ESCAPE = "\u001b"
/** The byte that ends a line. */
export const NEW_LINE = 0x0a
/** The byte that goes back to the beginning of a line. */
export const RETURN = 0x0d
/** The byte that goes back by one character. */
export const BACKSPACE = 0x08
