/** What is known of the output of a command. */
interface OutputDevice {
  readonly isTTY?: boolean
}

/**
 * Whether to write colours: FORCE_COLOR decides (`0` and `false` forbid), then NO_COLOR (anything but empty forbids),
 * then whether it is a terminal that can.
 */
export function wantsColour(output: OutputDevice, env: NodeJS.ProcessEnv = process.env): boolean {
  const forced = env["FORCE_COLOR"]
  if (forced !== undefined) return forced !== "0" && forced !== "false"
  if (env["NO_COLOR"]) return false
  return isLively(output, env)
}

/** Whether what was written there can be drawn over. */
export const isLively = (output: OutputDevice, env: NodeJS.ProcessEnv = process.env): boolean =>
  output.isTTY === true && env["TERM"] !== "dumb"
