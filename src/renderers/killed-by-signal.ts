/** A shell's words for a program that a signal ended; some name the line of the script, and the command. */
const KILLED =
  /^(?:[^|]+: line \d+: +\d+ )?(?:Killed|Terminated|Aborted|Segmentation fault|Bus error|Illegal instruction|Floating point exception)(?: \(core dumped\))?(?: {2,}(\S.*))?$/

/** Whether a shell says in this line that a signal ended this program, or one that it does not name. */
export function isKilled(line: string, program: string): boolean {
  const killed = KILLED.exec(line)
  return killed !== null && (killed[1]?.includes(program) ?? true)
}
