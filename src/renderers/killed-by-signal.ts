/**
 * A shell's messages about a program that a signal ended. Some of them name the line of the script, and the
 * command.
 */
const KILLED =
  /^(?:[^|]+: line \d+: +\d+ )?(?:Killed|Terminated|Aborted|Segmentation fault|Bus error|Illegal instruction|Floating point exception)(?: \(core dumped\))?(?: {2,}(\S.*))?$/

/** Whether a shell says in this line that a signal ended this program, or a program without a name. */
export function isKilled(line: string, program: string): boolean {
  const killed = KILLED.exec(line)
  return killed !== null && (killed[1]?.includes(program) ?? true)
}
