// The words of failures and of the history come first: what is similar to them is then shorter when it is compressed.
import "./live/item-history.ts"
import { serveTabs } from "./live/shared-worker.ts"
import { startPage } from "./page.ts"

// One script for both, so that the page and its worker are always of the same version.
if (typeof document === "undefined") serveTabs()
else startPage()
