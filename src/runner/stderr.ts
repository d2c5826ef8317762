import { printable } from "../text.ts"

/** Prints a line of our own on standard error, which the command's own output shares. */
export const toStderr = (text: string): void =>
  void process.stderr.write(`track-studio: ${printable(text)}\n`)
