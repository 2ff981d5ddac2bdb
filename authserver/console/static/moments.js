// Moments in the reader's own zone, and countdowns. The exact moment stays in the title.
const sameDay = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const otherDay = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
const sameDayExactly = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const otherDayExactly = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });

export function words(moment, now = new Date(), seconds = false) {
  const today = moment.toDateString() === now.toDateString();
  if (seconds) return (today ? sameDayExactly : otherDayExactly).format(moment);
  return (today ? sameDay : otherDay).format(moment);
}

export function left(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((each, index) => (index ? String(each).padStart(2, "0") : String(each))).join(":");
}

// Put the times and countdowns of a part of the page into words.
export function dress(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    time.textContent = words(moment, new Date(), "seconds" in time.dataset);
    time.title = `${exact.format(moment)} (${time.dateTime.replace("T", " ").replace("Z", " UTC")})`;
  }
  tick(root);
}

function tick(root) {
  for (const timer of root.querySelectorAll("[data-until]")) {
    const seconds = (new Date(timer.dataset.until) - Date.now()) / 1000;
    timer.textContent = left(seconds);
    if (seconds <= 0 && !timer.dataset.over) {
      timer.dataset.over = "yes";
      timer.dispatchEvent(new CustomEvent("over", { bubbles: true }));
    }
  }
}
setInterval(() => tick(document), 1000);
