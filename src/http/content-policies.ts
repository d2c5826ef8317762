/** What the page of the queue may load and do; it runs our own scripts alone. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  // The page draws its own icon, which shows the progress.
  "img-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  // No text, such as a title, can become code or HTML.
  "require-trusted-types-for 'script'",
  "trusted-types track-studio",
].join("; ")

/** What the reference may load and do. */
export const REFERENCE_POLICY =
  "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** What the page for a wrong address may load and do; it runs no script. */
export const NOT_FOUND_POLICY =
  "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
