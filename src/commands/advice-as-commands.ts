/** A server's advice names requests; this replaces them by the commands that a person types. */
export const adviceAsCommands = (reason: string): string =>
  reason.replace(/\bby POST \/queue\/(\d+)\/(retry|cancel)\b/g, 'with "track-studio $2 $1"')
