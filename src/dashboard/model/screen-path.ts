/**
 * The item to whose page a path leads; null for the queue's page, undefined for neither. `base` is the path of the
 * queue's page.
 */
export function screenPath(path: string, base: string): number | null | undefined {
  if (path === base) return null
  if (!path.startsWith(base)) return undefined
  const [, id] = /^items\/([1-9][0-9]{0,15})$/.exec(path.slice(base.length)) ?? []
  // A larger number would name another item.
  return Number.isSafeInteger(Number(id)) ? Number(id) : undefined
}
