/**
 * A shell's messages about a program that a signal ended. Some of them name the line of the script, and the
 * command.
 */
const KILLED =
  /^(?:[^|]+: line \d+: +\d+ )?(?:Killed|Terminated|Aborted|Segmentation fault|Bus error|Illegal instruction|Floating point exception)(?: \(core dumped\))?(?: {2,}(\S.*))?$/

/** Messages that name the command. */
const NAMED = [
  // bash in any language, and for any signal: "r.sh: Zeile 4:  4711 Getötet      ffmpeg -i a.wav b.mp4".
  /^[^|]{1,200}?[:：] ?(?:\p{L}{1,12} ?\d+|\d+\.? ?\p{L}[\p{L} ]{0,12}) ?[:：] *\d+ \p{L}.*?(?: {2,}| ?\([^()]+\) )(\S.* .*)$/u,
  // zsh: "r.sh:4: killed     ffmpeg -i a.wav b.mp4".
  /^\S+:(?:\d+:)? (?:killed|terminated|abort|segmentation fault|bus error|illegal hardware instruction) .*? {2,}(\S.*)$/,
  // fish, and Python.
  /^(.*)\b(?:terminated by signal SIG|died with <Signals\.SIG)/,
]

/** Whether a shell says in this line that a signal ended this program, or a program without a name. */
export function isKilled(line: string, program: string): boolean {
  const killed = KILLED.exec(line)
  if (killed) return killed[1]?.includes(program) ?? true
  return line.includes(program) && NAMED.some((each) => each.exec(line)?.[1]?.includes(program))
}
