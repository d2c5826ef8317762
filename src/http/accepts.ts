/** Whether the client accepts HTML by name. Browsers do; curl accepts anything, but does not name it. */
export const acceptsHtml = (request: Request): boolean =>
  (request.headers.get("accept") ?? "")
    .toLowerCase()
    .split(",")
    .some((part) => /^\s*(text\/html|application\/xhtml\+xml)\s*(;(?!\s*q=0(\.0*)?\s*$)|$)/.test(part))

/** Whether the client accepts compressed answers. */
export const acceptsGzip = (request: Request): boolean =>
  /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(request.headers.get("accept-encoding") ?? "")
