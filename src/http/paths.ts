/** The fields of Elysia's route with which we find a path. */
export interface Route {
  /** The HTTP method in capitals. */
  readonly method: string
  /** The path, with parameters as `:name`. */
  readonly path: string
}

/**
 * The path of a request as the router sees it, with its query. If the request has no usable Host header, there
 * is no URL that could be parsed.
 */
export const pathAndQueryOf = ({ url }: Request): string => url.replace(/^[a-z]+:\/\/[^/]*/i, "")

/** The path of a request without its query. */
export const pathOf = (request: Request): string => pathAndQueryOf(request).replace(/\?.*$/s, "")

/** The query of a request, still encoded; empty if there is none. */
export const queryOf = ({ url }: Request): string =>
  url.includes("?") ? url.slice(url.indexOf("?") + 1) : ""

/** Whether a route belongs to a path. */
export const isAt = ({ path: pattern }: Route, path: string): boolean =>
  !pattern.includes("*") && new RegExp(`^${pattern.replace(/:[a-z_]+/g, "[^/]+")}$`).test(path)

/** The header `Link` to the next page: the same query, with this parameter set. */
export function linkToNext(request: Request, name: string, next: string | number): string {
  const query = new URLSearchParams(queryOf(request))
  query.set(name, String(next))
  // It has only a query, so that the link works below any path of a proxy.
  return `<?${query}>; rel="next"`
}
