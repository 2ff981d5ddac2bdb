// Parts of the page that change by themselves: data-live is the stream that tells when, data-part what is shown then.
import { Live, put } from "./live.js";

for (const element of document.querySelectorAll("[data-live]")) {
  const lost = document.createElement("p");
  lost.className = "lost";
  lost.setAttribute("role", "status");
  lost.hidden = true;
  lost.textContent = "The connection is lost. What you see may be old; it is tried again by itself.";
  element.before(lost);
  const changed = async () => {
    const answered = await put(element, element.dataset.part);
    if (answered) element.dispatchEvent(new CustomEvent("changed", { bubbles: true }));
    return answered;
  };
  new Live(element.dataset.live, changed, (isLost) => (lost.hidden = !isLost));
}
