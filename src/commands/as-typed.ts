/** What a server says to do by a request, as what to type. */
export const asTyped = (reason: string): string =>
  reason.replace(/\bby POST \/queue\/(\d+)\/(retry|cancel)\b/g, 'with "track-studio $2 $1"')
