import { serveTabs } from "./live/shared-worker.ts"
import { startPage } from "./page.ts"

// One script for both, so that the page and its worker are always of the same version.
if (typeof document === "undefined") serveTabs()
else startPage()
