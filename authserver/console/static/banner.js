// The banner of what is active, kept true: it is asked for again when it changes, ends, or the page comes back into view.
import { Live, put } from "./live.js";

export function watch(banner) {
  if (!banner) return;
  const refresh = () => put(banner, banner.dataset.banner).then(follow);
  let live;
  let followed;
  function follow() {
    const url = banner.querySelector("[data-acting]")?.dataset.acting;
    if (url === followed) return;
    live?.stop();
    followed = url;
    // a page that is about one impersonation hears of it already: one stream a page is enough
    live = url && !document.querySelector("[data-live]") ? new Live(url, refresh) : undefined;
  }
  follow();
  banner.addEventListener("over", () => setTimeout(refresh, 1500));
  document.addEventListener("changed", refresh);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
}
